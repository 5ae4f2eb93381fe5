"""The first lines of code for every client that the gateway serves.

Each is complete: with a key in its place it runs. Nothing is added to a client; only the
address, the key and the route's name are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

PLACEHOLDER = "usp_PASTE_YOUR_KEY"


@dataclass(frozen=True, slots=True)
class Snippet:
    """Code for one client, and a word about it."""

    label: str
    code: str
    note: str = ""


def snippets(gateway: str, route: str, key: str = PLACEHOLDER) -> list[Snippet]:
    """Return the snippets for one route, the quickest to try first."""
    base = f"{gateway.rstrip('/')}/v1"
    return [
        Snippet("curl", _curl(base, route, key), "Any shell."),
        Snippet("Python", _python(base, route, key), "pip install openai"),
        Snippet("Node", _node(base, route, key), "npm install openai"),
        Snippet("LangChain", _langchain(base, route, key), "pip install langchain-openai"),
        Snippet(
            "Environment",
            _environment(base, key),
            "For anything that reads the usual variables: no line of code changes.",
        ),
        Snippet(
            "Tracing",
            _tracing(gateway.rstrip("/"), key),
            "Already tracing with OpenTelemetry, OpenInference or OpenLLMetry? Set these variables:"
            " tools and steps outside the gateway are on record, too.",
        ),
    ]


def _curl(base: str, route: str, key: str) -> str:
    return f"""curl {base}/chat/completions \\
  -H "Authorization: Bearer {key}" \\
  -H "Content-Type: application/json" \\
  -d '{{"model": "{route}", "messages": [{{"role": "user", "content": "Hello"}}]}}'"""


def _python(base: str, route: str, key: str) -> str:
    return f"""from openai import OpenAI

client = OpenAI(base_url="{base}", api_key="{key}")
answer = client.chat.completions.create(
    model="{route}",
    messages=[{{"role": "user", "content": "Hello"}}],
    extra_headers={{"x-unsprawl-run": "first-run"}},  # optional: groups calls into a run
)
print(answer.choices[0].message.content)"""


def _node(base: str, route: str, key: str) -> str:
    return f"""import OpenAI from "openai";

const client = new OpenAI({{ baseURL: "{base}", apiKey: "{key}" }});
const answer = await client.chat.completions.create({{
  model: "{route}",
  messages: [{{ role: "user", content: "Hello" }}],
}});
console.log(answer.choices[0].message.content);"""


def _langchain(base: str, route: str, key: str) -> str:
    return f"""from langchain_openai import ChatOpenAI

model = ChatOpenAI(base_url="{base}", api_key="{key}", model="{route}")
print(model.invoke("Hello").content)"""


def _environment(base: str, key: str) -> str:
    return f"""export OPENAI_BASE_URL="{base}"
export OPENAI_API_KEY="{key}\""""


def _tracing(gateway: str, key: str) -> str:
    return f"""export OTEL_EXPORTER_OTLP_ENDPOINT="{gateway}"
export OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20{key}"
export OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf\""""
