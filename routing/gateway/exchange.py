"""One attempt carried out: forward, meter, record the result, and only then let it be complete.

Owns what is true of every ending. The result is durable before the last byte that says
"complete" leaves; an answer that did not complete ends in an error that says so; what the
record holds is, byte for byte, what the agent was given. That is what the vendor said, but
for the vendor's secret, should it repeat it, and for what the stages of a relay make of it.
The vendor is read by one wire and the agent spoken to by another: the same, but where a
stage translates.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

import structlog

from kernel.errors import DomainError
from ledger.entries import Fact
from routing.gateway.body import CallBody
from routing.gateway.call_words import blames_call
from routing.gateway.contracts import contract_of
from routing.gateway.errors import (
    InternalFault,
    ReceiptNotReached,
    ShuttingDown,
    VendorCut,
    VendorFault,
    VendorGarbage,
    VendorRedirected,
    VendorSlow,
    place_of,
)
from routing.gateway.failure import STREAM_ERROR, Failure, failure_of
from routing.gateway.forward import secret_in, to_agent, without
from routing.gateway.lifecycle import is_substituted, substitution_mark
from routing.gateway.limits import limits_in
from routing.gateway.metering import reported_error
from routing.gateway.open_calls import ClientLeft, OpenCall, Patience
from routing.gateway.options import BROKEN
from routing.gateway.ports import Headers, Outgoing, Reply, Upstream
from routing.gateway.progress import Progress
from routing.gateway.rates import but_ours
from routing.gateway.recording.annexes import Received, found_to_remove
from routing.gateway.recording.attempt import Attempt, Outcome
from routing.gateway.relay import NOTHING, Relay
from routing.gateway.requests import Answer, Request
from routing.gateway.sse import Event, EventSplitter
from routing.gateway.vendor_words import said_of_model
from routing.gateway.wires.wire import StreamReading, Verdict, Wire, read_json

logger = structlog.get_logger("unsprawl.gateway")

ANSWER_LIMIT: Final = 48 * 1024 * 1024


class Concluding(Protocol):
    """Where the end of an attempt goes on record."""

    async def conclude(self, attempt: Attempt, outcome: Outcome) -> None: ...


class Exchange:
    """An attempt under way. Used once."""

    def __init__(  # noqa: PLR0913  everything one attempt touches, named
        self,
        *,
        request: Request,
        answer: Answer,
        attempt: Attempt,
        wire: Wire,
        reader: Wire,
        relay: Relay | None,
        body: CallBody,
        open_call: OpenCall,
        patience: Patience,
        marks: Headers,
        elapsed_ms: Callable[[], int],
        goes_on_after: Callable[[Failure], bool],
    ) -> None:
        self._request = request
        self._answer = answer
        self._attempt = attempt
        self._wire = wire
        self._reader = reader
        self._relay = relay
        self._body = body
        self._open_call = open_call
        self._patience = patience
        self._marks = marks
        self._elapsed_ms = elapsed_ms
        self._goes_on_after = goes_on_after
        self._came = Progress()
        self._error: DomainError | None = None
        self.before_sending: Callable[[], Awaitable[None]] | None = None
        self.failure: Failure | None = None
        self.gave_way = False
        self._head: Headers = []
        self._reply: Reply | None = None
        self._secret = b""
        self._vendor_seconds = 0.0

    async def carry_out(
        self, outgoing: Outgoing, upstream: Upstream, recorder: Concluding
    ) -> Outcome:
        """Forward, record, and finish the answer. Raises: JournalDown before an answer began.

        An attempt that failed before its first byte reached the agent, and is one to go on
        after, is recorded and says nothing to the agent: it gave way.
        """
        try:
            sent = time.perf_counter()
            status, error = await self._forward(outgoing, upstream)
            self._vendor_seconds = time.perf_counter() - sent
            if error is not None or status == "cancelled":
                self._hang_up()
            if status != "cancelled":
                self.failure = self._failure(error)
            ending = self._ending(error)
            outcome = self._outcome(status, error, ending)
            try:
                await recorder.conclude(self._attempt, outcome)
            except DomainError as unrecorded:
                if not self._answer.has_begun:
                    raise
                await self._answer.end(self._event_of(unrecorded))
                return outcome
            self._error, self.gave_way = error, self._gives_way()
            if not self.gave_way:
                await self._finish(error, ending)
        finally:
            self._hang_up()
        return outcome

    async def pass_on(self) -> None:
        """Give the agent what it was not given when this attempt gave way: it was the last."""
        await self._finish(self._error, b"")

    def _gives_way(self) -> bool:
        failure = self.failure
        return failure is not None and not self._answer.has_begun and self._goes_on_after(failure)

    def _failure(self, error: DomainError | None) -> Failure | None:
        headers = self._reply.headers if self._reply is not None else []
        came = self._came
        return failure_of(
            error,
            came.http_status,
            came.report.error_code,
            headers,
            came.said_of_model,
            blames_call=came.blames_call,
        )

    def mark(self, name: bytes, value: bytes) -> None:
        """Add a header of ours to an answer that has not begun."""
        self._marks.append((name, value))

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
            if error is self._open_call.cause or not self._came.was_sent:
                self._came.broke = error
            return self._status_of(error), error
        except asyncio.CancelledError:
            self._came.broke = ShuttingDown()
            return "incomplete", self._came.broke
        except Exception as fault:  # noqa: BLE001  told by its place, and on record
            # Whatever went wrong: the call was sent, so that it is on record and settled.
            logger.error("exchange.fault", kind=type(fault).__name__, at=place_of(fault))
            return self._status_of(unexpected := InternalFault()), unexpected
        return ("error" if self._came.report.error_code else "ok"), None

    def _status_of(self, error: DomainError) -> str:
        match error:
            case VendorSlow() | VendorCut():
                return "incomplete" if self._came.http_status else "error"
            case VendorFault() | ReceiptNotReached():
                return "error"
            case _ if self._came.was_withheld:
                return "error"
            case _:  # cut by us
                return "incomplete"

    async def _exchange(self, outgoing: Outgoing, upstream: Upstream) -> None:
        came = self._came
        if self.before_sending is not None:
            await self.before_sending()
        self._open_call.expect(self._patience.first_byte, VendorSlow())
        came.was_sent = True
        self._secret = secret_in(outgoing.headers)
        try:
            self._reply = reply = await upstream.send(outgoing)
        except DomainError as error:
            came.broke = error
            raise
        self._read_head(reply)
        if 300 <= reply.status < 400:
            raise VendorRedirected
        if 200 <= reply.status < 300 and _is_event_stream(reply.headers):
            await self._stream(reply)
        else:
            self._open_call.expect(self._patience.idle, VendorSlow())
            try:
                came.body = without(self._secret, await reply.read(ANSWER_LIMIT))
            except DomainError as error:
                came.broke = error
                raise
            came.chunks = [came.body]
            self._read_whole(reply.status)
            if self._relay is not None:
                await self._pass_whole(self._relay, reply.status)

    def _read_head(self, reply: Reply) -> None:
        came = self._came
        came.http_status = reply.status
        came.first_byte_ms = self._elapsed_ms()
        passed = to_agent(reply.headers, self._secret)
        if reply.status < 300 or reply.status == 429:  # any other may be of whatever is between
            came.limits = limits_in(passed)
        vendors = but_ours(passed, self._marks)
        self._head = self._marks + self._with_request_id(vendors)

    def _read_whole(self, status: int) -> None:
        came = self._came
        document = read_json(came.body)
        if status >= 400:
            came.report.error_code = reported_error(document) or f"http_{status}"
            model = self._attempt.target.model
            has_end = model.deprecated_on is not None or model.retires_on is not None
            came.said_of_model = said_of_model(status, document, has_end=has_end)
            # Of a call that was translated, what is wrong with it may be our doing.
            came.blames_call = self._wire is self._reader and blames_call(status, document)
            return
        if not isinstance(document, dict):
            raise VendorGarbage(
                f"The vendor answered {status} with {len(came.body)} bytes that are not a JSON"
                " object. They are kept in the run's ledger."
            )
        came.report = self._reader.report_of(document)
        self._mark_substitution()

    async def _pass_whole(self, relay: Relay, status: int) -> None:
        came = self._came
        try:
            came.body = await relay.whole(status, came.body)
        except Exception:
            came.was_withheld = True
            raise

    # --- streams

    async def _stream(self, reply: Reply) -> None:
        came, splitter = self._came, EventSplitter(self._reader.hold)
        came.is_stream = True
        reading = self._reader.reading(self._body)
        came.report = reading.report
        self._head += [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
        is_broken = False
        try:
            async for chunk in reply.pieces():
                came.note(chunk)
                events = [
                    self._cleaned(event)
                    for event in splitter.feed(chunk)
                    if self._passes(event, reading)
                ]
                came.is_mid_event = splitter.is_inside_fragments
                if not await self._take(events):
                    return
                if came.terminal is not None:
                    break
        except VendorCut as cut:
            came.broke, is_broken = cut, True
        if self._relay is not None and not await self._let_go(self._relay):
            return
        if is_broken or not (came.terminal or came.report.error_code):
            # The vendor has not said itself why it ends.
            raise VendorCut

    async def _take(self, events: list[Event]) -> bool:
        refusal = None
        if self._relay is not None:
            events, refusal = _taken(self._relay, events)
        if events and not await self._hand_on(events):
            return False
        if refusal is not None:
            raise refusal
        return True

    async def _let_go(self, relay: Relay) -> bool:
        """Deliver what stages still hold, and make the end what they make of it."""
        came = self._came
        if (events := await relay.finish()) and not await self._hand_on(events):
            return False
        if came.terminal is not None:
            ending = [made.raw for made in relay.take(came.terminal)]
            came.terminal = Event(b"".join(ending), None)
        return True

    async def _hand_on(self, events: list[Event]) -> bool:
        """Deliver events; False when the stream gives way instead, having failed at once."""
        piece = events[0].raw if len(events) == 1 else b"".join([event.raw for event in events])
        if self._begins_with_error():
            self._came.body = piece
            return False
        await self._deliver(piece)
        return True

    def _cleaned(self, event: Event) -> Event:
        raw = without(self._secret, event.raw)
        if raw is event.raw:
            return event
        return Event(raw, None if event.data is None else without(self._secret, event.data))

    def _passes(self, event: Event, reading: StreamReading) -> bool:
        """Read an event; keep back the end, what follows it, and a report nobody asked for."""
        if self._came.terminal is not None:
            return False
        if not event.data:
            self._came.has_fragments |= event.data is None
            return True
        verdict = reading.take(without(self._secret, event.data))
        if verdict is Verdict.END:
            self._came.terminal = self._cleaned(event)
        return verdict is Verdict.PASS

    async def _begin(self) -> None:
        """Begin the answer: not before the first event, which names the model that answers.

        Until then another target may still serve.
        """
        if not self._answer.has_begun:
            self._mark_substitution()
            await self._answer.begin(self._came.http_status, self._head)

    def _begins_with_error(self) -> bool:
        """Tell whether a stream that could still give way says first of all that it failed."""
        if not self._came.report.error_code or self._answer.has_begun:
            return False
        return self._goes_on_after(Failure(BROKEN, STREAM_ERROR))

    async def _deliver(self, piece: bytes) -> None:
        await self._begin()
        self._came.keep(piece)
        self._open_call.expect(self._patience.reader, ClientLeft())
        await self._answer.write(piece)
        self._open_call.expect(self._patience.idle, VendorSlow())

    # --- the end

    def _ending(self, error: DomainError | None) -> bytes:
        """Return the last bytes of a stream, decided before they are recorded."""
        if error is None:
            return b"" if self._came.terminal is None else self._came.terminal.raw
        if not self._answer.has_begun:
            return b""
        # Part of an event may have gone out: its line is ended, so that ours is read as one.
        return (b"\n\n" if self._came.is_mid_event else b"") + self._event_of(error)

    def _outcome(self, status: str, error: DomainError | None, ending: bytes) -> Outcome:
        came = self._came
        payload = came.payload(ending)
        return Outcome(
            status=status,
            http_status=came.http_status,
            usage=came.usage(self._wire, self._body, error),
            payload=payload,
            said_of_model=came.said_of_model,
            limits=came.limits,
            contract=self._contract(status, payload),
            duration_ms=self._elapsed_ms(),
            first_byte_ms=came.first_byte_ms,
            reported_model=came.report.model,
            error_code=error.code.partition(".")[2] if error else came.report.error_code,
            is_payload_cut=came.is_cut,
            is_substituted=is_substituted(self._attempt.target, came.report.model),
            response_id=came.report.response_id,
            is_kept=came.report.is_kept,
            was_withheld=came.was_withheld,
            facts=(facts := NOTHING if self._relay is None else self._relay.facts()),
            vendor_seconds=self._vendor_seconds,
            received=self._received(status, facts),
        )

    def _contract(self, status: str, payload: bytes) -> str:
        """Return whether the answer has the form that was asked for, of an agent being moved."""
        if status != "ok" or self._attempt.target.arm is None or self._came.was_withheld:
            return ""
        asked, operation = self._body.text, self._wire.operation
        return contract_of(operation, asked, payload, is_stream=self._came.is_stream)

    def _received(self, status: str, facts: Mapping[str, Fact]) -> Received | None:
        removes = self._relay is not None and self._relay.removes
        is_whole = status in {"ok", "error"} and not self._came.was_withheld
        return self._came.received(
            secret=self._secret,
            operation=self._reader.operation,
            streamed=self._attempt.streamed,
            removes=removes,
            was_cut=not is_whole or found_to_remove(facts, "found_in_response"),
        )

    async def _finish(self, error: DomainError | None, ending: bytes) -> None:
        if self._came.is_stream and error is None and not self._came.body:
            await self._begin()
        if self._answer.has_begun:
            await self._answer.end(ending)
        elif error is not None:
            status, headers, body = self._wire.dialect.render(error, self._attempt.entry_id)
            marks = self._with_request_id([*self._marks])
            await self._answer.give(status, headers + marks, body)
        elif self._came.http_status:
            await self._answer.give(self._came.http_status, self._head, self._came.body)

    def _event_of(self, error: DomainError) -> bytes:
        return self._wire.error_event(error, self._came.report, self._attempt.entry_id)

    def _mark_substitution(self) -> None:
        self._head += substitution_mark(self._attempt.target, self._came.report.model)

    def _with_request_id(self, headers: Headers) -> Headers:
        wanted = self._wire.dialect.request_id
        if not any(name == wanted for name, _ in headers):
            theirs = self._reader.dialect.request_id
            given = next((value for name, value in headers if name == theirs), None)
            headers.append((wanted, given or self._attempt.entry_id.encode()))
        return headers

    def _hang_up(self) -> None:
        if self._reply is not None:
            self._reply.close()


def _taken(relay: Relay, events: list[Event]) -> tuple[list[Event], DomainError | None]:
    """Return what events come to, and what a stage refused after these, if it did.

    What had passed by then is delivered, however the vendor's bytes were split on the way.
    """
    made: list[Event] = []
    try:
        for event in events:
            made += relay.take(event)
    except DomainError as refusal:
        return made, refusal
    return made, None


def _is_event_stream(headers: Headers) -> bool:
    return any(
        name == b"content-type" and value[:17].lower() == b"text/event-stream"
        for name, value in headers
    )
