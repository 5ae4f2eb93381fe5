"""OpenAI's chat completions.

A stream reports its usage only when asked, so the gateway always asks, and keeps the report
from an agent that did not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kernel.errors import DomainError
from routing.gateway.body import (
    CallBody,
    member_spans,
    read_flag,
    read_model,
    read_object,
    splice,
)
from routing.gateway.dialects import OPENAI
from routing.gateway.errors import NotAChatCall
from routing.gateway.metering import Usage, count, count_in, reported_error, reported_model, short
from routing.gateway.wires.wire import Report, StreamReading, Verdict, Wire, read_json


class Chat(Wire):
    """``POST /v1/chat/completions``."""

    operation = "chat"
    dialect = OPENAI
    path = "/chat/completions"
    maxima = ("max_completion_tokens", "max_tokens")

    def read(self, raw: bytes) -> CallBody:
        value = read_object(raw, NotAChatCall)
        model = read_model(value, NotAChatCall)
        streams = read_flag(value, "stream", NotAChatCall)
        options = value.get("stream_options")
        if options is not None and not isinstance(options, dict):
            raise NotAChatCall("stream_options must be an object.", param="stream_options")
        text = raw.decode()
        return CallBody(
            text=text,
            size=len(raw),
            model=model,
            streams=streams,
            spans=member_spans(text),
            reports_usage=bool(options and options.get("include_usage") is True),
        )

    def for_vendor(self, body: CallBody, model: str) -> bytes:
        edits = [body.named(model)]
        if body.streams and not body.reports_usage:
            edits.append(_usage_wish(body))
        return splice(body.text, edits).encode()

    def usage_of(self, document: Any) -> Usage | None:
        usage = document.get("usage") if isinstance(document, dict) else None
        if not isinstance(usage, dict):
            return None
        given, made = count(usage.get("prompt_tokens")), count(usage.get("completion_tokens"))
        if given is None or made is None:
            return None
        return Usage(given, made, count_in(usage.get("prompt_tokens_details"), "cached_tokens"))

    def report_of(self, document: dict[str, Any]) -> Report:
        report = super().report_of(document)
        report.response_id = short(document.get("id"))
        return report

    def reading(self, body: CallBody) -> StreamReading:
        return _ChatStream(self, body)

    def texts_of(self, document: Any) -> Iterable[str]:
        choices = document.get("choices") if isinstance(document, dict) else None
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict):
                yield from _texts(choice.get("message") or choice.get("delta"))

    def error_event(self, error: DomainError, report: Report, request_id: str) -> bytes:
        return b"data: " + self.dialect.error_body(error, request_id) + b"\n\n"


class _ChatStream(StreamReading):
    __slots__ = ("_was_asked", "_wire")

    def __init__(self, wire: Chat, body: CallBody) -> None:
        super().__init__()
        self._wire = wire
        self._was_asked = body.reports_usage or not body.streams

    def take(self, data: bytes) -> Verdict:
        report = self.report
        if data == b"[DONE]":
            return Verdict.END
        if report.model and b'"usage"' not in data and b'"error"' not in data:
            return Verdict.PASS
        document = read_json(data)
        report.model = report.model or reported_model(document)
        if not report.response_id and isinstance(document, dict):
            report.response_id = short(document.get("id"))
        report.error_code = report.error_code or reported_error(document)
        if (usage := self._wire.usage_of(document)) is None:
            return Verdict.PASS
        report.usage = usage
        is_extra = not self._was_asked and document.get("choices") == []
        return Verdict.DROP if is_extra else Verdict.PASS


def _usage_wish(body: CallBody) -> tuple[int, int, str]:
    text = body.text
    if "stream_options" not in body.spans:
        closing = text.rindex("}")
        return closing, closing, ',"stream_options":{"include_usage":true}'
    start, end = body.spans["stream_options"]
    if text[start] != "{":  # null
        return start, end, '{"include_usage":true}'
    inner = member_spans(text, start)
    if "include_usage" in inner:
        return (*inner["include_usage"], "true")
    return start + 1, start + 1, '"include_usage":true' + ("," if inner else "")


def _texts(said: Any) -> Iterable[str]:
    if not isinstance(said, dict):
        return
    for name in ("content", "reasoning_content", "refusal"):
        if isinstance(text := said.get(name), str):
            yield text
    calls = said.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict) and isinstance(text := function.get("arguments"), str):
            yield text
