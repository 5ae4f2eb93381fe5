"""Anthropic's messages, and the counting of their tokens.

The input is reported when a stream begins and the output when it ends, so a stream that is
cut has a true input and a guessed output. Tokens written to a vendor's cache are input;
those read from it are cached input.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from kernel.errors import DomainError
from routing.gateway.body import CallBody, member_spans, read_flag, read_model, read_object
from routing.gateway.dialects import ANTHROPIC
from routing.gateway.errors import CallUnreadable
from routing.gateway.metering import Usage, count, count_in, reported_error, reported_model, short
from routing.gateway.wires.wire import Report, StreamReading, Verdict, Wire, read_json

_WORTH_READING: Final = (b'"message_start"', b'"message_delta"', b'"message_stop"', b'"error"')
_SAID: Final = ("text", "thinking", "partial_json")


class Messages(Wire):
    """``POST /v1/messages``."""

    operation = "messages"
    dialect = ANTHROPIC
    path = "/messages"
    maxima = ("max_tokens",)
    query = frozenset({"beta"})

    def read(self, raw: bytes) -> CallBody:
        value = read_object(raw, CallUnreadable)
        model = read_model(value, CallUnreadable)
        streams = read_flag(value, "stream", CallUnreadable)
        text = raw.decode()
        return CallBody(text, len(raw), model, streams=streams, spans=member_spans(text))

    def usage_of(self, document: Any) -> Usage | None:
        usage = document.get("usage") if isinstance(document, dict) else None
        if not isinstance(usage, dict):
            return None
        given, made = count(usage.get("input_tokens")), count(usage.get("output_tokens"))
        if given is None or made is None:
            return None
        written = count_in(usage, "cache_creation_input_tokens")
        cached = count_in(usage, "cache_read_input_tokens")
        return Usage(given + written + cached, made, cached)

    def report_of(self, document: dict[str, Any]) -> Report:
        report = super().report_of(document)
        report.response_id = short(document.get("id"))
        return report

    def reading(self, body: CallBody) -> StreamReading:
        return _MessageStream(self)

    def texts_of(self, document: Any) -> Iterable[str]:
        if not isinstance(document, dict):
            return
        content = document.get("content")
        for said in (document.get("delta"), *(content if isinstance(content, list) else ())):
            if isinstance(said, dict):
                yield from (text for key in _SAID if isinstance(text := said.get(key), str))

    def error_event(self, error: DomainError, report: Report, request_id: str) -> bytes:
        return b"event: error\ndata: " + self.dialect.error_body(error, request_id) + b"\n\n"


class _MessageStream(StreamReading):
    __slots__ = ("_wire",)

    def __init__(self, wire: Messages) -> None:
        super().__init__()
        self._wire = wire

    def take(self, data: bytes) -> Verdict:
        if not any(mark in data for mark in _WORTH_READING):
            return Verdict.PASS
        document = read_json(data)
        kind = document.get("type") if isinstance(document, dict) else None
        report = self.report
        if kind == "message_start":
            self._begin(document.get("message"))
        elif kind == "message_delta":
            self._settle(document.get("usage"))
        elif kind == "error":
            report.error_code = report.error_code or reported_error(document) or "error"
        return Verdict.END if kind == "message_stop" else Verdict.PASS

    def _begin(self, message: Any) -> None:
        if isinstance(message, dict):
            self.report.model = reported_model(message)
            self.report.response_id = short(message.get("id"))
            self.report.so_far = self._wire.usage_of(message)

    def _settle(self, usage: Any) -> None:
        """Take the final count; newer vendors repeat the input's in it, older ones do not."""
        report = self.report
        whole = self._wire.usage_of({"usage": usage})
        # A zero input is one that was left out.
        if whole is not None and (whole.input_tokens or report.so_far is None):
            report.usage = whole
            return
        made = count(usage.get("output_tokens")) if isinstance(usage, dict) else None
        if made is not None and report.so_far is not None:
            report.usage = replace(report.so_far, output_tokens=made)


class CountTokens(Wire):
    """``POST /v1/messages/count_tokens``: asks about a call and makes none."""

    operation = "count_tokens"
    dialect = ANTHROPIC
    path = "/messages/count_tokens"
    query = frozenset({"beta"})
    is_metered = False

    def read(self, raw: bytes) -> CallBody:
        model = read_model(read_object(raw, CallUnreadable), CallUnreadable)
        text = raw.decode()
        return CallBody(text, len(raw), model, streams=False, spans=member_spans(text))

    def usage_of(self, document: Any) -> Usage | None:
        return None

    def error_event(self, error: DomainError, report: Report, request_id: str) -> bytes:
        return b"event: error\ndata: " + self.dialect.error_body(error, request_id) + b"\n\n"
