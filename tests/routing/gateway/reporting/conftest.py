"""Agents that report, and what came of it."""

from __future__ import annotations

import gzip
import json
import secrets
import time
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.routing.gateway.conftest import (
    Got,
    agent,
    make_agent,
    other,
    other_scripted,
    rig,
    scripted,
    served,
    vendor,
    world,
)

__all__ = [
    "agent", "make_agent", "other", "other_scripted", "rig", "scripted", "served", "vendor",
    "world",
]  # fmt: skip

PROTOBUF = "application/x-protobuf"
STEP = {"type": "tool", "name": "crm.lookup", "arguments": {"id": 7}, "output": {"name": "Ada"}}


def report(agent: Any, run: str, document: Any, **headers: str) -> Got:
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    got: Got = agent.ask("POST", f"/api/v1/runs/{run}/entries", raw, **headers)
    return got


def reports(agent: Any) -> list[dict[str, Any]]:
    return [one for one in agent.entries() if one["kind"] == "report"]


def steps(agent: Any) -> list[dict[str, Any]]:
    rows = agent.world.query(
        "SELECT to_jsonb(r) FROM routing_reportedstep r WHERE agent_id = %s ORDER BY id",
        agent.row.public_id,
    )
    return [row[0] for row in rows]


def new_trace() -> str:
    return secrets.token_hex(16)


def value_of(said: Any) -> dict[str, Any]:
    match said:
        case bool():
            return {"boolValue": said}
        case int():
            return {"intValue": str(said)}
        case float():
            return {"doubleValue": said}
        case list():
            return {"arrayValue": {"values": [value_of(one) for one in said]}}
        case dict():
            return {"kvlistValue": {"values": attributes(said)}}
        case _:
            return {"stringValue": said}


def attributes(said: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": value_of(value)} for name, value in said.items()]


def span(
    name: str = "step", trace: str = "", said: dict[str, Any] | None = None, **over: Any
) -> Any:
    """Return a span as OTLP's JSON has it; one of a tool, unless its attributes say otherwise."""
    ended = time.time_ns()
    return {
        "traceId": trace or new_trace(),
        "spanId": secrets.token_hex(8),
        "name": name,
        "kind": 1,
        "startTimeUnixNano": str(ended - 250_000_000),
        "endTimeUnixNano": str(ended),
        "attributes": attributes(
            {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name}
            if said is None
            else said
        ),
        "status": {},
    } | over


def batch(*spans: Any, service: str = "biller") -> dict[str, Any]:
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": attributes({"service.name": service})},
                "scopeSpans": [{"scope": {"name": "test", "version": "1"}, "spans": [*spans]}],
            }
        ]
    }


def in_protobuf(document: dict[str, Any]) -> bytes:
    """Write a batch as the library writes it."""
    from google.protobuf.json_format import ParseDict

    copied = json.loads(json.dumps(document))
    for resource in copied["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for one in scope["spans"]:
                for name in ("traceId", "spanId", "parentSpanId"):
                    if name in one:
                        one[name] = _base64(one[name])
    raw: bytes = ParseDict(copied, ExportTraceServiceRequest()).SerializeToString()
    return raw


def _base64(text: str) -> str:
    import base64

    return base64.b64encode(bytes.fromhex(text)).decode()


def export(agent: Any, document: Any, *, packed: bool = False, **headers: str) -> Got:
    """Send a batch as exporters do: protobuf, gzip where they are told."""
    raw = document if isinstance(document, bytes) else in_protobuf(document)
    given = {"content_type": PROTOBUF} | headers
    if packed:
        raw, given = gzip.compress(raw), given | {"content_encoding": "gzip"}
    got: Got = agent.ask("POST", "/v1/traces", raw, **given)
    return got


def export_json(agent: Any, document: Any, **headers: str) -> Got:
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    got: Got = agent.ask("POST", "/v1/traces", raw, **headers)
    return got


def partial(got: Got) -> tuple[int, str]:
    """Return how many spans an answer says were not taken, and why."""
    read = ExportTraceServiceResponse()
    read.ParseFromString(got.body)
    return read.partial_success.rejected_spans, read.partial_success.error_message
