"""Traces: which one a call belongs to, and what the spans of a call and its attempts say.

Owns the names, which are OpenTelemetry's for generative AI (still in development there), and
what may be in a span: names of ours, figures and ids. Never a body, a header's value or a key.
Where spans go is the business of whoever takes them; without somebody who does, a call costs
one look for a header.
"""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

from ledger.entries import Fact
from routing.gateway.labels import label_of
from routing.gateway.requests import Request

if TYPE_CHECKING:
    from routing.gateway.errand import Trace
    from routing.gateway.recording.attempt import Attempt, Outcome

SERVER: Final = 2
CLIENT: Final = 3
_LONGEST_STATE: Final = 512
_TRACEPARENT: Final = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)
_STATE: Final = re.compile(rb"[\x20-\x7e]*")
_OPERATIONS: Final = {"chat": "chat", "responses": "chat", "messages": "chat"}
# What OpenTelemetry calls those it knows, by the end of their address.
_PROVIDERS: Final = {
    "api.openai.com": "openai",
    "api.anthropic.com": "anthropic",
    "openai.azure.com": "azure.ai.openai",
    "services.ai.azure.com": "azure.ai.inference",
    "amazonaws.com": "aws.bedrock",
    "api.aws": "aws.bedrock",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "aiplatform.googleapis.com": "gcp.vertex_ai",
    "api.mistral.ai": "mistral_ai",
    "api.cohere.com": "cohere",
    "api.x.ai": "x_ai",
    "api.groq.com": "groq",
    "api.deepseek.com": "deepseek",
}

Value = str | int | bool


@dataclass(frozen=True, slots=True)
class SpanContext:
    """The trace a call belongs to, and the call's own place in it."""

    trace_id: str
    span_id: str
    parent_id: str = ""
    is_sampled: bool = True
    state: str = ""

    @property
    def caller(self) -> str:
        """The agent's own span around the call: its trace and its id; empty where there is none."""
        return f"{self.trace_id}-{self.parent_id}" if self.parent_id else ""

    def add_to(self, headers: dict[str, str], span_id: str) -> None:
        """Make what a vendor records of a request a child of a span of ours."""
        headers["traceparent"] = f"00-{self.trace_id}-{span_id}-{int(self.is_sampled):02x}"
        if self.state:
            headers["tracestate"] = self.state

    def facts(self, span_id: str = "") -> dict[str, Fact]:
        return {"trace_id": self.trace_id, "span_id": span_id or self.span_id}


@dataclass(frozen=True, slots=True)
class Span:
    """One piece of work, over. ``failed_with`` is empty when it did not fail."""

    name: str
    kind: int
    context: SpanContext
    span_id: str
    parent_id: str
    started_ns: int
    ended_ns: int
    attributes: Mapping[str, Value] = field(default_factory=dict)
    failed_with: str = ""


class Sink(Protocol):
    """Takes spans. Never waits, never raises."""

    def take(self, span: Span) -> None: ...


def new_span_id() -> str:
    """Return an id that no other span has."""
    return os.urandom(8).hex()


class Tracer:
    """Gives calls their place in a trace, and tells what became of them."""

    def __init__(self, sink: Sink | None = None, share: float = 1.0) -> None:
        self._sink = sink
        self._share = share

    def begin(self, request: Request) -> SpanContext | None:
        """Return the place of a call: under the agent's span, in a new trace, or in none."""
        said = request.headers.get(b"traceparent")
        if said is None and self._sink is None:
            return None
        found = _TRACEPARENT.fullmatch(said.strip()) if said is not None else None
        if found is None or b"traceparent" in request.repeated:
            # Whoever says nothing that can be understood begins nothing (W3C Trace Context 3.2).
            return self._new() if self._sink is not None else None
        return SpanContext(
            found[1].decode(),
            new_span_id(),
            found[2].decode(),
            bool(int(found[3], 16) & 1),
            _state_of(request),
        )

    def _new(self) -> SpanContext:
        is_sampled = self._share >= 1 or random.random() < self._share  # noqa: S311  no secret
        return SpanContext(os.urandom(16).hex(), new_span_id(), is_sampled=is_sampled)

    def note_call(
        self, operation: str, request: Request, trace: Trace, *, status: int, error: str
    ) -> None:
        """Tell of a call that has been answered."""
        context = trace.span
        if self._sink is None or context is None or not context.is_sampled:
            return
        attributes: dict[str, Value] = {
            "gen_ai.operation.name": _OPERATIONS.get(operation, operation),
            "http.request.method": request.method if request.method in _METHODS else "_OTHER",
            "http.response.status_code": status,
        }
        _add(
            attributes,
            ("gen_ai.request.model", trace.route),
            ("gen_ai.conversation.id", trace.run_id),
            ("unsprawl.run", trace.run_id),
            ("unsprawl.entry", trace.entry_id),
            ("error.type", error),
        )
        started = int(request.received_at.timestamp() * 1e9)
        ended = started + int((time.perf_counter() - request.started) * 1e9)
        self._sink.take(
            Span(
                f"{attributes['gen_ai.operation.name']} {trace.route}".rstrip(),
                SERVER,
                context,
                context.span_id,
                context.parent_id,
                started,
                ended,
                attributes,
                error,
            )
        )

    def note_attempt(self, attempt: Attempt, outcome: Outcome) -> None:
        """Tell of an attempt that has ended."""
        context = attempt.subject.span
        if self._sink is None or context is None or not context.is_sampled:
            return
        error = "" if outcome.status == "ok" else label_of(outcome.error_code or outcome.status)
        name = _OPERATIONS.get(attempt.operation, attempt.operation)
        model = attempt.target.model.name
        started = int(attempt.started_at.timestamp() * 1e9)
        self._sink.take(
            Span(
                f"{name} {model}",
                CLIENT,
                context,
                attempt.span_id,
                context.span_id,
                started,
                started + outcome.duration_ms * 1_000_000,
                _said_of(name, attempt, outcome, error),
                error,
            )
        )


_METHODS: Final = frozenset({"GET", "POST", "DELETE", "HEAD", "PUT", "PATCH", "OPTIONS"})


def _said_of(name: str, attempt: Attempt, outcome: Outcome, error: str) -> dict[str, Value]:
    vendor, usage = attempt.target.vendor, outcome.usage
    place, port, provider = _place_of(vendor.base_url)
    said: dict[str, Value] = {
        "gen_ai.operation.name": name,
        "gen_ai.provider.name": provider or vendor.name,
        "gen_ai.request.model": attempt.target.model.name,
        "gen_ai.request.stream": attempt.streamed,
        "gen_ai.usage.input_tokens": usage.input_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "server.address": place,
        "server.port": port,
        "unsprawl.vendor": vendor.name,
        "unsprawl.route": attempt.route,
        "unsprawl.entry": attempt.entry_id,
        "unsprawl.attempt": attempt.number,
    }
    _add(
        said,
        ("gen_ai.agent.id", attempt.subject.agent_id),
        ("gen_ai.conversation.id", attempt.subject.stream if attempt.subject.run else ""),
        ("gen_ai.response.model", outcome.reported_model),
        ("gen_ai.response.id", outcome.response_id),
        ("gen_ai.usage.cache_read.input_tokens", usage.cached_tokens),
        ("http.response.status_code", outcome.http_status),
        ("unsprawl.first_byte_ms", outcome.first_byte_ms or 0),
        ("unsprawl.region", attempt.target.region),
        ("unsprawl.fallback_reason", attempt.fallback_reason),
        ("unsprawl.usage_estimated", usage.is_estimated),
        ("error.type", error),
    )
    return said


def _add(said: dict[str, Value], *pairs: tuple[str, Value]) -> None:
    said.update((name, value) for name, value in pairs if value)


@lru_cache(1024)
def _place_of(base_url: str) -> tuple[str, int, str]:
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    known = (name for end, name in _PROVIDERS.items() if host == end or host.endswith(f".{end}"))
    return host, port, next(known, "")


def _state_of(request: Request) -> str:
    said = request.headers.get(b"tracestate", b"")
    if b"tracestate" in request.repeated or len(said) > _LONGEST_STATE:
        return ""
    return said.decode() if _STATE.fullmatch(said) else ""
