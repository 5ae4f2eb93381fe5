"""What spans mean: OpenTelemetry's names for generative AI, OpenInference's, and their kin.

Owns the names, old ones and new ones, and which span is a step of an agent's work at all; the
others (HTTP, databases, queues) are passed over. Where names contradict, Langfuse's count
before OpenTelemetry's, those before OpenInference's, those before Traceloop's and Vercel's.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final

from routing.gateway.reporting.spans import Span
from routing.gateway.reporting.steps import LONGEST_WORD, MOST_TOKENS, OTLP, Step, moment_of

_LANGFUSE: Final = {
    "generation": "model", "embedding": "model", "tool": "tool", "retriever": "retrieval",
    "agent": "agent", "chain": "step", "span": "step", "guardrail": "decision",
    "evaluator": "decision", "event": "note",
}  # fmt: skip
_OPERATIONS: Final = {
    "chat": "model", "generate_content": "model", "text_completion": "model",
    "completion": "model", "embeddings": "model", "retrieval": "retrieval",
    "execute_tool": "tool", "invoke_agent": "agent", "invoke_workflow": "agent",
    "create_agent": "step", "plan": "step",
}  # fmt: skip
_OPENINFERENCE: Final = {
    "LLM": "model", "EMBEDDING": "model", "TOOL": "tool", "RETRIEVER": "retrieval",
    "RERANKER": "retrieval", "AGENT": "agent", "CHAIN": "step", "GUARDRAIL": "decision",
    "EVALUATOR": "decision", "PROMPT": "step", "UNKNOWN": "step",
}  # fmt: skip
_TRACELOOP: Final = {"workflow": "step", "task": "step", "agent": "agent", "tool": "tool"}
_KINDS: Final = (
    ("gen_ai.operation.name", _OPERATIONS),
    ("openinference.span.kind", _OPENINFERENCE),
    ("traceloop.span.kind", _TRACELOOP),
)

_RUN: Final = (
    "unsprawl.run", "langfuse.session.id", "session.id", "gen_ai.conversation.id",
    "traceloop.association.properties.session_id",
)  # fmt: skip
_NAMES: Final = {
    "tool": ("gen_ai.tool.name", "tool.name", "traceloop.entity.name", "ai.toolCall.name"),
    "agent": ("gen_ai.agent.name", "agent.name", "gen_ai.workflow.name", "traceloop.entity.name"),
    "step": ("traceloop.entity.name",),
}
_PROVIDER: Final = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system")
_MODEL: Final = (
    "langfuse.observation.model.name", "gen_ai.request.model", "llm.request.model_name",
    "llm.model_name", "embedding.model_name", "reranker.model_name", "ai.model.id",
)  # fmt: skip
_REPORTED_MODEL: Final = ("gen_ai.response.model", "llm.response.model_name", "ai.response.model")
_RESPONSE: Final = ("gen_ai.response.id", "llm.response.id", "ai.response.id")
_INPUT_TOKENS: Final = (
    "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt",
    "llm.usage.prompt_tokens", "ai.usage.inputTokens", "ai.usage.promptTokens",
)  # fmt: skip
_OUTPUT_TOKENS: Final = (
    "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion",
    "llm.usage.completion_tokens", "ai.usage.outputTokens", "ai.usage.completionTokens",
)  # fmt: skip
_CACHED_TOKENS: Final = (
    "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens",
    "llm.token_count.prompt_details.cache_read", "ai.usage.cachedInputTokens",
)  # fmt: skip
_COST: Final = ("llm.cost.total", "gen_ai.usage.cost", "gen_ai.usage.total_cost")
_ARGUMENTS: Final = (
    "langfuse.observation.input", "gen_ai.tool.call.arguments", "gen_ai.input.messages",
    "gen_ai.prompt", "input.value", "traceloop.entity.input", "ai.toolCall.args",
    "ai.prompt.messages", "ai.prompt",
)  # fmt: skip
_OUTPUT: Final = (
    "langfuse.observation.output", "gen_ai.tool.call.result", "gen_ai.output.messages",
    "gen_ai.completion", "output.value", "traceloop.entity.output", "ai.toolCall.result",
    "ai.response.text",
)  # fmt: skip
_CALL_ID: Final = ("gen_ai.tool.call.id", "tool_call.id", "ai.toolCall.id")
_OPERATION: Final = ("gen_ai.operation.name", "llm.request.type", "ai.operationId")
_PREFIXES: Final = ("execute_tool ", "invoke_agent ")
_LONGEST_ANSWER: Final = 64 * 1024
_ERROR: Final = 2


def step_of(span: Span) -> Step | None:
    """Return the step that a span tells of; None for one that tells of none."""
    said = span.attributes
    kind = _type_of(said)
    if kind is None:
        return None
    step = Step(
        type=kind,
        name=_name_of(kind, span),
        source=OTLP,
        report_key=f"span:{span.trace_id}:{span.span_id}",
        label=_first_text(said, _RUN),
        status=_status_of(span),
        error=_error_of(span),
        started_at=moment_of(span.started_ns),
        ended_at=moment_of(span.ended_ns),
        parent=span.parent_id,
        trace_id=span.trace_id,
        span_id=span.span_id,
        words=_words_of(span),
        is_cut=span.is_cut,
    )
    if kind == "model":
        # An agent's or a chain's span repeats what its model calls used.
        _note_model(step, said)
    step.content = _content_of(span)
    return step


def _type_of(said: Mapping[str, Any]) -> str | None:
    if found := _LANGFUSE.get(_text(said.get("langfuse.observation.type")).lower()):
        return found
    for name, types in _KINDS:
        if kind := _text(said.get(name)):
            return types.get(kind, types.get(kind.upper(), "step"))
    if (operation := _text(said.get("ai.operationId"))).startswith("ai."):
        return _vercel(operation)
    if said.get("mcp.method.name") == "tools/call" or "gen_ai.tool.name" in said:
        return "tool"
    is_model = _first_text(said, _PROVIDER) or "llm.request.type" in said
    return "model" if is_model and _first_text(said, _MODEL) else None


def _vercel(operation: str) -> str:
    if operation == "ai.toolCall":
        return "tool"
    return "model" if operation.endswith((".doGenerate", ".doStream", ".doEmbed")) else "step"


def _name_of(kind: str, span: Span) -> str:
    name = _first_text(span.attributes, _NAMES.get(kind, ()))
    if not name:
        name = span.name
        for prefix in _PREFIXES:
            name = name.removeprefix(prefix)
    return name or kind


def _status_of(span: Span) -> str:
    if span.status == _ERROR or "error.type" in span.attributes:
        return "error"
    return "ok" if span.status == 1 else ""


def _error_of(span: Span) -> str:
    if found := _text(span.attributes.get("error.type")):
        return found
    for event in span.events:
        if event.name == "exception":
            return _text(event.attributes.get("exception.type"))
    return ""


def _words_of(span: Span) -> dict[str, str]:
    said = span.attributes
    words = {
        "operation": _first_text(said, _OPERATION),
        "tool_call_id": _first_text(said, _CALL_ID),
        "service": _text(span.scope.resource.get("service.name")),
        "instrumentation": f"{span.scope.name} {span.scope.version}".strip()[:LONGEST_WORD],
    }
    return {name: word for name, word in words.items() if word}


def _note_model(step: Step, said: Mapping[str, Any]) -> None:
    step.provider = _first_text(said, _PROVIDER)
    step.model = _first_text(said, _MODEL)
    step.reported_model = _first_text(said, _REPORTED_MODEL)
    step.response_id = _first_text(said, _RESPONSE) or _id_in(said)
    step.input_tokens = _first_count(said, _INPUT_TOKENS)
    step.output_tokens = _first_count(said, _OUTPUT_TOKENS)
    step.cached_tokens = _first_count(said, _CACHED_TOKENS)
    for name in _COST:
        cost = said.get(name)
        if isinstance(cost, int | float) and math.isfinite(cost) and 0 <= cost < 1e9:
            step.cost_micros = round(cost * 1_000_000)
            break


def _id_in(said: Mapping[str, Any]) -> str:
    """Find the vendor's id in an answer that was kept whole, as OpenInference keeps it."""
    answer = said.get("output.value")
    if not isinstance(answer, str) or not answer.startswith("{") or len(answer) > _LONGEST_ANSWER:
        return ""
    try:
        document = json.loads(answer)
    except (ValueError, RecursionError):
        return ""
    found = _text(document.get("id"))
    if found:
        return found
    # A framework keeps it with the message that the answer became.
    output = document.get("llm_output")
    return _text(output.get("id")) if isinstance(output, dict) else ""


def _content_of(span: Span) -> dict[str, Any]:
    rest = dict(span.attributes)
    content: dict[str, Any] = {}
    for member, names in (("arguments", _ARGUMENTS), ("output", _OUTPUT)):
        for name in names:
            if name in rest:
                content[member] = rest.pop(name)
                break
    if rest:
        content["attributes"] = rest
    if span.events:
        content["events"] = [
            {"name": one.name, "at_ns": one.at_ns, "attributes": dict(one.attributes)}
            for one in span.events
        ]
    if span.status_message:
        content["status_message"] = span.status_message
    return content


def _first_text(said: Mapping[str, Any], names: tuple[str, ...]) -> str:
    for name in names:
        if name in said and (found := _text(said[name])):
            return found
    return ""


def _first_count(said: Mapping[str, Any], names: tuple[str, ...]) -> int:
    for name in names:
        value = said.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS:
            return value
    return 0


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
