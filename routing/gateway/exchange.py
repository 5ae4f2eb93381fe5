"""One attempt carried out: forward, meter, record the result, and only then let it be complete.

Owns what is true of every ending. The result is durable before the last byte that says
"complete" leaves; an answer that did not complete ends in an error that says so; what the
record holds is, byte for byte, what the agent was given. That is what the vendor said, but
for the vendor's secret, should it repeat it.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from kernel.errors import DomainError
from routing.gateway.body import ChatBody
from routing.gateway.errors import (
    ShuttingDown,
    VendorCut,
    VendorFault,
    VendorGarbage,
    VendorRedirected,
    VendorSlow,
    VendorUnreachable,
    error_event,
    render,
)
from routing.gateway.forward import secret_in, to_agent, without
from routing.gateway.metering import (
    Usage,
    estimated,
    reported,
    reported_error,
    reported_model,
    texts_of,
)
from routing.gateway.open_calls import ClientLeft, OpenCall, Patience
from routing.gateway.ports import Headers, Outgoing, Reply, Upstream
from routing.gateway.recording import Attempt, Outcome, Recorder
from routing.gateway.requests import Answer, Request
from routing.gateway.sse import Event, EventSplitter

ANSWER_LIMIT: Final = 48 * 1024 * 1024
STREAM_KEPT: Final = 32 * 1024 * 1024


@dataclass(slots=True)
class Progress:
    """What has come back so far."""

    was_sent: bool = False
    http_status: int = 0
    first_byte_ms: int | None = None
    usage: Usage | None = None
    reported_model: str = ""
    error_code: str = ""
    body: bytes = b""
    delivered: list[bytes] = field(default_factory=list)
    delivered_bytes: int = 0
    terminal: bytes = b""
    is_mid_event: bool = False


class Exchange:
    """An attempt under way. Used once."""

    def __init__(  # noqa: PLR0913  everything one attempt touches, named
        self,
        *,
        request: Request,
        answer: Answer,
        attempt: Attempt,
        body: ChatBody,
        open_call: OpenCall,
        patience: Patience,
        marks: Headers,
    ) -> None:
        self._request = request
        self._answer = answer
        self._attempt = attempt
        self._body = body
        self._open_call = open_call
        self._patience = patience
        self._marks = marks
        self._came = Progress()
        self._head: Headers = []
        self._reply: Reply | None = None
        self._secret = b""

    async def carry_out(
        self, outgoing: Outgoing, upstream: Upstream, recorder: Recorder
    ) -> Outcome:
        """Forward, record, and finish the answer. Raises: JournalDown before an answer began."""
        try:
            status, error = await self._forward(outgoing, upstream)
            if error is not None or status == "cancelled":
                self._hang_up()
            ending = self._ending(error)
            outcome = self._outcome(status, error, ending)
            try:
                await recorder.conclude(self._attempt, outcome)
            except DomainError as unrecorded:
                if not self._answer.has_begun:
                    raise
                await self._answer.end(error_event(unrecorded))
                return outcome
            await self._finish(error, ending)
        finally:
            self._hang_up()
        return outcome

    # --- forward

    async def _forward(
        self, outgoing: Outgoing, upstream: Upstream
    ) -> tuple[str, DomainError | None]:
        try:
            with self._open_call:
                await self._exchange(outgoing, upstream)
        except ClientLeft:
            return "cancelled", None
        except DomainError as error:
            return self._status_of(error), error
        except asyncio.CancelledError:
            return "incomplete", ShuttingDown()
        return ("error" if self._came.error_code else "ok"), None

    def _status_of(self, error: DomainError) -> str:
        match error:
            case VendorSlow() | VendorCut():
                return "incomplete" if self._came.http_status else "error"
            case VendorFault():
                return "error"
            case _:  # cut by us
                return "incomplete"

    async def _exchange(self, outgoing: Outgoing, upstream: Upstream) -> None:
        came = self._came
        self._open_call.expect(self._patience.first_byte, VendorSlow())
        came.was_sent = True
        self._secret = secret_in(outgoing.headers)
        self._reply = reply = await upstream.send(outgoing)
        came.http_status = reply.status
        came.first_byte_ms = self._request.elapsed_ms()
        self._head = self._marks + _with_request_id(
            to_agent(reply.headers, self._secret), self._attempt.entry_id
        )
        if 300 <= reply.status < 400:
            raise VendorRedirected
        self._open_call.expect(self._patience.idle, VendorSlow())
        if 200 <= reply.status < 300 and _is_event_stream(reply.headers):
            await self._relay(reply)
        else:
            came.body = without(self._secret, await reply.read(ANSWER_LIMIT))
            self._read_whole(reply.status)

    def _read_whole(self, status: int) -> None:
        came = self._came
        document = read_json(came.body)
        if status >= 400:
            came.error_code = reported_error(document) or f"http_{status}"
            return
        if not isinstance(document, dict):
            raise VendorGarbage(
                f"The vendor answered {status} with {len(came.body)} bytes that are not a JSON"
                " object. They are kept in the run's ledger."
            )
        came.usage = reported(document)
        came.reported_model = reported_model(document)

    # --- streams

    async def _relay(self, reply: Reply) -> None:
        came, splitter = self._came, EventSplitter()
        self._head += [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
        await self._answer.begin(reply.status, self._head)
        async for chunk in reply.pieces():
            passed = [
                without(self._secret, event.raw)
                for event in splitter.feed(chunk)
                if self._passes(event)
            ]
            came.is_mid_event = splitter.is_inside_fragments
            if passed:
                await self._deliver(passed[0] if len(passed) == 1 else b"".join(passed))
            if came.terminal:
                return
        if not came.error_code:  # the vendor has not said itself why it ends
            raise VendorCut

    def _passes(self, event: Event) -> bool:
        """Read an event; keep back the end, what follows it, and a report nobody asked for."""
        came, data = self._came, event.data and without(self._secret, event.data)
        if came.terminal:
            return False
        if data is None:
            return True
        if data == b"[DONE]":
            came.terminal = event.raw
            return False
        if came.reported_model and b'"usage"' not in data and b'"error"' not in data:
            return True
        document = read_json(data)
        came.reported_model = came.reported_model or reported_model(document)
        came.error_code = came.error_code or reported_error(document)
        if (usage := reported(document)) is None:
            return True
        came.usage = usage
        was_asked = self._body.reports_usage or not self._body.streams
        return was_asked or document.get("choices") != []

    async def _deliver(self, piece: bytes) -> None:
        came = self._came
        came.delivered_bytes += len(piece)
        if came.delivered_bytes <= STREAM_KEPT:
            came.delivered.append(piece)
        self._open_call.expect(self._patience.reader, ClientLeft())
        await self._answer.write(piece)
        self._open_call.expect(self._patience.idle, VendorSlow())

    # --- the end

    def _ending(self, error: DomainError | None) -> bytes:
        """Return the last bytes of a stream, decided before they are recorded."""
        if not self._answer.has_begun:
            return b""
        if error is None:
            return self._came.terminal
        # Part of an event may have gone out: its line is ended, so that ours is read as one.
        return (b"\n\n" if self._came.is_mid_event else b"") + error_event(error)

    def _outcome(self, status: str, error: DomainError | None, ending: bytes) -> Outcome:
        came = self._came
        is_cut = came.delivered_bytes > STREAM_KEPT
        payload = b"".join([*came.delivered, ending]) if self._answer.has_begun else came.body
        return Outcome(
            status=status,
            http_status=came.http_status,
            usage=came.usage or self._guess(error),
            payload=payload,
            duration_ms=self._request.elapsed_ms(),
            first_byte_ms=came.first_byte_ms,
            reported_model=came.reported_model,
            error_code=error.code.partition(".")[2] if error is not None else came.error_code,
            is_payload_cut=is_cut,
        )

    def _guess(self, error: DomainError | None) -> Usage:
        came = self._came
        was_served = came.was_sent and not isinstance(error, VendorUnreachable)
        if not was_served or came.http_status >= 300:
            return Usage()
        if self._answer.has_begun:
            events = EventSplitter().feed(b"".join(came.delivered))
            documents = [event.data for event in events if event.data]
        else:
            documents = [came.body]
        return estimated(self._body.size, texts_of(documents))

    async def _finish(self, error: DomainError | None, ending: bytes) -> None:
        if self._answer.has_begun:
            await self._answer.end(ending)
        elif error is not None:
            status, headers, body = render(error)
            marks = _with_request_id([*self._marks], self._attempt.entry_id)
            await self._answer.give(status, headers + marks, body)
        elif self._came.http_status:
            await self._answer.give(self._came.http_status, self._head, self._came.body)

    def _hang_up(self) -> None:
        if self._reply is not None:
            self._reply.close()


def _with_request_id(headers: Headers, entry_id: str) -> Headers:
    if not any(name == b"x-request-id" for name, _ in headers):
        headers.append((b"x-request-id", entry_id.encode()))
    return headers


def _is_event_stream(headers: Headers) -> bool:
    return any(
        name == b"content-type" and value[:17].lower() == b"text/event-stream"
        for name, value in headers
    )


def read_json(raw: bytes) -> Any:
    """Read a vendor's JSON as leniently as its own clients do; None when it is none."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(raw)  # takes NaN, which some servers write
    except (ValueError, RecursionError):
        return None
