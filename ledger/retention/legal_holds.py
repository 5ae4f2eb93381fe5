"""Legal holds: what nobody may destroy, by whose word and why.

A hold is a row that the database asks before it destroys or drops anything; placing and
ending one waits for a destruction that is under way. Who may do either is asked further to
the left, where people are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from kernel import clock
from kernel.refs import Ref, new_id
from ledger.entries import Fields
from ledger.models import LegalHold
from ledger.record import append, record
from ledger.verbs import Verb


@dataclass(frozen=True, slots=True)
class Covers:
    """What a hold is to cover: an agent, a run, a tag, a period, or everything."""

    scope: str
    subject: str = ""
    subject_name: str = ""
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@transaction.atomic
def place(covers: Covers, *, actor: Ref, reason: str) -> LegalHold:
    """Hold what is covered from the commit on.

    Records: hold.placed.
    """
    entry_id = new_id("ent")
    hold = LegalHold.objects.create(
        public_id=new_id("hld"),
        scope=covers.scope,
        subject=covers.subject,
        subject_name=covers.subject_name,
        starts_at=covers.starts_at,
        ends_at=covers.ends_at,
        reason=reason,
        placed_by=str(actor),
        placed_at=clock.now(),
        entry=entry_id,
    )
    append(
        Fields(
            kind="change",
            verb=Verb.HOLD_PLACED.value,
            actor=actor,
            subject=hold.ref,
            recorded_at=hold.placed_at,
            agent_id=_agent(hold),
            facts={
                "scope": hold.scope,
                "covers": hold.subject,
                "starts_at": _said(hold.starts_at),
                "ends_at": _said(hold.ends_at),
                "reason": reason,
            },
            entry_id=entry_id,
        ),
        stream=str(hold.ref),
    )
    return hold


@transaction.atomic
def end(hold: LegalHold, *, actor: Ref, reason: str, review: str) -> None:
    """End a hold that two people agreed to end.

    Records: hold.ended.
    """
    hold.ended_at, hold.ended_by = clock.now(), str(actor)
    hold.ended_reason, hold.ended_review = reason, review
    hold.save(update_fields=["ended_at", "ended_by", "ended_reason", "ended_review"])
    record(
        Verb.HOLD_ENDED,
        hold.ref,
        actor=actor,
        facts={"reason": reason, "review": review, "placed_by": hold.placed_by},
        agent_id=_agent(hold),
        stream=str(hold.ref),
    )


def holds_over(keys: Sequence[str]) -> dict[str, list[str]]:
    """Return which holds cover which of these keys, by hold."""
    if not keys:
        return {}
    found: dict[str, list[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT hold, dek_id FROM ledger_held(%s) ORDER BY hold, dek_id", [list(keys)]
        )
        for hold, dek in cursor.fetchall():
            found.setdefault(hold, []).append(dek)
    return found


def _agent(hold: LegalHold) -> str:
    return hold.subject if hold.scope == LegalHold.Scope.AGENT else ""


def _said(moment: datetime | None) -> str | None:
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")
