"""What happened, in words: an entry of the ledger as a line that people read.

Owns the sentences. A verb without one is shown by its own name, so that nothing that was
recorded is ever missing from a page.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from ledger.models import Entry
from ledger.verbs import Verb


class _Look(NamedTuple):
    title: str
    icon: str
    tone: str = "neutral"


_LOOKS: Final[dict[str, _Look]] = {
    Verb.AGENT_REGISTERED: _Look("Registered", "plus", "primary"),
    Verb.AGENT_VERSION_PROPOSED: _Look("Version {version} handed in", "file-code", "info"),
    Verb.AGENT_VERSION_ACCEPTED: _Look("Version {version} in force", "check", "success"),
    Verb.AGENT_VERSION_REJECTED: _Look("Version {version} turned down", "x", "error"),
    Verb.AGENT_SUBMITTED: _Look("Submitted for review", "send", "info"),
    Verb.AGENT_LAUNCHED: _Look("Launched", "play", "success"),
    Verb.AGENT_PROMOTED: _Look("Went live", "zap", "success"),
    Verb.AGENT_RETURNED: _Look("Given back to its owner", "rotate-cw", "warning"),
    Verb.AGENT_SUSPENDED: _Look("Suspended", "pause", "error"),
    Verb.AGENT_RESUMED: _Look("Resumed", "play", "success"),
    Verb.AGENT_DEPRECATED: _Look("Deprecated", "archive", "warning"),
    Verb.AGENT_RETIRED: _Look("Retired", "archive"),
    Verb.AGENT_KILLED: _Look("Killed", "octagon-x", "error"),
    Verb.AGENT_CHANGED: _Look("Handed over", "users", "info"),
    Verb.KEY_ISSUED: _Look("Key issued", "key-round", "success"),
    Verb.KEY_ROTATED: _Look("Key rotated", "refresh-cw", "info"),
    Verb.KEY_REVOKED: _Look("Key revoked", "ban", "error"),
    Verb.REVIEW_OPENED: _Look("Review opened", "clipboard-check", "info"),
    Verb.REVIEW_DECIDED: _Look("Decision given: {decision}", "user-check", "info"),
    Verb.REVIEW_EDITED: _Look("Changed by a reviewer", "pencil", "info"),
    Verb.REVIEW_ESCALATED: _Look("Review escalated", "users", "warning"),
    Verb.REVIEW_APPROVED: _Look("Review approved", "badge-check", "success"),
    Verb.REVIEW_REJECTED: _Look("Review rejected", "circle-x", "error"),
    Verb.REVIEW_EXPIRED: _Look("Review expired", "hourglass", "warning"),
    Verb.REVIEW_WITHDRAWN: _Look("Review withdrawn", "x"),
    Verb.STOP_PLACED: _Look("Stopped at the gateways", "octagon-x", "error"),
    Verb.STOP_LIFTED: _Look("Stop lifted", "play", "success"),
    Verb.CONTAINMENT_PROVEN: _Look("Contained: every gateway refuses it", "badge-check", "success"),
    Verb.CONTAINMENT_FAILED: _Look("Not contained", "circle-x", "error"),
    Verb.BUDGET_SET: _Look("Budget set", "gauge", "info"),
    Verb.BUDGET_ENDED: _Look("Budget ended", "gauge"),
    Verb.BUDGET_NEARED: _Look("Budget nearly spent", "gauge", "warning"),
    Verb.DELEGATION_GIVEN: _Look("Let another agent act for it", "users", "info"),
    Verb.DELEGATION_ENDED: _Look("Ended what another might do for it", "x"),
    Verb.DATAKEY_SHREDDED: _Look("Payloads destroyed: {keys} keys", "ban", "warning"),
    Verb.PAYLOADS_DROPPED: _Look("Payloads of a month dropped", "archive", "warning"),
    Verb.RETENTION_SET: _Look("Age of payloads set", "hourglass", "info"),
    Verb.HOLD_PLACED: _Look("Put under legal hold", "pause", "warning"),
    Verb.HOLD_ENDED: _Look("Legal hold ended", "play", "success"),
    Verb.ERASURE_REQUESTED: _Look("Erasure asked for", "clipboard-check", "warning"),
    Verb.ERASURE_COMPLETED: _Look("Erasure done", "badge-check", "success"),
    Verb.ERASURE_ENDED: _Look("Erasure not carried out", "x"),
}


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a history."""

    title: str
    at: datetime
    actor: str
    text: str
    icon: str
    tone: str
    entry_id: str
    verb: str


def refs_in(entries: Iterable[Entry]) -> set[str]:
    """Return every reference to a person or agent that the entries hold."""
    found: set[str] = set()
    for entry in entries:
        found |= {entry.actor, entry.subject}
        found |= {value for value in _facts(entry).values() if isinstance(value, str)}
    return {ref for ref in found if ref.startswith(("person:", "agent:"))}


def events_of(entries: Iterable[Entry], names: Mapping[str, str]) -> list[Event]:
    """Tell entries as events; ``names`` says how people know a reference."""
    return [_event(entry, names) for entry in entries]


def spoken(ref: str, names: Mapping[str, str]) -> str:
    """Say who a reference is."""
    if ref in names:
        return names[ref]
    kind, _, ident = ref.partition(":")
    return f"{ident} (automation)" if kind == "system" else ref


def _event(entry: Entry, names: Mapping[str, str]) -> Event:
    facts = _facts(entry)
    look = _LOOKS.get(entry.verb) or _Look(
        entry.verb.replace(".", ": ").replace("_", " "), "circle-dot"
    )
    return Event(
        title=look.title.format_map(_Said(facts)),
        at=entry.recorded_at,
        actor=spoken(entry.actor, names),
        text=" · ".join(_details(entry, facts, names)),
        icon=look.icon,
        tone=look.tone,
        entry_id=entry.entry_id,
        verb=entry.verb,
    )


def _details(entry: Entry, facts: Mapping[str, Any], names: Mapping[str, str]) -> Iterable[str]:
    if reason := facts.get("reason"):
        yield f"“{reason}”"
    if entry.verb == Verb.AGENT_CHANGED:
        yield from _handover(facts, names)
    if isinstance(revoked := facts.get("revoked_keys"), list):
        yield f"{len(revoked)} key{'' if len(revoked) == 1 else 's'} revoked"
    if isinstance(risks := facts.get("risks"), list) and risks:
        yield ", ".join(map(str, risks))
    if key_id := facts.get("key_id"):
        yield f"usp_{key_id}_…"
    if source := facts.get("source"):
        yield f"by {source}"


def _facts(entry: Entry) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(bytes(entry.header))["facts"]
    return facts


def _handover(facts: Mapping[str, Any], names: Mapping[str, str]) -> Iterable[str]:
    for key, word in (("owner", "owner"), ("backup_owner", "backup owner")):
        before, after = str(facts.get(f"previous_{key}", "")), str(facts.get(key, ""))
        if before != after:
            yield f"{word}: {spoken(before, names)} → {spoken(after, names)}"


class _Said(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return ""
