"""What lies behind a payload, under the same encryption: what replay needs and nobody was given.

Owns its form: a zstd skippable frame (RFC 8878 §3.1.2), which readers of the payload pass
over. It is covered by the digest of the ciphertext, dropped with the payload and destroyed
with its key. Raises ValueError for what is none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import zstandard

LARGEST: Final = 64 * 1024 * 1024
_MAGIC: Final = b"\x51\x2a\x4d\x18"
_PLAIN: Final = b"\x00"
_ZSTD: Final = b"\x01"
_WORTH_PACKING: Final = 256


def packed_annex(annex: bytes, compress: Callable[[bytes], bytes]) -> bytes:
    """Return the frame that is put behind a payload."""
    content = _PLAIN + annex if len(annex) < _WORTH_PACKING else _ZSTD + compress(annex)
    return _MAGIC + len(content).to_bytes(4, "little") + content


def unpacked_annex(frame: bytes) -> bytes:
    """Return what a frame holds; nothing where there is none. Raises: ValueError, ZstdError."""
    if not frame:
        return b""
    content = frame[8:]
    if frame[:4] != _MAGIC or int.from_bytes(frame[4:8], "little") != len(content):
        raise ValueError("what follows the payload is no annex")
    if content[:1] == _PLAIN:
        return content[1:]
    if content[:1] != _ZSTD or zstandard.frame_content_size(content[1:]) > LARGEST:
        raise ValueError("the annex is of no known form")
    return zstandard.ZstdDecompressor().decompress(content[1:], max_output_size=LARGEST)
