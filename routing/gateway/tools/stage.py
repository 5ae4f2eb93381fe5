"""The tools of an answer, checked between the vendor and the agent.

Owns what is told of them: which tools the model called, in order, and which calls never
reached the agent. The names go into the result's facts; the arguments stay in its payload.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ledger.entries import Fact
from routing.gateway.deltas import dumped
from routing.gateway.relay import Asked, Stage
from routing.gateway.snapshot import Target
from routing.gateway.sse import Event
from routing.gateway.tools.called import MARKS, calls_in, without
from routing.gateway.tools.chat_stream import ChatCalls
from routing.gateway.tools.message_stream import MessageCalls
from routing.gateway.tools.naming import Tool
from routing.gateway.tools.response_stream import ResponseCalls
from routing.gateway.tools.ruling import STRIP, Ruling, blocked
from routing.gateway.tools.streams import CallStream
from routing.gateway.wires.wire import read_json

CALLS_KEPT: Final = 50
_STREAMS: Final[dict[str, type[CallStream]]] = {
    stream.operation: stream for stream in (ChatCalls, MessageCalls, ResponseCalls)
}
# A kept response is asked for later and reads like any other.
_READ: Final = {name: name for name in _STREAMS} | {
    "response_read": "responses",
    "response_cancel": "responses",
}


class ToolStage(Stage):
    """The tools of one attempt's answer."""

    def __init__(self, operation: str, ruling: Ruling) -> None:
        self._operation = reading = _READ[operation]
        self._ruling = ruling
        self._stream = _STREAMS[reading](ruling, self._note)
        self.called: list[str] = []
        self.refused: list[str] = []
        self._total = 0

    def whole(self, status: int, body: bytes) -> bytes:
        """Check a whole answer. Raises: ToolBlocked."""
        if status >= 400 or not any(mark in body for mark in MARKS[self._operation]):
            return body
        document = read_json(body)
        calls = calls_in(self._operation, document)
        for call in calls:
            self._note(call, self._ruling.lets(call))
        gone = [call for call in calls if not self._ruling.lets(call)]
        if not gone:
            return body
        if self._ruling.mode != STRIP or any(call.is_hosted for call in gone):
            raise blocked(call.label for call in gone)
        return dumped(without(self._operation, document, self._ruling.lets))

    def take(self, event: Event) -> list[Event]:
        """Check an event. Raises: ToolBlocked."""
        return self._stream.take(event)

    def finish(self) -> list[Event]:
        """Let go of what was held. Raises: ToolBlocked."""
        return self._stream.finish()

    def facts(self) -> Mapping[str, Fact]:
        """Say which tools were called, and which calls were kept back."""
        facts: dict[str, Fact] = {}
        if self.called:
            facts["tool_calls"] = [*self.called]
        if self._total > len(self.called):
            facts["tool_calls_count"] = self._total
        if self.refused:
            facts["tool_calls_refused"] = [*self.refused]
        return facts

    def _note(self, call: Tool, lets: bool) -> None:  # noqa: FBT001  one word of a callback
        self._total += 1
        if len(self.called) < CALLS_KEPT:
            self.called.append(call.label)
        if not lets and len(self.refused) < CALLS_KEPT and call.label not in self.refused:
            self.refused.append(call.label)


def tool_stage(asked: Asked, target: Target) -> Stage | None:
    """Return the stage of a call whose tools were ruled on."""
    if asked.ruling is None or asked.wire.operation not in _READ:
        return None
    return ToolStage(asked.wire.operation, asked.ruling)


def is_read(operation: str) -> bool:
    """Tell whether answers of this kind can call tools."""
    return operation in _READ
