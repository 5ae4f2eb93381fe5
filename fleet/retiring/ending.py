"""Answers the registry's addresses that end an agent: at once with a reason alone, else planned."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from fleet.retiring.actions.planning import Plan, plan_retirement, retire_now
from registry.actors import Actor
from registry.models import Agent
from registry.queries import agent_for


class PlannedEndings:
    """Ends agents by a retirement, so that each leaves the same steps and a tombstone."""

    def deprecate(self, name: str, *, actor: Actor, reason: str, wish: Mapping[str, Any]) -> Agent:
        plan_retirement(name, _plan(actor, wish), actor=actor, reason=reason)
        return agent_for(actor, name)

    def retire(self, name: str, *, actor: Actor, reason: str, wish: Mapping[str, Any]) -> Agent:
        plan = _plan(actor, wish)
        if plan.drains_at is not None:
            plan_retirement(name, plan, actor=actor, reason=reason)
        else:
            says_more = plan.successor is not None or plan.shred_after_days is not None
            retire_now(name, actor=actor, reason=reason, plan=plan if says_more else None)
        return agent_for(actor, name)


def _plan(actor: Actor, wish: Mapping[str, Any]) -> Plan:
    day: date | None = wish["on"]
    return Plan(
        drains_at=datetime.combine(day, time(), UTC) if day is not None else None,
        drain_minutes=wish["drain_minutes"],
        successor=agent_for(actor, wish["successor"]) if wish["successor"] else None,
        shred_after_days=wish["shred_after_days"] if wish["data"] == "shred" else None,
    )
