"""What one source says of a finding, as people read it: labels and values, nothing of people."""

from __future__ import annotations

from typing import Any, Final

from fleet.discovery.models import Evidence

# In this order; what is not named here is for the service itself.
_LABELS: Final = {
    "id": "Id there",
    "name": "Name there",
    "alias": "Alias",
    "project": "Project",
    "team": "Team",
    "type": "Kind",
    "kind": "Kind",
    "status": "Status",
    "repository": "Repository",
    "path": "File",
    "line": "Line",
    "log": "Log",
    "sender": "Sent by",
    "hosts": "Hosts",
    "clients": "Clients",
    "bytes": "Bytes",
    "denied": "Refused by the proxy",
    "created": "Made",
    "last_used": "Last used",
    "expires": "Expires",
    "published": "Published",
    "tokens": "Tokens",
    "failed": "Failed calls",
    "made_in": "Made in",
    "environment": "Environment",
    "held_for": "Held here for vendor",
    "brokered": "Calls that gateways made in that time",
}
_LONGEST: Final = 300


def facts_of(row: Evidence) -> list[tuple[str, str]]:
    """Return what a piece of evidence says, each with its label."""
    return [
        (label, _words(row.facts[name]))
        for name, label in _LABELS.items()
        if row.facts.get(name) not in (None, "", [], {})
    ]


def _words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)[:_LONGEST]
    return str(value)[:_LONGEST]
