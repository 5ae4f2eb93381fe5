"""A policy bundle: one directory of Rego and its data, named by the digest of its bytes.

The digest covers exactly the bytes that are judged by: they are read once, hashed, and
handed to the engine as they are. Unit tests (``*_test.rego``) and cases (``cases.json``)
lie beside the rules and are no part of the bundle.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from kernel.canonical import canonical, strict_loads
from kernel.errors import Malformed
from policy.errors import BundleUnusable

BASE: Final = Path(__file__).parent / "bundles" / "base"
DATA_FILE: Final = "data.json"
CASES_FILE: Final = "cases.json"
MAX_FILE_BYTES: Final = 1024 * 1024
_PACKAGE: Final = re.compile(r"^package[ \t]+([\w.]+)", re.MULTILINE)
_PROOF: Final = re.compile(r"^settings_sound\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Bundle:
    """The text of every module by file name, the data document, and the digest of both."""

    modules: dict[str, str]
    data: bytes
    digest: str
    packed: bytes = field(default=b"", repr=False)  # the bytes that the digest is of

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read a bundle. Raises: BundleUnusable."""
        files = {path.name: _read(path) for path in sorted(bundle_files(directory))}
        return cls._of(files, directory.name)

    @property
    def proofs(self) -> list[str]:
        """What has to be true of the data before anything is judged by it."""
        return sorted(
            {
                found[1].replace(".", "/") + "/settings_sound"
                for source in self.modules.values()
                if (found := _PACKAGE.search(source)) and _PROOF.search(source)
            }
        )

    @classmethod
    def unpack(cls, packed: bytes) -> Self:
        """Read a bundle from the bytes it was kept as. Raises: BundleUnusable."""
        return cls._of(unpack_files(packed), "The kept bundle")

    @classmethod
    def of(cls, files: dict[str, bytes]) -> Self:
        """Make a bundle of what judges: modules and data. Raises: BundleUnusable."""
        return cls._of(files, "The bundle")

    @classmethod
    def _of(cls, files: dict[str, bytes], name: str) -> Self:
        if DATA_FILE not in files:
            raise BundleUnusable(f"{name} has no {DATA_FILE}.")
        try:
            data = strict_loads(files[DATA_FILE])
            modules = {name: raw.decode() for name, raw in files.items() if name != DATA_FILE}
        except (Malformed, UnicodeDecodeError) as error:
            raise BundleUnusable(f"{name} cannot be read: {error}") from None
        if not modules or not isinstance(data, dict):
            raise BundleUnusable(f"{name} needs Rego modules and a data object.")
        return cls(modules, canonical(data), digest_files(files), pack_files(files))


def bundle_files(directory: Path) -> list[Path]:
    """Return what belongs to a bundle: modules without their tests, and the data."""
    return [
        path
        for path in directory.glob("*")
        if path.name == DATA_FILE or (path.suffix == ".rego" and not is_test(path))
    ]


def load_tests(directory: Path) -> dict[str, bytes]:
    """Read what tests a bundle: its unit tests and its cases. Raises: BundleUnusable."""
    return {path.name: _read(path) for path in sorted(directory.glob("*")) if is_test(path)}


def is_test(path: Path) -> bool:
    """Say whether a file tests a bundle: it judges nothing."""
    return is_test_name(path.name)


def is_test_name(name: str) -> bool:
    """Say the same by the file's name."""
    return name.endswith("_test.rego") or name == CASES_FILE


def digest_files(files: dict[str, bytes]) -> str:
    """Return ``sha256:<hex>`` over the packed files."""
    return "sha256:" + hashlib.sha256(pack_files(files)).hexdigest()


def pack_files(files: dict[str, bytes]) -> bytes:
    """Join sorted names and bytes, each preceded by its length in eight bytes."""
    # The length keeps two different sets of files from running into the same bytes.
    parts = [part for name, raw in sorted(files.items()) for part in (name.encode(), raw)]
    return b"".join([len(part).to_bytes(8, "big") + part for part in parts])


def unpack_files(packed: bytes) -> dict[str, bytes]:
    """Return names and bytes as they were packed. Raises: BundleUnusable."""
    parts: list[bytes] = []
    position = 0
    while position < len(packed):
        start = position + 8
        position = start + int.from_bytes(packed[position:start], "big")
        parts.append(packed[start:position])
    if position != len(packed) or len(parts) % 2:
        raise BundleUnusable("The kept bundle was cut off.")
    names = [name.decode("utf-8", "replace") for name in parts[::2]]
    return dict(zip(names, parts[1::2], strict=True))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise BundleUnusable(f"{path.name} cannot be read ({type(error).__name__}).") from None
    if len(raw) > MAX_FILE_BYTES:
        raise BundleUnusable(f"{path.name} has more than {MAX_FILE_BYTES} bytes.")
    return raw
