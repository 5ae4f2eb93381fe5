"""Which vendor a host name belongs to: exact names, suffixes and regional patterns.

The list is a file of facts with its sources; interfaces for people are told apart from
interfaces for programs, because a browser is not an agent.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

LISTED: Final = Path(__file__).with_name("llm_hostnames.json")
_HOST: Final = re.compile(r"[a-z0-9_](?:[a-z0-9._-]{0,251}[a-z0-9_])?")
_OWN_NAMES: Final = {"cursor.sh": ("api2.cursor.sh",), "n8n.cloud": ("*.app.n8n.cloud",)}


@dataclass(frozen=True, slots=True)
class Service:
    """What answers under a host name."""

    vendor: str
    is_for_people: bool = False


def normalised(host: str) -> str:
    """Return a host name as it is compared: lower case, without port and final dot."""
    name = host.strip().lower()
    if name.count(":") == 1:
        name = name.partition(":")[0]
    name = name.removesuffix(".")
    return name if _HOST.fullmatch(name) else ""


@lru_cache(maxsize=4096)
def service_of(host: str) -> Service | None:
    """Return what a host name belongs to, or nothing."""
    exact, patterns = _listed()
    name = normalised(host)
    if not name:
        return None
    if name in exact:
        return exact[name]
    return next((service for pattern, service in patterns if pattern.fullmatch(name)), None)


@cache
def _listed() -> tuple[dict[str, Service], list[tuple[re.Pattern[str], Service]]]:
    document = json.loads(LISTED.read_text(encoding="utf-8"))
    named: dict[str, Service] = {}
    for key, section in document.items():
        if key.startswith("models_dev_api_hosts"):
            named |= {host: Service(names[0]) for host, names in section.items()}
        if key.startswith("litellm_openai_compatible_extra"):
            named |= {host: Service(host) for host in section if host not in named}
    named |= {host: Service(name, is_for_people=True) for host, name in document["ui_apps"].items()}
    for host, others in _OWN_NAMES.items():
        named |= dict.fromkeys(others, named[host])
    # Written by hand, so it wins; a bare star would be the whole world.
    named |= {
        host: Service(name.removesuffix(" API"))
        for host, name in document["first_party_api"].items()
    }
    named.pop("*", None)
    patterns = [
        (re.compile(re.escape(host).replace(r"\*", r"[a-z0-9_.-]+?")), service)
        for host, service in named.items()
        if "*" in host
    ]
    return {host: each for host, each in named.items() if "*" not in host}, patterns
