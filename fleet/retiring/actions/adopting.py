"""Agents whose end was announced or made without a plan get one, so that each has its steps.

An agent that is deprecated or retired by the registry's own actions (at a shell, by an older
version) is found by the sweep; its reason is read from the record.
"""

from __future__ import annotations

from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef

from fleet.retiring.actions.stepping import make_steps
from fleet.retiring.models import Retirement, Step
from kernel.refs import new_id
from ledger.entries import Fact
from ledger.queries import entries_of_agent, seen
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Agent

_ENDING: Final = (Agent.Stage.DEPRECATED, Agent.Stage.RETIRED)
_VERBS: Final = {
    Agent.Stage.DEPRECATED: Verb.AGENT_DEPRECATED,
    Agent.Stage.RETIRED: Verb.AGENT_RETIRED,
}
_AT_ONCE: Final = 200
_NO_REASON: Final = "No reason is on record."


def adopt_ended(*, actor: Actor) -> int:
    """Make a retirement for each agent that ends without one; return how many.

    Records: retirement.planned.
    """
    standing = Retirement.objects.filter(agent=OuterRef("pk"), state__in=Retirement.STANDING)
    rows = Agent.objects.filter(~Exists(standing), stage__in=_ENDING).order_by("id")
    return sum(_adopt(agent, actor) for agent in rows[:_AT_ONCE])


def _adopt(agent: Agent, actor: Actor) -> bool:
    try:
        with transaction.atomic():
            _make(agent, actor)
    except IntegrityError:  # somebody planned it meanwhile
        return False
    return True


def _make(agent: Agent, actor: Actor) -> None:
    by, why = _said(agent)
    is_over = agent.stage == Agent.Stage.RETIRED
    made = Retirement.objects.create(
        public_id=new_id("rtm"),
        agent=agent,
        successor=agent.successor,
        state=Retirement.State.RETIRED if is_over else Retirement.State.ANNOUNCED,
        stage_before=Agent.Stage.SOFT_LAUNCH,
        reason=why,
        drains_at=agent.retired_at if is_over else agent.ends_at,
        drain_minutes=0,
        planned_by=by or str(actor.ref),
        planned_at=agent.stage_changed_at,
        retired_at=agent.retired_at,
    )
    make_steps(made)
    done = [Step.Name.ANNOUNCED]
    if is_over:
        done += [Step.Name.DRAINING, Step.Name.ENDED]
    made.steps.filter(name__in=done).update(
        done_at=agent.stage_changed_at, detail="Done before there was a plan."
    )
    facts: dict[str, Fact] = {"retirement": made.public_id, "adopted": True, "data": made.data}
    record(
        Verb.RETIREMENT_PLANNED, made.ref, actor=actor.ref, agent_id=agent.public_id, facts=facts
    )


def _said(agent: Agent) -> tuple[str, str]:
    """Return who ended or announced it, and why, from the record."""
    verb = _VERBS[Agent.Stage(agent.stage)]
    row = entries_of_agent(agent.public_id).filter(verb=verb).order_by("-id").first()
    if row is None:
        return "", _NO_REASON
    return row.actor, str(seen(row).facts.get("reason") or _NO_REASON)
