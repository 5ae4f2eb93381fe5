"""OpenAI's embeddings: never streamed, and only the input costs."""

from __future__ import annotations

from typing import Any

from kernel.errors import DomainError
from routing.gateway.body import CallBody, member_spans, read_model, read_object
from routing.gateway.dialects import OPENAI
from routing.gateway.errors import CallUnreadable
from routing.gateway.metering import Usage, count
from routing.gateway.wires.wire import Report, Wire


class Embeddings(Wire):
    """``POST /v1/embeddings``."""

    operation = "embeddings"
    dialect = OPENAI
    path = "/embeddings"
    has_output = False

    def read(self, raw: bytes) -> CallBody:
        model = read_model(read_object(raw, CallUnreadable), CallUnreadable)
        text = raw.decode()
        return CallBody(text, len(raw), model, streams=False, spans=member_spans(text))

    def usage_of(self, document: Any) -> Usage | None:
        usage = document.get("usage") if isinstance(document, dict) else None
        given = count(usage.get("prompt_tokens")) if isinstance(usage, dict) else None
        return None if given is None else Usage(given)

    def error_event(self, error: DomainError, report: Report, request_id: str) -> bytes:
        return b"data: " + self.dialect.error_body(error, request_id) + b"\n\n"
