"""Which exports there are for whom, and what a person may export.

What may be exported is judged when it is asked for and again when the file is fetched: a
role or an agent that was lost in between is lost for the file too.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from ledger.exports.scope import OneAgent, OneRun, Period, Scope, scope_from
from outlets.errors import ExportNotFound, ScopeNotUsable
from outlets.models import Export
from registry.actors import Actor
from registry.models import Role
from registry.queries.agents import agent_for
from routing.queries.calls import run_for

OVERSEEING = (Role.SECURITY, Role.AUDITOR)


def exports_for(actor: Actor) -> QuerySet[Export]:
    """Return the exports this viewer may see: all for those who oversee, else their own."""
    rows = Export.objects.select_related("target", "schedule")
    if actor.has(*OVERSEEING, Role.PLATFORM):
        return rows
    return rows.filter(asked_by=str(actor.ref))


def export_for(actor: Actor, public_id: str) -> Export:
    """Return one export. Raises: ExportNotFound."""
    found = exports_for(actor).filter(public_id=public_id.replace("\x00", "")).first()
    if found is None:
        raise ExportNotFound(f"There is no export {public_id[:80]!r}, or it is not yours.")
    return found


def may_fetch(actor: Actor, export: Export) -> bool:
    """Say whether this viewer may have the file: whether they may see what is in it."""
    scope = scope_from(export.scope)
    if actor.has(*OVERSEEING):
        return True
    return isinstance(scope, OneRun) and export.asked_by == str(actor.ref) and sees(actor, scope)


def sees(actor: Actor, scope: OneRun) -> bool:
    """Say whether a run is this viewer's to see."""
    from kernel.errors import NotFound

    try:
        run_for(actor, scope.run)
    except NotFound:
        return False
    return True


def scope_of_run(actor: Actor, name: str) -> tuple[Scope, str]:
    """Return the scope of a run the viewer may see, and its title. Raises: RunNotFound.

    The title names no label: it is recorded, and an erasure reaches labels, not the record.
    """
    run = run_for(actor, name)
    return OneRun(run.run_id), f"Run {run.run_id}"


def scope_of_agent(actor: Actor, name: str) -> tuple[Scope, str]:
    """Return the scope of an agent, for those who oversee. Raises: RoleMissing, AgentNotFound."""
    actor.require(*OVERSEEING)
    agent = agent_for(actor, name)
    return OneAgent(agent.public_id), f"Agent {agent.name}"


def scope_of_period(
    actor: Actor, begins_at: datetime | None, ends_at: datetime | None
) -> tuple[Scope, str]:
    """Return a stretch of the whole record. Raises: RoleMissing, ScopeNotUsable."""
    actor.require(*OVERSEEING)
    if begins_at and ends_at and begins_at >= ends_at:
        raise ScopeNotUsable("The period ends before it begins.")
    return Period((), begins_at, ends_at), period_title(begins_at, ends_at)


def period_title(begins_at: datetime | None, ends_at: datetime | None) -> str:
    """Say a stretch of time in words."""
    if begins_at is None and ends_at is None:
        return "The whole ledger"
    since = f"from {begins_at:%Y-%m-%d %H:%M}" if begins_at else "everything"
    return f"{since} to {ends_at:%Y-%m-%d %H:%M} UTC" if ends_at else f"{since} UTC until now"


def asked_scope(actor: Actor, asked: dict[str, Any]) -> tuple[Scope, str]:
    """Read what is to be exported. Raises: ScopeNotUsable, and what each scope raises."""
    named = [name for name in ("run", "agent", "whole") if asked.get(name)]
    if asked.get("since") or asked.get("until"):
        named.append("period")
    if len(named) != 1:
        raise ScopeNotUsable("Name one of: run, agent, whole, or since and until.")
    if named == ["run"]:
        return scope_of_run(actor, asked["run"])
    if named == ["agent"]:
        return scope_of_agent(actor, asked["agent"])
    return scope_of_period(actor, asked.get("since"), asked.get("until"))
