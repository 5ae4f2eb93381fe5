"""Agents that trace, or are traced, by other people's instrumentations, unchanged.

Each is a program without a word about traces, started by ``opentelemetry-instrument``. It is
told where, and with which key, in OpenTelemetry's own variables, and is on record.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from bench.gateway.rig import Rig
from tests.clients import installed
from tests.clients.conftest import PROGRAMS, missing
from tests.routing.gateway.conftest import Agent
from tests.routing.gateway.scripted import COMPLETION, STREAM, ScriptedVendor, answer, stream
from tests.routing.gateway.test_streams import open_payload

pytestmark = [pytest.mark.clients, pytest.mark.slow, pytest.mark.xdist_group("clients-b")]

# All that are installed here, by the names under which they are started from outside. Three are
# called openai.
BY_NAME = {"langchain", "openai", "httpx", "httpx2", "requests", "urllib3"}
OPENAI = {
    "OpenInference": "openinference.instrumentation.openai",
    "OpenTelemetry": "opentelemetry.instrumentation.openai_v2",
    "OpenLLMetry": "opentelemetry.instrumentation.openai",
}
CALL = {
    "id": "call_1", "type": "function",
    "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'},
}  # fmt: skip
Start = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def traced(
    agent: Agent,
    python_with: Callable[[str], Path],
    run: Callable[..., CompletedProcess[str]],
) -> Start:
    """Run a program with some instrumentations; return what is on record of what it reported."""

    def start(
        program: str, *names: str, module: str = "none", reporting_key: str = ""
    ) -> list[dict[str, Any]]:
        done = run(
            python_with("tracing"),
            PROGRAMS / "instrumented.py",
            module,
            PROGRAMS / program,
            MODEL=agent.route,
            OPENAI_BASE_URL=f"http://127.0.0.1:{agent.port}/v1",
            OPENAI_API_KEY=agent.key,
            # What a reader of the guide sets:
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{agent.port}",
            OTEL_EXPORTER_OTLP_HEADERS=f"authorization=Bearer%20{reporting_key or agent.key}",
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
            OTEL_METRICS_EXPORTER="none",
            OTEL_LOGS_EXPORTER="none",
            OTEL_SERVICE_NAME="weather",
            # OpenTelemetry's own sends what was said as logs, unless it is told otherwise.
            OTEL_SEMCONV_STABILITY_OPT_IN="gen_ai_latest_experimental",
            OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="SPAN_ONLY",
            OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=",".join(sorted(BY_NAME - {*names})),
        )
        assert done.returncode == 0, done.stderr
        return [entry for entry in agent.entries() if entry["kind"] == "report"]

    return start


def loop() -> Any:
    """Answer with a call of the tool first, and with words once its result is there."""
    asks = answer(COMPLETION | {"id": "chatcmpl-asks", "choices": [{
        "index": 0, "finish_reason": "tool_calls",
        "message": {"role": "assistant", "content": None, "tool_calls": [CALL]},
    }]})  # fmt: skip
    ends = answer(COMPLETION | {"id": "chatcmpl-ends"})

    async def script(seen: Any, writer: Any) -> None:
        has_result = any(one["role"] == "tool" for one in seen.json["messages"])
        await (ends if has_result else asks)(seen, writer)

    return script


def plain_or_streamed() -> Any:
    async def script(seen: Any, writer: Any) -> None:
        await (stream(STREAM) if seen.json.get("stream") else answer())(seen, writer)

    return script


def intents(agent: Agent) -> dict[str, str]:
    """Return the intent of each answer, by the vendor's id of it."""
    return {
        entry["facts"]["response_id"]: entry["intent"]
        for entry in agent.entries()
        if entry["kind"] == "result"
    }


def test_an_agent_of_langchain_with_openinference(
    agent: Agent, vendor: ScriptedVendor, traced: Start, rig: Rig
) -> None:
    vendor.script = loop()
    reported = traced("plain_agent.py", "langchain")
    tool = next(one for one in reported if one["verb"] == "tool.reported")
    assert (tool["facts"]["name"], tool["facts"]["service"]) == ("get_weather", "weather")
    kept = json.loads(open_payload(rig, agent.world, tool))
    assert "Paris" in kept["arguments"]
    assert "21 degrees in Paris" in kept["output"]
    models = [one["facts"] for one in reported if one["verb"] == "model_call.reported"]
    # Both calls went through the gateway: they are tied to what it saw, and counted there.
    assert [one["observed"] for one in models] == [*intents(agent).values()]
    assert len(models) == 2
    assert len({one["stream"] for one in reported}) == 1


@pytest.mark.parametrize("convention", [*OPENAI])
def test_calls_by_themselves(
    agent: Agent, vendor: ScriptedVendor, traced: Start, rig: Rig, convention: str
) -> None:
    vendor.script = plain_or_streamed()
    plain, streamed = traced("plain_calls.py", "httpx", "httpx2", module=OPENAI[convention])
    for one, words in ((plain, "Hello."), (streamed, "Hello")):
        assert one["verb"] == "model_call.reported"
        assert one["facts"]["provider"] == "openai"
        assert words in open_payload(rig, agent.world, one).decode()
    assert (plain["facts"]["input_tokens"], plain["facts"]["output_tokens"]) == (9, 3)
    # By the spans that httpx hands on in traceparent, and in the runs that those made.
    seen = [entry for entry in agent.entries() if entry["kind"] == "intent"]
    assert [one["facts"]["observed"] for one in (plain, streamed)] == [one["id"] for one in seen]
    assert [one["stream"] for one in (plain, streamed)] == [one["stream"] for one in seen]


def test_a_wrong_key_stops_no_agent(
    agent: Agent, vendor: ScriptedVendor, traced: Start, rig: Rig
) -> None:
    vendor.script = loop()
    assert traced("plain_agent.py", "langchain", reporting_key="usp_wrong") == []
    assert len(agent.calls()) == 2


@pytest.mark.parametrize("kind", ["http", "proto"])
@pytest.mark.parametrize("packed", ["none", "gzip"])
def test_the_exporters_for_node(
    agent: Agent,
    rig: Rig,
    tmp_path: Path,
    run: Callable[..., CompletedProcess[str]],
    kind: str,
    packed: str,
) -> None:
    """``http`` speaks JSON, ``proto`` protobuf."""
    try:
        packages = installed.node("node_tracing")
    except installed.NotInstallable as reason:
        missing(reason)
    (tmp_path / "node_modules").symlink_to(packages / "node_modules")
    script = tmp_path / "traced.mjs"
    script.write_text((PROGRAMS / "traced_node.mjs").read_text(encoding="utf-8"), encoding="utf-8")
    done = run(
        shutil.which("node"),
        script,
        KIND=kind,
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{agent.port}",
        OTEL_EXPORTER_OTLP_HEADERS=f"authorization=Bearer%20{agent.key}",
        OTEL_EXPORTER_OTLP_COMPRESSION=packed,
    )
    assert done.returncode == 0, done.stderr
    tool, whole = [entry for entry in agent.entries() if entry["kind"] == "report"]
    assert (whole["facts"]["name"], whole["facts"]["type"]) == ("helper", "agent")
    assert tool["facts"]["parent"] == whole["facts"]["span_id"]
    assert (tool["facts"]["error"], tool["facts"]["instrumentation"]) == (
        "TypeError", "node-agent 1.0",
    )  # fmt: skip
    assert "Forlì 🎉" in open_payload(rig, agent.world, tool).decode()
