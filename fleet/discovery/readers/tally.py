"""What a reader keeps count of while it reads, and the frame of lines within bounds.

Nothing is dropped in silence: a line is understood, passed over, or malformed, and of the
malformed ones the first numbers and reasons are kept. The lines themselves are not: they
hold what people did.
"""

from __future__ import annotations

import codecs
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

from fleet.discovery.readers.own import Own

MAX_LINE = 256 * 1024
MAX_SAMPLES = 20
MAX_GROUPS = 20_000
PIECE = 256 * 1024
MAX_RATIO = 200
FREE_BYTES = 64 * 1024 * 1024  # a small file may unpack to this, whatever the ratio
MAX_UNPACKED = 20 * 1024**3


class TooLargeUnpacked(Exception):
    """A compressed file is far larger inside than anything honest."""


class NotReadable(Exception):
    """The file as a whole is not what its format says; carries a sentence."""


class Bytes(Protocol):
    """A file, opened."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(slots=True)
class Tally:
    """How far a reading has come, and what became of each line."""

    lines: int = 0
    understood: int = 0
    passed: int = 0
    malformed: int = 0
    overflow: int = 0
    ours: int = 0  # of gateways here to connected vendors
    own: Own = field(default_factory=Own)
    reached: int = 0  # bytes of the file as it lies there
    samples: list[dict[str, object]] = field(default_factory=list)
    # Told now and then how far it is; may end the reading by raising.
    beat: Callable[[Tally], None] | None = None

    def miss(self, why: str) -> None:
        """Count the current line as malformed."""
        self.malformed += 1
        if len(self.samples) < MAX_SAMPLES:
            self.samples.append({"line": self.lines, "why": why[:120]})


_MARKS: Final = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le",
                 codecs.BOM_UTF16_BE: "utf-16-be"}  # fmt: skip


def texts(file: Bytes, tally: Tally) -> Iterator[bytes]:
    """Yield the file in pieces of UTF-8: what a shell or an editor marked otherwise is put so.

    Raises: TooLargeUnpacked, NotReadable.
    """
    rest = pieces(file, tally)
    first = next(rest, b"")
    mark = next((mark for mark in _MARKS if first.startswith(mark)), b"")
    if not mark or _MARKS[mark] == "utf-8":
        if first := first[len(mark) :]:
            yield first
        yield from rest
        return
    decoder = codecs.getincrementaldecoder(_MARKS[mark])("replace")
    yield decoder.decode(first[len(mark) :]).encode("utf-8", "replace")
    for piece in rest:
        yield decoder.decode(piece).encode("utf-8", "replace")


def pieces(file: Bytes, tally: Tally) -> Iterator[bytes]:
    """Yield the file in pieces, unpacked where it is gzip.

    Raises: TooLargeUnpacked, NotReadable.
    """
    first = _take(file, tally)
    if not first.startswith(b"\x1f\x8b"):
        while first:
            yield first
            first = _take(file, tally)
        return
    yield from _unpacked(first, file, tally)


def _unpacked(packed: bytes, file: Bytes, tally: Tally) -> Iterator[bytes]:
    out, unpacker = 0, zlib.decompressobj(31)
    while packed:
        try:
            piece = unpacker.decompress(packed, PIECE)
        except zlib.error:
            raise NotReadable("The file ends or breaks inside its compression.") from None
        out += len(piece)
        if out > MAX_UNPACKED or out > max(FREE_BYTES, tally.reached * MAX_RATIO):
            raise TooLargeUnpacked
        if piece:
            yield piece
        packed = unpacker.unconsumed_tail
        if unpacker.eof:  # a file may hold several members, as log rotation makes them
            packed = unpacker.unused_data.lstrip(b"\0") or _take(file, tally)
            unpacker = zlib.decompressobj(31)
        elif not packed and not (packed := _take(file, tally)):
            # Cut off in the middle: what came before stands, and it is said.
            tally.miss("the compressed file is cut off here")


def lines(file: Bytes, tally: Tally) -> Iterator[bytes]:
    """Yield each line without its end; one beyond the bound is counted and left out."""
    rest, is_skipping = b"", False
    for piece in texts(file, tally):
        parts = (rest + piece).split(b"\n")
        rest = parts.pop()
        for part in parts:
            tally.lines += 1
            if is_skipping or len(part) > MAX_LINE:
                is_skipping = False
                tally.miss("the line is too long")
            elif line := part.rstrip(b"\r"):
                yield line
        if len(rest) > MAX_LINE:
            rest, is_skipping = b"", True
    if rest or is_skipping:
        tally.lines += 1
        if is_skipping:
            tally.miss("the line is too long")
        else:
            yield rest.rstrip(b"\r")


def whole(file: Bytes, tally: Tally, limit: int) -> bytes:
    """Return a document that is read as one. Raises: NotReadable, TooLargeUnpacked."""
    held = bytearray()
    for piece in texts(file, tally):
        held += piece
        if len(held) > limit:
            raise NotReadable(f"The document has more than {limit // 2**20} MiB.")
    return bytes(held)


def _take(file: Bytes, tally: Tally) -> bytes:
    piece = file.read(PIECE)
    tally.reached += len(piece)
    if tally.beat is not None:
        tally.beat(tally)
    return piece
