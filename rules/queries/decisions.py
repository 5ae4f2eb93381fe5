"""What rules decided lately, as the ledger says: counted by rule, and one by one.

Owns a bound: only the newest entries are read, so that a page costs the same in a busy company.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import connection

from kernel import clock
from ledger.models import Artifact
from registry.actors import Actor
from registry.models import Agent
from registry.queries.agents import GOVERNING

DAYS: Final = 7
LOOKED_AT: Final = 60_000
SHOWN: Final = 30
_RECENT: Final = """
    SELECT id, entry_id, stream, agent_id, recorded_at, verb,
           convert_from(header, 'UTF8')::jsonb -> 'facts' AS facts
    FROM ledger_entry
    WHERE id > (SELECT coalesce(max(id), 0) FROM ledger_entry) - %s AND recorded_at > %s
      AND verb IN ('call.intended', 'call.denied', 'proposal.judged')
"""
_COUNTS: Final = f"""
    SELECT facts ->> 'rule', coalesce(facts ->> 'answer', 'allow'), count(*), max(recorded_at)
    FROM ({_RECENT}) recent WHERE facts ->> 'rule' IS NOT NULL GROUP BY 1, 2
"""  # noqa: S608
_LATEST: Final = f"""
    SELECT entry_id, stream, agent_id, recorded_at, verb, facts ->> 'rule',
           coalesce(facts ->> 'answer', 'allow'), coalesce(facts ->> 'input', ''),
           coalesce(facts ->> 'vendor', facts ->> 'operation', '')
    FROM ({_RECENT}) recent
    WHERE facts ->> 'rule' IS NOT NULL AND (%s = '' OR facts ->> 'rule' = %s)
      AND (%s = '' OR coalesce(facts ->> 'answer', 'allow') = %s)
    ORDER BY id DESC LIMIT %s
"""  # noqa: S608


@dataclass(slots=True)
class Use:
    """How often one rule decided, and how."""

    allow: int = 0
    ask: int = 0
    deny: int = 0
    last_at: datetime | None = None

    @property
    def total(self) -> int:
        return self.allow + self.ask + self.deny


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision on record."""

    entry: str
    run: str  # its stream, where that is a run
    agent: str  # its name, or id where the name is gone
    at: datetime
    is_proposal: bool
    rule: str
    answer: str
    input: str
    about: str


def use_of_rules(actor: Actor) -> dict[str, Use]:
    """Return how often each rule decided in the last days, by its name. Raises: RoleMissing."""
    actor.require(*GOVERNING)
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, [LOOKED_AT, _since()])
        rows = cursor.fetchall()
    found: dict[str, Use] = {}
    for rule, answer, count, last in rows:
        use = found.setdefault(rule, Use())
        if answer in ("allow", "ask", "deny"):
            setattr(use, answer, getattr(use, answer) + count)
        use.last_at = last if use.last_at is None else max(use.last_at, last)
    return found


def latest_decisions(actor: Actor, *, rule: str = "", answer: str = "") -> list[Decided]:
    """Return the newest decisions, of one rule or answer. Raises: RoleMissing."""
    actor.require(*GOVERNING)
    with connection.cursor() as cursor:
        cursor.execute(_LATEST, [LOOKED_AT, _since(), rule, rule, answer, answer, SHOWN])
        rows = cursor.fetchall()
    ids = {row[2] for row in rows if row[2]}
    names = dict(Agent.objects.filter(public_id__in=ids).values_list("public_id", "name"))
    return [
        Decided(
            entry,
            stream if stream.startswith("run_") else "",
            names.get(agent, agent),
            at,
            verb == "proposal.judged",
            name,
            said,
            asked,
            about,
        )
        for entry, stream, agent, at, verb, name, said, asked, about in rows
    ]


def facts_of(actor: Actor, digest: str) -> str:
    """Return the facts of a call's decision; empty where they are kept apart or not at all."""
    actor.require(*GOVERNING)
    row = Artifact.objects.filter(digest=digest, kind=Artifact.Kind.DECISION_INPUT).first()
    return "" if row is None else bytes(row.body).decode()


def _since() -> datetime:
    return clock.now() - timedelta(days=DAYS)
