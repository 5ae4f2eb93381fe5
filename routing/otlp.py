"""Spans to a collector: OTLP over HTTP, in its JSON encoding.

Owns a bounded queue and one task that empties it. Nothing waits for a collector: what finds
the queue full is dropped, what cannot be delivered is given up, and both are counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
import structlog
from yarl import URL

from kernel.errors import DomainError
from routing.gateway.ports import Outgoing
from routing.gateway.tracing import Span, Value
from routing.gateway.upstream import HttpUpstream

logger = structlog.get_logger("unsprawl.gateway")

_TRIES: Final = 3
_WORTH_ANOTHER: Final = frozenset({408, 429, 502, 503, 504})
_LONGEST_PAUSE: Final = 5.0
_SILENT_SECONDS: Final = 60.0
_LAST_SECONDS: Final = 2.0
_LONGEST_ANSWER: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class OtlpSettings:
    """Where spans go. Its repr shows no header: those carry a collector's key."""

    address: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    resource: Mapping[str, str] = field(default_factory=dict)
    timeout_seconds: float = 10.0
    delay_seconds: float = 5.0
    queue: int = 2048
    batch: int = 512


class OtlpExporter:
    """The queue and its task. Made outside the event loop, opened and closed inside."""

    def __init__(self, settings: OtlpSettings) -> None:
        self._settings = settings
        self._waiting: deque[Span] = deque()
        self._address = URL(settings.address)
        self._headers = dict(settings.headers) | {"content-type": "application/json"}
        self._way: HttpUpstream | None = None
        self._task: asyncio.Task[None] | None = None
        self._told_at = float("-inf")
        self.exported = 0
        self.dropped = 0
        self.failed = 0

    def take(self, span: Span) -> None:
        if len(self._waiting) >= self._settings.queue:
            self.dropped += 1
        else:
            self._waiting.append(span)

    def figures(self) -> Iterator[tuple[tuple[str, ...], float]]:
        yield ("exported",), self.exported
        yield ("dropped",), self.dropped
        yield ("failed",), self.failed

    async def open(self) -> None:
        self._way = HttpUpstream()
        self._task = asyncio.create_task(self._keep_sending(), name="otlp")

    async def close(self) -> None:
        """Send what waits, for as long as a shutdown can wait for it."""
        if self._task is None or self._way is None:
            return
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_SECONDS):
                await self._send_all()
        await self._way.close()

    async def _keep_sending(self) -> None:
        while True:
            await asyncio.sleep(self._settings.delay_seconds)
            await self._send_all()

    async def _send_all(self) -> None:
        while self._waiting:
            count = min(self._settings.batch, len(self._waiting))
            batch = [self._waiting.popleft() for _ in range(count)]
            refused = await self._deliver(encoded(batch, self._settings.resource))
            if refused:
                self.failed += count
                self._tell(refused)
            else:
                self.exported += count

    async def _deliver(self, body: bytes) -> str:
        """Return why a batch was not taken; nothing when it was."""
        why = ""
        for number in range(_TRIES):
            try:
                async with asyncio.timeout(self._settings.timeout_seconds):
                    status = await self._post(body)
            except TimeoutError:
                why = "timeout"
            except DomainError as error:
                why = error.code
            else:
                if status < 300:
                    return ""
                why = f"http_{status}"
                if status not in _WORTH_ANOTHER:
                    return why
            if number < _TRIES - 1:
                await asyncio.sleep(min(2.0**number, _LONGEST_PAUSE))
        return why

    async def _post(self, body: bytes) -> int:
        assert self._way is not None  # noqa: S101  opened before anything is sent
        reply = await self._way.send(Outgoing("POST", self._address, {**self._headers}, body))
        try:
            await reply.read(_LONGEST_ANSWER)
        finally:
            reply.close()
        return reply.status

    def _tell(self, why: str) -> None:
        now = time.monotonic()
        if now - self._told_at >= _SILENT_SECONDS:
            self._told_at = now
            logger.warning("otlp.not_delivered", why=why, failed=self.failed)


def encoded(spans: Sequence[Span], resource: Mapping[str, str]) -> bytes:
    """Return the body of one request to a collector."""
    scope = {"scope": {"name": "unsprawl.gateway"}, "spans": [_span(span) for span in spans]}
    whole = {"resource": {"attributes": _attributes(resource)}, "scopeSpans": [scope]}
    return orjson.dumps({"resourceSpans": [whole]})


def _span(span: Span) -> dict[str, Any]:
    said: dict[str, Any] = {
        "traceId": span.context.trace_id,
        "spanId": span.span_id,
        "flags": int(span.context.is_sampled),
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": str(span.started_ns),
        "endTimeUnixNano": str(span.ended_ns),
        "attributes": _attributes(span.attributes),
        "status": {"code": 2, "message": span.failed_with} if span.failed_with else {},
    }
    if span.parent_id:
        said["parentSpanId"] = span.parent_id
    if span.context.state:
        said["traceState"] = span.context.state
    return said


def _attributes(said: Mapping[str, Value]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _value(value)} for name, value in said.items()]


def _value(value: Value) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case _:
            return {"stringValue": value}
