"""Handing an agent to other people, where its owner no longer can.

An owner hands over by a new version of the manifest; this is for the platform role, when
somebody has left. The next version has to name the new owner, or its own hand over is asked.
"""

from __future__ import annotations

from django.db import transaction

from ledger.record import record
from ledger.verbs import Verb
from registry.actions.guards import hold, out_of_turn, stated
from registry.actors import Actor
from registry.errors.agents import OwnerUnusable
from registry.models import Agent, Person, Role
from registry.queries import agents as queries


@transaction.atomic
def reassign_owner(
    name: str, *, owner: Person, backup: Person | None, actor: Actor, reason: str
) -> Agent:
    """Give an agent another owner; a backup owner who is not named stays, unless it is the owner.

    Records: agent.handed_over.
    Raises: AgentNotFound, RoleMissing, ReasonMissing, OwnerUnusable, IllegalTransition.
    """
    actor.require(Role.PLATFORM)
    agent = hold(queries.agent_for(actor, name))
    why = stated(reason)
    if agent.stage == Agent.Stage.RETIRED:
        raise out_of_turn(agent, "handed over")
    check_owners(agent, owner, backup)
    was_owner, was_backup = str(agent.owner.ref), _ref(agent.backup_owner)
    kept = agent.backup_owner if agent.backup_owner_id != owner.pk else None
    agent.owner, agent.backup_owner = owner, backup or kept
    agent.save(update_fields=["owner", "backup_owner"])
    record(
        Verb.AGENT_HANDED_OVER,
        agent.ref,
        actor=actor.ref,
        agent_id=agent.public_id,
        facts={
            "owner": str(owner.ref),
            "backup_owner": _ref(agent.backup_owner),
            "was_owner": was_owner,
            "was_backup_owner": was_backup,
            "reason": why,
        },
    )
    return agent


def check_owners(agent: Agent, owner: Person, backup: Person | None) -> None:
    """Raises: OwnerUnusable."""
    for person in (owner, backup):
        if person is not None and not person.is_active:
            raise OwnerUnusable(f"{person.email} is deactivated; name somebody who is active.")
    if backup is not None and backup.pk == owner.pk:
        raise OwnerUnusable("Owner and backup owner are two people.")
    if agent.owner_id == owner.pk and backup is None:
        raise OwnerUnusable(f"{owner.email} owns it already.")


def _ref(person: Person | None) -> str:
    return str(person.ref) if person is not None else ""
