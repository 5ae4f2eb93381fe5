"""Declaring what an accepted outcome is worth: an owner's word, with the reason, on record."""

from __future__ import annotations

from typing import Final

from django.db import transaction

from effects.models import Operation
from fleet.worth.errors import ActionUnknown, ReasonNeeded, ValueNotFound
from fleet.worth.models import DeclaredValue
from kernel import clock
from kernel.refs import new_id
from ledger.record import record
from ledger.verbs import Verb
from registry.actions.guards import hold, require_answering
from registry.actors import Actor
from registry.models import Agent
from registry.queries import agent_for

MOST_MICROS: Final = 1_000_000_000_000  # a million dollars an outcome


@transaction.atomic
def declare_value(
    name: str, action: str, value_micros: int, *, actor: Actor, because: str
) -> DeclaredValue:
    """Say what one accepted outcome of an agent is worth, in place of what was said before.

    Records: value.declared. Raises: AgentNotFound, NotYourAgent, ReasonNeeded, ActionUnknown.
    """
    agent = hold(agent_for(actor, name))
    require_answering(actor, agent)
    why = because.strip()
    if not why:
        raise ReasonNeeded
    if not is_action(action) or not 0 <= value_micros <= MOST_MICROS:
        raise ActionUnknown
    _end(agent, action)
    value = DeclaredValue.objects.create(
        public_id=new_id("val"), agent=agent, action=action, value_micros=value_micros,
        because=why[:2000], declared_by=str(actor.ref), declared_at=clock.now(),
    )  # fmt: skip
    record(
        Verb.VALUE_DECLARED,
        value.ref,
        actor=actor.ref,
        agent_id=agent.public_id,
        facts={"action": action, "value_micros": value_micros},
        payload=why.encode(),
    )
    return value


@transaction.atomic
def end_value(name: str, action: str, *, actor: Actor) -> None:
    """Take a declared value back; nothing stands in its place.

    Records: value.ended. Raises: AgentNotFound, NotYourAgent, ValueNotFound.
    """
    agent = hold(agent_for(actor, name))
    require_answering(actor, agent)
    if not _end(agent, action):
        raise ValueNotFound
    record(
        Verb.VALUE_ENDED,
        agent.ref,
        actor=actor.ref,
        agent_id=agent.public_id,
        facts={"action": action[:200]},
    )


def is_action(action: str) -> bool:
    """Say whether a value can be declared for this: a run, or an operation that there is."""
    if action == DeclaredValue.RUN:
        return True
    place, _, name = action.partition(".")
    return Operation.objects.filter(connection__name=place[:200], name=name[:200]).exists()


def _end(agent: Agent, action: str) -> int:
    standing = DeclaredValue.objects.filter(agent=agent, action=action, ended_at__isnull=True)
    return standing.update(ended_at=clock.now())
