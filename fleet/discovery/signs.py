"""The words of discovery: what a reader says of one thing it saw. No Django.

Owns sightings, the signs that raise a risk, and the names of formats. A sighting carries
names under which the thing is known elsewhere; whoever stores it hashes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final


class Flag(StrEnum):
    """What makes a finding urgent; each is a part of its risk."""

    ORPHANED = "orphaned"  # its owner lost access, or is gone
    HARD_CODED = "hard_coded"  # a key stands in code
    DIRECT = "direct"  # talks to a vendor past the gateway
    RETIRING = "retiring"  # names a model with an end
    STALE = "stale"  # was not used for long
    BLOCKED_BEFORE = "blocked_before"  # a proxy refused it
    NEVER_EXPIRES = "never_expires"
    SHARED = "shared"  # a service account's: no person answers
    DECLARED = "declared"  # carries our own agent.yaml
    SHADOW = "shadow"  # another tool calls it unregistered
    HELD = "held"  # sealed here, and so used by gateways
    ELSEWHERE = "elsewhere"  # sealed here, and its vendor counts more calls than gateways made


FORMATS: Final = {
    "openai": "OpenAI: keys, usage and costs (JSON)",
    "anthropic": "Anthropic: keys, usage and cost report (JSON)",
    "litellm": "LiteLLM spend logs (JSON, JSONL or CSV)",
    "squid": "Squid access log",
    "zeek": "Zeek ssl.log or dns.log (JSON or TSV)",
    "route53": "Route 53 Resolver query log (JSONL)",
    "nginx": "nginx log with the server's name",
    "agt": "agent-discovery scan (JSON)",
    "copilot": "Copilot Studio inventory (JSON)",
    "repository": "Repository (.tar.gz or .zip)",
}
# Where evidence may come from besides a format.
REPORT: Final = "report"


@dataclass(frozen=True, slots=True)
class Hint:
    """Somebody who may answer for it, by an address or a name, and why."""

    who: str
    why: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a repository that names a model."""

    path: str
    line: int
    model_id: str
    is_weak: bool


@dataclass(frozen=True, slots=True)
class Sighting:
    """One thing as one source saw it, summed up over all that the source says of it."""

    kind: str
    keys: tuple[str, ...]  # under which it is known; the first is its own
    title: str
    vendor: str
    summary: str
    confidence: float
    seen_from: datetime | None = None
    seen_to: datetime | None = None
    flags: frozenset[Flag] = frozenset()
    models: tuple[str, ...] = ()
    hints: tuple[Hint, ...] = ()
    calls: int = 0
    cost_micros: int = 0
    facts: dict[str, Any] = field(default_factory=dict)  # neither people nor addresses
    places: tuple[Place, ...] = ()
    names: tuple[str, ...] = ()  # that an agent of the registry could carry
    tail: str = ""  # of a key: its vendor's kind and at most two characters
    # How the inventory shows that a key ends: compared with the secrets that are held, not stored.
    ending: str = field(default="", repr=False)
    has_requests: bool = False  # its calls are the vendor's own count of requests
