"""What runs on one machine, and what each process may know.

Owns the table of processes: command, environment, and which private rings each may open.
A process inherits nothing of the operator's environment but what is named here.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from config.places import BASE_DIR

ROOT: Final = BASE_DIR
# What any program needs to find itself, its locale, its certificates and its proxy.
_ORDINARY: Final = (
    "PATH", "HOME", "USER", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
)  # fmt: skip
_OURS: Final = (
    "UNSPRAWL_DATA_DIR", "UNSPRAWL_KEYS_DIR", "UNSPRAWL_LOG_LEVEL", "UNSPRAWL_BIND",
    "UNSPRAWL_PUBLIC_URL", "UNSPRAWL_GATEWAY_URL", "UNSPRAWL_GATEWAY_INTERNAL_URL",
    "UNSPRAWL_SANDBOX_URL", "PORT", "GATEWAY_PORT",
)  # fmt: skip
_DJANGO: Final = (
    "UNSPRAWL_SECRET_KEY", "UNSPRAWL_SECRET_KEY_FILE", "UNSPRAWL_ALLOWED_HOSTS", "UNSPRAWL_DEBUG",
    "UNSPRAWL_BEHIND_PROXY", "UNSPRAWL_STATIC_DIR", "UNSPRAWL_PLAIN_STATIC",
    "UNSPRAWL_DATABASE_POOL", "UNSPRAWL_STATEMENT_TIMEOUT_MS",
    "UNSPRAWL_EXPORT_DIR", "UNSPRAWL_EXPORT_DAYS", "UNSPRAWL_ADAPTERS",
    "UNSPRAWL_REVIEWS_TOGETHER",
    "UNSPRAWL_INCIDENT_ESCALATE_MINUTES", "UNSPRAWL_HEALTH_OPEN",
    "UNSPRAWL_CUTOVER_SECURITY_CLASS",
    "UNSPRAWL_REVIEW_DAYS", "UNSPRAWL_REGULATED_QUORUM", "UNSPRAWL_DEMO",
    "UNSPRAWL_PROPOSALS_PER_AGENT", "UNSPRAWL_WORKING_TIME_ZONE", "UNSPRAWL_AUTHORS_MAY_APPROVE",
    "UNSPRAWL_LAUNCH_LOW", "UNSPRAWL_LAUNCH_MEDIUM", "UNSPRAWL_LAUNCH_HIGH",
    "UNSPRAWL_LAUNCH_MARGIN", "UNSPRAWL_CAMPAIGN_HORIZON_DAYS", "UNSPRAWL_CAMPAIGN_MARGIN_HOURS",
    "UNSPRAWL_EGRESS_SENDERS", "UNSPRAWL_CAMPAIGN_PRICE", "UNSPRAWL_CAMPAIGN_REFUSED_CALLS",
    "UNSPRAWL_CAMPAIGN_CHANGE_DAYS", "UNSPRAWL_LISTING_MINUTES", "UNSPRAWL_PRICE_TELL",
    "UNSPRAWL_REVIEWER_MINUTE_CENTS", "UNSPRAWL_REVIEW_MINUTES_CAP",
    "UNSPRAWL_BUDGET_TIME_ZONE", "UNSPRAWL_MAIL_HOST", "UNSPRAWL_MAIL_PORT", "UNSPRAWL_MAIL_USER",
    "UNSPRAWL_MAIL_PASSWORD", "UNSPRAWL_MAIL_PASSWORD_FILE", "UNSPRAWL_MAIL_STARTTLS",
    "UNSPRAWL_MAIL_FROM", "UNSPRAWL_SHREDS_DIR", "UNSPRAWL_RETENTION_FLOOR_DAYS",
)  # fmt: skip

# Who judges instead of the activation in force.
_JUDGED_BY: Final = ("OPA_URL", "UNSPRAWL_POLICY_DIR")

_OTEL: Final = (
    "OTEL_SDK_DISABLED", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_TRACES_SAMPLER_ARG",
    "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TIMEOUT",
    "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS_FILE",
    "OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
)  # fmt: skip


# Whom to ask what they saw of the ledger.
WATCHED: Final = ("UNSPRAWL_WITNESS_URL", "UNSPRAWL_WITNESS_KEY")


@dataclass(frozen=True)
class Process:
    """One row: a Python module, what it is told, which rings it may open."""

    name: str
    module: tuple[str, ...]
    passed: tuple[str, ...]
    opens: str = ""
    # Without it less is proven, and everything else goes on: its deaths stop no start.
    is_needed: bool = True
    # Told nothing of the rest: neither its keys nor where it is.
    is_apart: bool = False
    # What it gets when its supervisor was killed.
    orphan_signal: int = signal.SIGTERM

    def command(self) -> list[str]:
        # -X utf8: the log is UTF-8 whatever the locale; -u: a killed process loses no line.
        return [sys.executable, "-X", "utf8", "-u", *self.module]

    def environment(self, known: Mapping[str, str]) -> dict[str, str]:
        names = (*_ORDINARY, *(() if self.is_apart else _OURS), *self.passed)
        chosen = {name: known[name] for name in names if known.get(name)}
        if self.is_apart:
            return chosen
        return chosen | {"UNSPRAWL_OPENS": self.opens, "PGAPPNAME": f"unsprawl-{self.name}"}


PREPARE: Final = Process(
    "prepare",
    ("manage.py", "prepare"),
    (
        *_DJANGO, "DATABASE_URL", "DATABASE_OWNER_URL", "UNSPRAWL_BOOTSTRAP_TOKEN",
        "UNSPRAWL_BOOTSTRAP_TOKEN_FILE", *WATCHED,
    ),
)  # fmt: skip
DEMO: Final = Process("demo", ("manage.py", "demo"), (*_DJANGO, "DATABASE_URL"), opens="payload")
WITNESS: Final = Process(
    "witness",
    ("-m", "config.witness"),
    (
        "UNSPRAWL_LOG_LEVEL", "UNSPRAWL_WITNESS_DIR", "UNSPRAWL_WITNESS_LOG_KEYS",
        "UNSPRAWL_WITNESS_NAME", "UNSPRAWL_WITNESS_PORT",
    ),
    is_needed=False,
    is_apart=True,
)  # fmt: skip
SANDBOX: Final = Process("sandbox", ("-m", "routing.sandbox"), ())
GATEWAY: Final = Process(
    "gateway",
    ("-m", "config.gateway_asgi"),
    (
        "DATABASE_URL",
        *_JUDGED_BY,
        "UNSPRAWL_FIRST_BYTE_SECONDS",
        "UNSPRAWL_PROTECTION_FILE",
        "UNSPRAWL_REPORTS_PER_MINUTE",
        "UNSPRAWL_STREAM_IDLE_SECONDS",
        *_OTEL,
        "UNSPRAWL_DOOR_BIND",
        "UNSPRAWL_DOOR_HOST",
        "UNSPRAWL_DOOR_PORT",
    ),
    opens="vendor",
)
WEB: Final = Process(
    "web",
    ("-m", "config.web"),
    (*_DJANGO, *_JUDGED_BY, "DATABASE_URL", "BROKER_URL", "UNSPRAWL_WITNESS_KEY"),
    # What others sign with, to refuse a forgery; never what we send with.
    opens="inbound,payload",
)
WORKER: Final = Process(
    "worker",
    ("-m", "config.worker"),
    (*_DJANGO, *_JUDGED_BY, "DATABASE_URL", "BROKER_URL"),
    opens="tool,payload",
    # Its broker goes in the same moment, and asked to end in order it would wait for that one.
    orphan_signal=signal.SIGKILL,
)
SEQUENCER: Final = Process(
    "sequencer",
    ("-m", "config.sequencer"),
    ("DATABASE_SEQUENCER_URL", *WATCHED),
    is_needed=False,
)
# Talks to what agents' owners named, so it opens nothing and is told of no broker.
PROBER: Final = Process(
    "prober", ("-m", "config.prober"), (*_DJANGO, "DATABASE_URL"), is_needed=False
)
# In the order they start; they are stopped in the opposite order.
SERVING: Final = (SANDBOX, SEQUENCER, WORKER, PROBER, GATEWAY, WEB)
