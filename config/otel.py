"""Where traces go, read from OpenTelemetry's own variables. Nothing is sent without an address."""

from __future__ import annotations

import tomllib
from urllib.parse import unquote

from config.env import Env
from config.places import BASE_DIR
from routing.otlp import OtlpSettings


def otlp_from(env: Env) -> OtlpSettings | None:
    """Return where spans go; None when they go nowhere. Problems are collected."""
    base = env.text("OTEL_EXPORTER_OTLP_ENDPOINT")
    own = env.text("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    if env.boolean("OTEL_SDK_DISABLED", default=False) or not (base or own):
        return None
    if own:
        address = env.url("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://none")
    else:
        address = env.url("OTEL_EXPORTER_OTLP_ENDPOINT", "http://none") + "/v1/traces"
    if env.text("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json") != "http/json":
        env.problems.append(
            "OTEL_EXPORTER_OTLP_PROTOCOL must be http/json or unset: collectors take it where"
            " they take http/protobuf, on port 4318."
        )
    name = env.text("OTEL_SERVICE_NAME", "unsprawl-gateway")
    resource = _pairs(env, "OTEL_RESOURCE_ATTRIBUTES", env.text("OTEL_RESOURCE_ATTRIBUTES"))
    return OtlpSettings(
        address=address,
        headers=_pairs(env, "OTEL_EXPORTER_OTLP_HEADERS", env.secret("OTEL_EXPORTER_OTLP_HEADERS")),
        resource={"service.version": _release(), **resource, "service.name": name},
        timeout_seconds=env.integer("OTEL_EXPORTER_OTLP_TIMEOUT", 10_000, minimum=1) / 1000,
        delay_seconds=env.integer("OTEL_BSP_SCHEDULE_DELAY", 5_000, minimum=10) / 1000,
        queue=env.integer("OTEL_BSP_MAX_QUEUE_SIZE", 2048, minimum=1, maximum=1_000_000),
        batch=env.integer("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512, minimum=1, maximum=10_000),
    )


def share_from(env: Env) -> float:
    """Return the share of new traces that is kept; one that an agent began is its decision."""
    said = env.text("OTEL_TRACES_SAMPLER_ARG", "1")
    try:
        share = float(said)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        env.problems.append("OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1.")
        return 1.0
    return share


def _pairs(env: Env, name: str, said: str) -> dict[str, str]:
    found = {}
    for piece in filter(None, (piece.strip() for piece in said.split(","))):
        key, equals, value = piece.partition("=")
        if not equals or not key.strip() or not unquote(value).isprintable():
            env.problems.append(f"{name} must be name=value, by comma.")
            return {}
        found[key.strip()] = unquote(value.strip())
    return found


def _release() -> str:
    project = tomllib.loads((BASE_DIR / "pyproject.toml").read_text(encoding="utf-8"))
    return str(project["project"]["version"])
