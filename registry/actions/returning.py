"""The end of an agent, told beforehand and taken back: the day, who follows it, the way back.

A deprecated agent is kept by going back to the stage it had; a retired one comes back as a
soft launch, without keys, within 30 days. Whether it may is decided before, by whoever owns
the plan, and by a review of two people. The database refuses a return that is later.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db import transaction

from kernel import clock
from kernel.db import refused_as
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from registry.actions.guards import hold, out_of_turn, require_owning, stated
from registry.actors import Actor
from registry.errors.agents import IllegalTransition, SuccessorUnusable
from registry.models import Agent
from registry.models.agent import RESTORED_WITHIN

Stage = Agent.Stage
_ENDING: Final = (Stage.DEPRECATED, Stage.RETIRED)
_KEPT_AS: Final = (Stage.SOFT_LAUNCH, Stage.LIVE)


@transaction.atomic
def set_end(
    agent: Agent, *, ends_at: datetime | None, successor: Agent | None, actor: Actor
) -> Agent:
    """Say from when an agent whose end is announced begins no new run, and who follows it.

    Records: agent.end_set. Raises: NotYourAgent, IllegalTransition, SuccessorUnusable.
    """
    agent = hold(agent)
    require_owning(actor, agent)
    if agent.stage not in _ENDING:
        raise out_of_turn(agent, "given an end")
    if successor is not None:
        check_successor(agent, successor)
    before: dict[str, Fact] = {"ends_at": _said(agent.ends_at), "successor": _name(agent.successor)}
    after: dict[str, Fact] = {"ends_at": _said(ends_at), "successor": _name(successor)}
    if before == after:
        return agent
    agent.ends_at, agent.successor = ends_at, successor
    agent.save(update_fields=["ends_at", "successor"])
    was: dict[str, Fact] = {f"was_{name}": value for name, value in before.items()}
    _record(Verb.AGENT_END_SET, agent, actor, after | was)
    return agent


@transaction.atomic
def keep_agent(agent: Agent, stage: str, *, actor: Actor, reason: str) -> Agent:
    """Take an announced end back: the agent has the stage again that it had before.

    Records: agent.kept. Raises: NotYourAgent, ReasonMissing, IllegalTransition.
    """
    require_owning(actor, agent)
    why = stated(reason)
    back = stage if stage in _KEPT_AS else Stage.SOFT_LAUNCH
    moved = Agent.objects.filter(pk=agent.pk, stage=Stage.DEPRECATED).update(
        stage=back, stage_changed_at=clock.now(), ends_at=None, successor=None
    )
    if not moved:
        raise out_of_turn(agent, "kept")
    agent.refresh_from_db()
    _record(Verb.AGENT_KEPT, agent, actor, {"stage": back, "reason": why})
    return agent


@transaction.atomic
def restore_agent(agent: Agent, *, actor: Actor, reason: str) -> Agent:
    """Bring a retired agent back into soft launch, without a key.

    Records: agent.restored. Raises: ReasonMissing, IllegalTransition.
    """
    why = stated(reason)
    late = IllegalTransition(
        f"{agent.name} was retired more than {RESTORED_WITHIN.days} days ago; register it anew"
        " under another name.",
        stage=agent.stage,
    )
    with refused_as({"registry_agent_restored_in_time": late}):
        moved = Agent.objects.filter(pk=agent.pk, stage=Stage.RETIRED).update(
            stage=Stage.SOFT_LAUNCH,
            stage_changed_at=clock.now(),
            retired_at=None,
            ends_at=None,
            successor=None,
        )
    if not moved:
        raise out_of_turn(agent, "restored")
    agent.refresh_from_db()
    _record(Verb.AGENT_RESTORED, agent, actor, {"reason": why})
    return agent


def check_successor(agent: Agent, successor: Agent) -> None:
    """Refuse what cannot follow an agent. Raises: SuccessorUnusable."""
    if successor.pk == agent.pk:
        raise SuccessorUnusable("An agent does not follow itself.", field="successor")
    if successor.stage not in _KEPT_AS:
        raise SuccessorUnusable(
            f"{successor.name} is {successor.stage.replace('_', ' ')}; name an agent that runs and"
            " stays.",
            field="successor",
        )


def _said(moment: datetime | None) -> str:
    return clock.stamp(moment) if moment is not None else ""


def _name(agent: Agent | None) -> str:
    return agent.name if agent is not None else ""


def _record(verb: Verb, agent: Agent, actor: Actor, facts: dict[str, Fact]) -> None:
    record(verb, agent.ref, actor=actor.ref, agent_id=agent.public_id, facts=facts)
