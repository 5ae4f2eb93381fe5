"""Sending a file without holding it: a megabyte at a time, whole or in the range asked for.

Ranges are RFC 9110 §14: one of bytes, anything else is answered with the whole file.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator
from typing import IO, Any, Final

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

PIECE: Final = 1024 * 1024
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def file_response(
    request: HttpRequest, file: IO[bytes], size: int, *, name: str, tag: str
) -> HttpResponse | StreamingHttpResponse:
    """Answer with a file; it is closed when the answer is."""
    start, end = wanted(request, size, tag)
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": f'"{tag}"',
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "private, no-store",
    }
    if start >= size > 0:
        file.close()
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    is_part = (start, end) != (0, size)
    if is_part:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - start)
    whole = _Pieces(file, start, end)
    pieces: Any = _PiecesOffTheLoop(whole) if isinstance(request, ASGIRequest) else whole
    return StreamingHttpResponse(
        pieces, status=206 if is_part else 200, content_type="application/jsonl", headers=headers
    )


def wanted(request: HttpRequest, size: int, tag: str) -> tuple[int, int]:
    """Return which bytes are asked for: from, and up to but without."""
    asked = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    condition = request.headers.get("If-Range", "")
    if asked is None or (condition and condition != f'"{tag}"'):
        return 0, size
    first, last = asked.groups()
    if not first:
        return (max(0, size - int(last)), size) if last and int(last) else (0, size)
    end = min(int(last) + 1, size) if last else size
    return (int(first), end) if int(first) < end or int(first) >= size else (0, size)


class _Pieces:
    """What a response reads from. It closes the file also when nobody reads."""

    def __init__(self, file: IO[bytes], start: int, end: int) -> None:
        # A descriptor of its own: a response that is dropped unread is closed without a word.
        with file:
            self._descriptor = os.dup(file.fileno())
        self._at, self._end = start, end

    def __iter__(self) -> Iterator[bytes]:
        while piece := self.next_piece():
            yield piece

    def next_piece(self) -> bytes:
        piece = os.pread(self._descriptor, min(PIECE, self._end - self._at), self._at)
        self._at += len(piece)
        return piece

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()


class _PiecesOffTheLoop:
    """The same for a server with an event loop: the disk is read in a thread."""

    def __init__(self, pieces: _Pieces) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await asyncio.to_thread(self._pieces.next_piece):
            yield piece

    def close(self) -> None:
        self._pieces.close()
