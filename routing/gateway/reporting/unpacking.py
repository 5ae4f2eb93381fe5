"""A packed body, unpacked as far as is sensible.

Owns the two bounds: how much may come out, and how much more than went in. A few kilobytes
that would fill a machine are told before they have.
"""

from __future__ import annotations

import zlib
from typing import Final

from kernel.canonical import BodyTooLarge
from routing.gateway.reporting.errors import SpansUnreadable

LIMIT: Final = 16 * 1024 * 1024
_ALWAYS: Final = 1024 * 1024
_RATIO: Final = 200
_PIECE: Final = 256 * 1024
_GZIP: Final = 31


def unzipped(packed: bytes, limit: int = LIMIT) -> bytes:
    """Return what gzip packed. Raises: SpansUnreadable, BodyTooLarge."""
    most = min(limit, max(_ALWAYS, len(packed) * _RATIO))
    pieces: list[bytes] = []
    size, rest = 0, packed
    try:
        while rest:
            unpacker = zlib.decompressobj(_GZIP)
            while not unpacker.eof:
                piece = unpacker.decompress(rest, _PIECE)
                rest = unpacker.unconsumed_tail
                if not piece and not rest and not unpacker.eof:
                    raise SpansUnreadable("The body ends before what gzip packed does.")
                pieces.append(piece)
                size += len(piece)
                if size > most:
                    raise BodyTooLarge(
                        f"The body has more than {most} bytes when it is unpacked. Send fewer"
                        " spans at a time.",
                        limit_bytes=most,
                    )
            rest = unpacker.unused_data  # another member
    except zlib.error:
        raise SpansUnreadable("The body is not what gzip packs.") from None
    return b"".join(pieces)
