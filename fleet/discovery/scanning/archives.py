"""Archives of repositories, read member by member and never unpacked to a disk.

A member's path is a label and nothing else, so neither ``..`` nor a link leads anywhere.
Counts, sizes and headers are bounded before they are believed.
"""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from typing import IO, Final

from fleet.discovery.readers.tally import NotReadable, Tally, TooLargeUnpacked, pieces
from fleet.discovery.scanning.scan_repository import MAX_FILES, SKIPPED, File

MAX_HEADER: Final = 1024 * 1024
MAX_DIRECTORY: Final = 64 * 1024 * 1024
MAX_READ: Final = 4 * 1024**3
_END: Final = b"PK\x05\x06"
_END_SIZE: Final = 22
_LONG: Final = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE,
                tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)  # fmt: skip
_DAMAGED: Final = "The archive is damaged, or neither .zip nor .tar.gz."
BROKEN: Final = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, struct.error,
                 ValueError, OSError, NotImplementedError, RuntimeError)  # fmt: skip


def members(file: IO[bytes], tally: Tally, skipped: Counter[str]) -> Iterator[File]:
    """Yield the regular files of a .zip, .tar or .tar.gz. Raises: NotReadable, TooLargeUnpacked."""
    start = file.read(4)
    file.seek(0)
    found = _of_zip(file, tally, skipped) if start[:2] == b"PK" else _of_tar(file, tally, skipped)
    try:
        yield from found
    except BROKEN:
        raise NotReadable(_DAMAGED) from None


class _Member(tarfile.TarInfo):
    """A member whose headers are not taken into memory at whatever size they state."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _LONG and self.size > MAX_HEADER:
            raise tarfile.ReadError("a header beyond any use")
        return super()._proc_member(archive)  # type: ignore[misc,no-any-return]


class _Unpacked(io.RawIOBase):
    """The bytes of a tar file behind its compression, as a stream."""

    def __init__(self, source: Iterator[bytes]) -> None:
        self._source, self._held = source, b""

    def read(self, size: int = -1, /) -> bytes:
        while len(self._held) < size:
            piece = next(self._source, b"")
            if not piece:
                break
            self._held += piece
        taken, self._held = self._held[:size], self._held[size:]
        return taken


def _of_tar(file: IO[bytes], tally: Tally, skipped: Counter[str]) -> Iterator[File]:
    stream = _Unpacked(pieces(file, tally))
    with tarfile.open(fileobj=stream, mode="r|", tarinfo=_Member) as archive:
        seen = 0
        for member in archive:
            archive.members = []  # type: ignore[attr-defined]  # else every member of a million is kept
            seen += 1
            if seen > MAX_FILES:
                raise NotReadable(f"The archive has more than {MAX_FILES} members.")
            if not member.isreg() or member.issparse():
                if not member.isdir():
                    skipped["links and others"] += 1
                continue
            opened = archive.extractfile(member)
            if (path := _label(member.name)) and opened is not None:
                tally.lines += 1
                yield File(path, _in_turn(opened))


def _in_turn(opened: IO[bytes]) -> Callable[[int], bytes]:
    def first(most: int) -> bytes:
        # Whoever reads is outside of `members`. Behind a break of a stream there is nothing more.
        try:
            return opened.read(most)
        except BROKEN:
            raise NotReadable(_DAMAGED) from None

    return first


def _of_zip(file: IO[bytes], tally: Tally, skipped: Counter[str]) -> Iterator[File]:
    _check_directory(file)
    read = [0]
    with zipfile.ZipFile(file) as archive:
        for number, member in enumerate(archive.infolist()):
            if tally.beat is not None and number % 200 == 0:
                tally.beat(tally)
            kind = member.external_attr >> 28
            if member.is_dir():
                continue
            if kind not in {0, 8}:  # a regular file, or one without a mode
                skipped["links and others"] += 1
                continue
            tally.reached += member.compress_size
            if path := _label(member.filename):
                tally.lines += 1
                yield File(path, _of_member(archive, member, read))


def _of_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, read: list[int]
) -> Callable[[int], bytes]:
    def first(most: int) -> bytes:
        # Damaged, locked by a password, or packed in a way of its own: one file less, counted.
        try:
            with archive.open(member) as opened:
                taken = opened.read(most)
        except BROKEN:
            raise OSError from None
        read[0] += len(taken)
        if read[0] > MAX_READ:
            raise TooLargeUnpacked
        return taken

    return first


def _check_directory(file: IO[bytes]) -> None:
    # The library reads the whole directory at once, so what it states is looked at before.
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - 65_557))
    end = file.read()
    at = end.rfind(_END)
    if at < 0 or len(end) - at < _END_SIZE:
        raise NotReadable(_DAMAGED)
    count, length = struct.unpack("<HL", end[at + 10 : at + 16])
    if count == 0xFFFF or length > MAX_DIRECTORY:
        raise NotReadable("The .zip has too many members; send a .tar.gz.")
    file.seek(0)


def _label(name: str) -> str:
    parts = [part for part in name.replace("\\", "/").split("/") if part not in {"", ".", ".."}]
    # An archive of a forge holds everything below one folder named after the commit; the
    # folder stays in the path, because one file cannot tell that it is so.
    if SKIPPED & set(parts):
        return ""
    kept = "/".join(parts)
    return "".join(each for each in kept if each.isprintable())[:300]
