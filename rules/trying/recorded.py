"""Decisions as the ledger has them: read by id, a page at a time, each once.

Owns which entries are decisions and what is read of them. Their facts are found by the digest
that an entry names: as an artifact for calls and tools, in the entry's own payload for actions.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import orjson
from django.db.models import Max, Min

from ledger.models import Entry
from ledger.verbs import Verb
from rules.trying.models import Question

VERBS: Final = (Verb.CALL_INTENDED, Verb.CALL_DENIED, Verb.PROPOSAL_JUDGED)
PAGE_IDS: Final = 20_000  # ids, not rows: a page costs the same wherever decisions are rare
ANSWERS: Final = frozenset({"allow", "ask", "deny"})


@dataclass(frozen=True, slots=True)
class Asked:
    """What tells one question from another."""

    source: str
    input_digest: str
    bundle_digest: str
    agent_id: str
    answer: str
    rule: str


@dataclass(slots=True)
class Tally:
    """How often a question was asked, and when."""

    decisions: int
    first_at: datetime
    last_at: datetime
    entry_id: str

    def add(self, other: Tally) -> None:
        self.decisions += other.decisions
        self.first_at = min(self.first_at, other.first_at)
        self.last_at = max(self.last_at, other.last_at)


def span_since(begins_at: datetime) -> tuple[int, int]:
    """Return the ids before the first entry of a time, and of the last entry there is."""
    found = Entry.objects.filter(recorded_at__gte=begins_at).aggregate(
        low=Min("id"), high=Max("id")
    )
    low, high = found["low"], found["high"]
    return (low - 1, high) if low is not None and high is not None else (0, 0)


def decisions_between(after: int, until: int, *, since: datetime) -> dict[Asked, Tally]:
    """Return the decisions of a page of ids, none older than a time, alike ones together."""
    rows = (
        Entry.objects.filter(id__gt=after, id__lte=until, verb__in=VERBS, recorded_at__gte=since)
        .order_by("id")
        .values_list("entry_id", "verb", "agent_id", "recorded_at", "header")
    )
    found: dict[Asked, Tally] = {}
    for entry_id, verb, agent_id, recorded_at, header in rows.iterator(chunk_size=2000):
        asked = _asked(verb, agent_id, bytes(header))
        if asked is None:
            continue
        one = Tally(1, recorded_at, recorded_at, entry_id)
        known = found.setdefault(asked, one)
        if known is not one:
            known.add(one)
    return found


def _asked(verb: str, agent_id: str, header: bytes) -> Asked | None:
    """Read what was decided; nothing where policy was not what decided."""
    facts = orjson.loads(header)["facts"]
    digest, bundle = facts.get("input"), facts.get("bundle")
    answer = "allow" if verb == Verb.CALL_INTENDED else facts.get("answer")
    if not isinstance(digest, str) or not digest or answer not in ANSWERS:
        return None
    is_action = verb == Verb.PROPOSAL_JUDGED
    return Asked(
        source=Question.Source.ACTION if is_action else Question.Source.CALL,
        input_digest=digest,
        bundle_digest=bundle if isinstance(bundle, str) else "",
        agent_id=agent_id,
        answer=str(answer),
        rule=str(facts.get("rule") or ""),
    )
