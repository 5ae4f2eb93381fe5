"""OpenAI's responses, and what may be asked later of those that a vendor keeps.

A kept response is reached with its id alone, and all agents share a vendor's account: so a
call that names one is let through only for the agent that made it, and only to the vendor
that keeps it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import orjson

from kernel.errors import DomainError, Malformed
from routing.gateway.body import CallBody, member_spans, read_flag, read_model, read_object
from routing.gateway.dialects import OPENAI, wire_code
from routing.gateway.errors import CallUnreadable, ConversationNotServed
from routing.gateway.metering import (
    Usage,
    count,
    count_in,
    reported_error,
    reported_model,
    short,
)
from routing.gateway.wires.wire import Report, StreamReading, Verdict, Wire, read_json

_ENDS: Final = {
    "response.completed": "",
    "response.incomplete": "",
    "response.failed": "response_failed",
}
_WORTH_READING: Final = (
    b"response.completed", b"response.incomplete", b"response.failed", b'"error"',
)  # fmt: skip
# The event that completes a stream repeats the whole response, pictures included.
_WHOLE_RESPONSE: Final = 32 * 1024 * 1024


class PreviousResponseNotFound(Malformed):
    """Raised when a call builds on a response that this agent did not get."""

    code = "routing.previous_response_not_found"
    title = "The previous response is not one of this agent's"


class Responses(Wire):
    """``POST /v1/responses``."""

    operation = "responses"
    dialect = OPENAI
    path = "/responses"
    maxima = ("max_output_tokens",)
    hold = _WHOLE_RESPONSE

    def read(self, raw: bytes) -> CallBody:
        value = read_object(raw, CallUnreadable)
        model = read_model(value, CallUnreadable)
        if value.get("conversation") is not None:
            raise ConversationNotServed(
                "conversation names something that the vendor keeps and any agent could name."
                " Build on the last answer instead, with previous_response_id.",
                param="conversation",
            )
        previous = value.get("previous_response_id")
        if previous is not None and not isinstance(previous, str):
            raise CallUnreadable(
                "previous_response_id must be a text.", param="previous_response_id"
            )
        text = raw.decode()
        return CallBody(
            text=text,
            size=len(raw),
            model=model,
            streams=read_flag(value, "stream", CallUnreadable),
            spans=member_spans(text),
            refers_to=previous or "",
        )

    def usage_of(self, document: Any) -> Usage | None:
        usage = document.get("usage") if isinstance(document, dict) else None
        if not isinstance(usage, dict):
            return None
        given, made = count(usage.get("input_tokens")), count(usage.get("output_tokens"))
        if given is None or made is None:
            return None
        return Usage(given, made, count_in(usage.get("input_tokens_details"), "cached_tokens"))

    def report_of(self, document: dict[str, Any]) -> Report:
        report = Report()
        self.note(report, document)
        return report

    def note(self, report: Report, response: Any) -> None:
        """Take over what a response object says of itself."""
        if not isinstance(response, dict):
            return
        report.usage = self.usage_of(response) or report.usage
        report.model = report.model or reported_model(response)
        report.error_code = report.error_code or reported_error(response)
        report.response_id = report.response_id or short(response.get("id"))
        report.goes_on = response.get("status") in {"queued", "in_progress"}
        report.is_kept = bool(report.response_id) and response.get("store") is not False

    def reading(self, body: CallBody) -> StreamReading:
        return _ResponseStream(self)

    def texts_of(self, document: Any) -> Iterable[str]:
        if not isinstance(document, dict):
            return
        if isinstance(delta := document.get("delta"), str):
            yield delta
        output = document.get("output")
        for item in output if isinstance(output, list) else ():
            if isinstance(item, dict):
                yield from _item_texts(item)

    def error_event(self, error: DomainError, report: Report, request_id: str) -> bytes:
        # Flat as the vendor's own, and nested as well: without that its clients raise nothing.
        document = {
            "type": "error",
            "sequence_number": report.events,
            "code": wire_code(error),
            "message": error.detail,
            "param": None,
            "error": self.dialect.error_object(error),
        }
        return b"event: error\ndata: " + orjson.dumps(document, default=str) + b"\n\n"

    def unknown_reference(self, name: str) -> DomainError:
        return PreviousResponseNotFound(
            f"Previous response with id '{name[:200]}' not found.", param="previous_response_id"
        )


class _ResponseStream(StreamReading):
    __slots__ = ("_wire",)

    def __init__(self, wire: Responses) -> None:
        super().__init__()
        self._wire = wire

    def take(self, data: bytes) -> Verdict:
        report = self.report
        report.events += 1
        if report.response_id and not any(mark in data for mark in _WORTH_READING):
            return Verdict.PASS
        document = read_json(data)
        if not isinstance(document, dict):
            return Verdict.PASS
        kind = document.get("type")
        self._wire.note(report, document.get("response"))
        if kind == "error":
            nested = document.get("error")
            said = short(document.get("code")) or (reported_error(document) if nested else "")
            report.error_code = report.error_code or said or "error"
        if kind not in _ENDS:
            return Verdict.PASS
        report.error_code = report.error_code or _ENDS[kind]
        return Verdict.END


class KeptResponse(Responses):
    """What may be asked of one kept response: read it, its input; cancel it; delete it."""

    is_metered = False
    is_lasting = False
    query = frozenset(
        {"include", "include[]", "include_obfuscation", "stream", "starting_after",
         "limit", "order", "after", "before"}
    )  # fmt: skip

    def __init__(self, operation: str, method: str, response_id: str, suffix: str = "") -> None:
        self.operation = operation
        self.method = method
        self.path = f"/responses/{response_id}{suffix}"
        self._response_id = response_id

    def read(self, raw: bytes) -> CallBody:
        return CallBody(
            text=raw.decode("utf-8", "replace"),
            size=len(raw),
            model="",
            streams=False,
            spans={},
            refers_to=self._response_id,
        )

    def for_vendor(self, body: CallBody, model: str) -> bytes:
        return b""

    def note(self, report: Report, response: Any) -> None:
        # That the response failed is no fault of this call, and it is remembered already.
        before = report.error_code
        super().note(report, response)
        report.error_code, report.is_kept = before, False

    def unknown_reference(self, name: str) -> DomainError:
        return Wire.unknown_reference(self, name)


def _item_texts(item: dict[str, Any]) -> Iterable[str]:
    if isinstance(arguments := item.get("arguments"), str):
        yield arguments
    for name in ("content", "summary"):
        parts = item.get(name)
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, dict):
                yield from (
                    text for key in ("text", "refusal") if isinstance(text := part.get(key), str)
                )
