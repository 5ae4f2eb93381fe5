"""The vendor of a replay: it says what the record says it said, and ends as it ended.

Owns how an ending from outside comes back: as the same fact, at the same place.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from kernel.errors import DomainError
from routing.gateway.errors import InternalFault
from routing.gateway.open_calls import ClientLeft
from routing.gateway.ports import Headers, Outgoing


class RecordedReply:
    """An answer from the record."""

    def __init__(
        self, status: int, chunks: Sequence[bytes], end: Exception | None, *, is_stream: bool
    ) -> None:
        self._status = status
        self._chunks = chunks
        self._end = end
        kind = b"text/event-stream" if is_stream else b"application/json"
        self._headers: Headers = [(b"content-type", kind)]

    @property
    def status(self) -> int:
        return self._status

    @property
    def headers(self) -> Headers:
        return self._headers

    async def read(self, limit: int) -> bytes:
        if self._end is not None:
            raise self._end
        return b"".join(self._chunks)

    async def pieces(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk
        if self._end is not None:
            raise self._end

    def close(self) -> None:
        """Let go of nothing."""


class RecordedVendor:
    """An upstream that answers once, from the record."""

    def __init__(self, reply: RecordedReply | Exception) -> None:
        self._reply = reply

    async def send(self, outgoing: Outgoing) -> RecordedReply:
        if isinstance(self._reply, Exception):
            raise self._reply
        return self._reply


def ending(status: str, broke: Sequence[str] | None) -> Exception | None:
    """Return what ended an attempt from outside; None where it ended by itself."""
    if status == "cancelled":
        return ClientLeft()
    if broke is None:
        return None
    code, detail = broke
    kind = _kinds(DomainError).get(code, InternalFault)
    # Not every one of them is made from its words alone.
    error = kind.__new__(kind)
    DomainError.__init__(error, detail)
    return error


def _kinds(kind: type[DomainError]) -> dict[str, type[DomainError]]:
    found: dict[str, type[DomainError]] = {}
    for one in kind.__subclasses__():
        found |= {one.code: one, **_kinds(one)}
    return found
