"""What a manifest says of how an agent is known to be well, as a check keeps it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from fleet.health.schedules import seconds_of

SHORTEST: Final = 10
BEAT_SECONDS: Final = 300
PROBE_SECONDS: Final = 60
LONGEST_GRACE: Final = 3600
# A manifest may write 999999w, which no clock can add: what is longer counts as this.
LONGEST_INTERVAL: Final = 31 * 86400
WELL_KNOWN: Final = "/.well-known/agent-card.json"


@dataclass(frozen=True, slots=True)
class Expected:
    """One check: where knowledge comes from, and when it is due."""

    source: str
    kind: str
    url: str = ""
    interval_seconds: int = 0
    grace_seconds: int = 0
    cron: str = ""
    zone: str = ""

    @property
    def host(self) -> str:
        return host_of(self.url)


def host_of(url: str) -> str:
    """Return the host of an address as far as it can be read: what fails together."""
    try:
        return (urlsplit(url).hostname or "")[:253]
    except ValueError:
        return ""


def expected_of(spec: Mapping[str, Any]) -> Expected | None:
    """Return what a manifest's ``health`` asks for; None where it says nothing."""
    health = spec.get("health")
    if not isinstance(health, Mapping):
        return None
    kind = str(health.get("kind", ""))
    is_beat = kind == "heartbeat"
    usual = BEAT_SECONDS if is_beat else PROBE_SECONDS
    asked = max(seconds_of(str(health.get("interval", "")), usual), SHORTEST)
    interval = min(asked, LONGEST_INTERVAL)
    grace = min(seconds_of(str(health.get("grace", "")), grace_of(interval)), LONGEST_INTERVAL)
    if is_beat:
        return Expected("heartbeat", kind, interval_seconds=interval, grace_seconds=grace)
    url = str(health.get("url", ""))
    if not url and kind == "a2a-card":
        url = _card_of(spec)
    return Expected("probe", kind, url, interval, grace)


def grace_of(interval: int) -> int:
    """Return the usual grace: half an interval, a minute at least and an hour at most."""
    return min(max(interval // 2, 60), LONGEST_GRACE)


def _card_of(spec: Mapping[str, Any]) -> str:
    for each in spec.get("interfaces") or ():
        if each.get("protocol") == "a2a":
            try:
                parts = urlsplit(str(each.get("url", "")))
            except ValueError:
                continue  # such as https://[ : there is nothing to ask there
            if parts.scheme and parts.netloc:
                return f"{parts.scheme}://{parts.netloc}{WELL_KNOWN}"
    return ""
