"""What has come back of one attempt so far, and what that comes to on record.

Owns how much of a stream is kept, and what is counted where the vendor reported nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from kernel.errors import DomainError
from routing.gateway.body import CallBody
from routing.gateway.errors import VendorUnreachable
from routing.gateway.forward import without
from routing.gateway.limits import Said
from routing.gateway.metering import Usage
from routing.gateway.recording.annexes import DETECTORS, SIZE, Received
from routing.gateway.sse import Event, EventSplitter
from routing.gateway.wires.wire import Report, Wire

STREAM_KEPT: Final = 32 * 1024 * 1024


@dataclass(slots=True)
class Progress:
    """How far an attempt has come."""

    was_sent: bool = False
    http_status: int = 0
    first_byte_ms: int | None = None
    report: Report = field(default_factory=Report)
    is_stream: bool = False
    body: bytes = b""
    delivered: list[bytes] = field(default_factory=list)
    delivered_bytes: int = 0
    terminal: Event | None = None
    is_mid_event: bool = False
    was_withheld: bool = False
    said_of_model: str = ""
    limits: Said | None = None  # as the head names them
    blames_call: bool = False  # the vendor says that the call is wrong, whoever is asked
    chunks: list[bytes] = field(default_factory=list)  # as the vendor sent them
    chunks_bytes: int = 0
    has_fragments: bool = False
    broke: DomainError | None = None  # what came from outside: a cut, a broken connection

    @property
    def is_cut(self) -> bool:
        """Tell whether more of a stream was delivered than is kept."""
        return self.delivered_bytes > STREAM_KEPT

    def keep(self, piece: bytes) -> None:
        """Note a piece of a stream that goes to the agent."""
        self.delivered_bytes += len(piece)
        if self.delivered_bytes <= STREAM_KEPT:
            self.delivered.append(piece)

    def note(self, chunk: bytes) -> None:
        """Note a piece of a stream as the vendor sent it."""
        self.chunks_bytes += len(chunk)
        if self.chunks_bytes <= STREAM_KEPT:
            self.chunks.append(chunk)

    def received(
        self, *, secret: bytes, operation: str, streamed: bool, removes: bool, was_cut: bool
    ) -> Received | None:
        """Return what the vendor sent, where the record of what was delivered lacks it."""
        head: dict[str, object] = {}
        if self.is_stream != (streamed and 200 <= self.http_status < 300):
            head["stream"] = self.is_stream
        if self.broke is not None:
            head["broke"] = [self.broke.code, self.broke.detail]
            if not self.was_sent:
                head["unsent"] = True
        if begins_with_error := self.is_stream and bool(self.body):
            head["gave_way"] = True
        unkept = ""
        if self.chunks_bytes > STREAM_KEPT:
            unkept = SIZE
        elif removes and was_cut:
            unkept = DETECTORS  # not all of it was looked at
        chunks = self.chunks
        if self.is_stream and secret and secret in (raw := b"".join(chunks)):
            chunks = [without(secret, raw)]
        wants_borders = len(chunks) > 1 and (self.has_fragments or begins_with_error)
        return Received(chunks, head, operation, wants_borders, unkept)

    def payload(self, ending: bytes) -> bytes:
        """Return what the agent was given, or is about to be."""
        if self.was_withheld:
            return b""
        if self.is_stream and not self.body:
            return b"".join([*self.delivered, ending])
        return self.body

    def usage(self, wire: Wire, body: CallBody, error: DomainError | None) -> Usage:
        """Return what the vendor reports; else a guess, if it has served anything."""
        if not wire.is_metered:
            return Usage()
        if self.report.usage is not None:
            return self.report.usage
        was_served = self.was_sent and not isinstance(error, VendorUnreachable)
        if not was_served or self.http_status >= 300:
            return Usage()
        if self.is_stream:
            events = EventSplitter(wire.hold).feed(b"".join(self.delivered))
            documents = [event.data for event in events if event.data]
        else:
            documents = [self.body]
        guessed = wire.guess(body, documents, self.report.so_far)
        goes_on = self.report.goes_on and (not self.is_stream or "background" in body.spans)
        # Who leaves before anything came cannot know what the vendor went on to make and bill.
        left_unseen = error is None and not (self.body or self.delivered or self.terminal)
        return replace(guessed, is_open=True) if goes_on or left_unseen else guessed
