"""Files as people hand them in: one by one or in a zip, bounded, named as a bundle's files are."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Final

from policy.bundle import CASES_FILE, DATA_FILE, MAX_FILE_BYTES
from rules.errors import BundleRefused

MOST_FILES: Final = 60
MOST_BYTES: Final = 4 * 1024 * 1024
_RULES: Final = re.compile(r"[a-z][a-z0-9_]{0,60}\.rego")


def read_zip(raw: bytes) -> dict[str, bytes]:
    """Return the files of a zip, out of one folder if they lie in one. Raises: BundleRefused."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            members = [each for each in archive.infolist() if not each.is_dir()]
            if len(members) > MOST_FILES or sum(each.file_size for each in members) > MOST_BYTES:
                raise BundleRefused(f"A zip holds at most {MOST_FILES} files and 4 MiB.")
            return {_name(each): _member(archive, each) for each in members if _counts(each)}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError):
        raise BundleRefused("The zip cannot be read.") from None


def check_names(files: Mapping[str, bytes]) -> None:
    """Refuse what is no file of a bundle, and too much of it. Raises: BundleRefused."""
    if len(files) > MOST_FILES or sum(map(len, files.values())) > MOST_BYTES:
        raise BundleRefused(f"A bundle has at most {MOST_FILES} files and 4 MiB.")
    for name, raw in files.items():
        if name not in {DATA_FILE, CASES_FILE} and not _RULES.fullmatch(name):
            raise BundleRefused(
                f"{name[:80]!r} is no file of a bundle: those are {DATA_FILE}, {CASES_FILE} and"
                " rules such as calls.rego or calls_test.rego."
            )
        if len(raw) > MAX_FILE_BYTES:
            raise BundleRefused(f"{name} has more than 1 MiB.")


def _counts(member: zipfile.ZipInfo) -> bool:
    if "__MACOSX" in member.filename:
        return False
    name = _name(member)
    return not name.startswith(".") and not name.endswith(".md")


def _name(member: zipfile.ZipInfo) -> str:
    return PurePosixPath(member.filename).name


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    # What a zip says of its sizes may be a lie: never more than a file may have.
    with archive.open(member) as stream:
        return stream.read(MAX_FILE_BYTES + 1)
