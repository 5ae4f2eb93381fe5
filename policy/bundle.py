"""A policy bundle: one directory of Rego and its data, named by the digest of its bytes.

The digest covers exactly the bytes that are judged by: they are read once, hashed, and
handed to the engine as they are. Unit tests (``*_test.rego``) lie beside the rules and
are no part of the bundle.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from kernel.canonical import canonical, strict_loads
from kernel.errors import Malformed
from policy.errors import BundleUnusable

BASE: Final = Path(__file__).parent / "bundles" / "base"
DATA_FILE: Final = "data.json"
MAX_FILE_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Bundle:
    """The text of every module by file name, the data document, and the digest of both."""

    modules: dict[str, str]
    data: bytes
    digest: str

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read a bundle. Raises: BundleUnusable."""
        files = {path.name: _read(path) for path in sorted(bundle_files(directory))}
        if DATA_FILE not in files:
            raise BundleUnusable(f"{directory.name} has no {DATA_FILE}.")
        try:
            data = strict_loads(files[DATA_FILE])
            modules = {name: raw.decode() for name, raw in files.items() if name != DATA_FILE}
        except (Malformed, UnicodeDecodeError) as error:
            raise BundleUnusable(f"{directory.name} cannot be read: {error}") from None
        if not modules or not isinstance(data, dict):
            raise BundleUnusable(f"{directory.name} needs Rego modules and a data object.")
        return cls(modules, canonical(data), digest_files(files))


def bundle_files(directory: Path) -> list[Path]:
    """Return what belongs to a bundle: modules without their tests, and the data."""
    return [
        path
        for path in directory.glob("*")
        if path.name == DATA_FILE or (path.suffix == ".rego" and not is_test(path))
    ]


def is_test(path: Path) -> bool:
    """Say whether a file holds unit tests of a bundle."""
    return path.name.endswith("_test.rego")


def digest_files(files: dict[str, bytes]) -> str:
    """Return ``sha256:<hex>`` over sorted names and bytes, each preceded by its length."""
    hasher = hashlib.sha256()
    for name, raw in sorted(files.items()):
        for part in (name.encode(), raw):
            # The length keeps two different sets of files from running into the same bytes.
            hasher.update(len(part).to_bytes(8, "big") + part)
    return "sha256:" + hasher.hexdigest()


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise BundleUnusable(f"{path.name} cannot be read ({type(error).__name__}).") from None
    if len(raw) > MAX_FILE_BYTES:
        raise BundleUnusable(f"{path.name} has more than {MAX_FILE_BYTES} bytes.")
    return raw
