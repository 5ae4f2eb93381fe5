"""What people say of a group: the same job, with one that survives; or different, and why.

Confirming changes no agent: the owners of the others are asked to move their callers and to
deprecate, each by the ordinary way. All of it can be taken back.
"""

from __future__ import annotations

from django.db import transaction

from fleet.telling.actions.telling import tell
from fleet.worth.errors import GroupSettled, ReasonNeeded, SurvivorNotInGroup
from fleet.worth.models import Different, DuplicateGroup, DuplicateMember, LookMark
from fleet.worth.queries.duplicates import dependants_of, group_for
from fleet.worth.queries.jobs import material_of
from kernel import clock
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from registry.errors.agents import NotYourAgent
from registry.models import Agent, Role
from registry.queries import answers_for

State = DuplicateGroup.State
Step = DuplicateMember.Step


@transaction.atomic
def confirm_group(
    public_id: str, survivor: str, *, actor: Actor, because: str = ""
) -> DuplicateGroup:
    """Say that the agents of a group do the same job, and which of them survives.

    Records: duplicates.confirmed.
    Raises: GroupNotFound, GroupSettled, SurvivorNotInGroup, NotYourAgent.
    """
    group, agents = _held(public_id, actor)
    chosen = next((agent for agent in agents if survivor in (agent.name, agent.public_id)), None)
    if chosen is None:
        raise SurvivorNotInGroup
    _settle(group, State.CONFIRMED, actor, because, chosen)
    group.members.exclude(agent=chosen).update(step=Step.ASKED)
    _record(Verb.DUPLICATES_CONFIRMED, group, agents, actor, because, chosen)
    _tell(group, chosen, [agent for agent in agents if agent != chosen])
    return group


@transaction.atomic
def separate_group(public_id: str, *, actor: Actor, because: str) -> DuplicateGroup:
    """Say that the agents of a group do different jobs; nobody is asked again as they are.

    Records: duplicates.separated.
    Raises: GroupNotFound, GroupSettled, ReasonNeeded, NotYourAgent.
    """
    why = because.strip()
    if not why:
        raise ReasonNeeded
    group, agents = _held(public_id, actor)
    _settle(group, State.DIFFERENT, actor, why, None)
    now = clock.now()
    ordered = sorted(agents, key=lambda agent: agent.pk)
    for at, one in enumerate(ordered):
        for other in ordered[at + 1 :]:
            Different.objects.update_or_create(
                one=one,
                other=other,
                defaults={
                    "one_material": material_of(one),
                    "other_material": material_of(other),
                    "because": why[:2000],
                    "said_by": str(actor.ref),
                    "said_at": now,
                },
            )
    _record(Verb.DUPLICATES_SEPARATED, group, agents, actor, why, None)
    return group


@transaction.atomic
def reopen_group(public_id: str, *, actor: Actor, because: str) -> DuplicateGroup:
    """Take back what was said of a group; its agents are compared again.

    Records: duplicates.reopened.
    Raises: GroupNotFound, GroupSettled, ReasonNeeded, NotYourAgent.
    """
    why = because.strip()
    if not why:
        raise ReasonNeeded
    group = group_for(actor, public_id)
    agents = _agents(group)
    _require(actor, agents)
    moved = DuplicateGroup.objects.filter(
        pk=group.pk, state__in=[State.CONFIRMED, State.DIFFERENT]
    ).update(
        state=State.GONE, because=why[:2000], settled_at=clock.now(), settled_by=str(actor.ref)
    )
    if not moved:
        raise GroupSettled("This group is open, or was taken back already.")
    pks = [agent.pk for agent in agents]
    Different.objects.filter(one__in=pks, other__in=pks).delete()
    group.members.filter(step=Step.ASKED).update(step=Step.DROPPED)
    LookMark.objects.update(fleet="")  # the next look compares them again
    _record(Verb.DUPLICATES_REOPENED, group, agents, actor, why, None)
    group.refresh_from_db()
    return group


def _tell(group: DuplicateGroup, survivor: Agent, others: list[Agent]) -> None:
    """Tell the owners of what is to go, and of what depends on it."""
    for agent in others:
        dependants = dependants_of(agent)
        people = {each.owner for each in (agent, *dependants)}
        tell(
            key=f"duplicates:{group.public_id}:{agent.public_id}",
            kind="worth",
            subject=agent.ref,
            title=f"{agent.name} does the same job as {survivor.name}",
            lines=[
                f"People confirmed it, and {survivor.name} survives.",
                f"Whoever calls {agent.name} is asked to move; its owner then deprecates it.",
                *(f"{each.name} lets it act on its behalf." for each in dependants[:20]),
            ],
            path=f"/worth/duplicates/{group.public_id}/",
            people=people,
        )


def _held(public_id: str, actor: Actor) -> tuple[DuplicateGroup, list[Agent]]:
    group = group_for(actor, public_id)
    agents = _agents(group)
    _require(actor, agents)
    return group, agents


def _agents(group: DuplicateGroup) -> list[Agent]:
    rows = group.members.select_related("agent", "agent__owner", "agent__backup_owner")
    return [row.agent for row in rows]


def _require(actor: Actor, agents: list[Agent]) -> None:
    is_owner = any(answers_for(actor, agent) for agent in agents)
    if not is_owner and not actor.has(Role.PLATFORM):
        raise NotYourAgent(
            "Who answers for one of these agents, or platform, says what they are.",
            rule="fleet.duplicates",
        )


def _settle(
    group: DuplicateGroup, state: str, actor: Actor, because: str, survivor: Agent | None
) -> None:
    moved = DuplicateGroup.objects.filter(pk=group.pk, state=State.OPEN).update(
        state=state, survivor=survivor, because=because.strip()[:2000],
        settled_at=clock.now(), settled_by=str(actor.ref),
    )  # fmt: skip
    if not moved:
        raise GroupSettled
    group.members.update(is_open=False)
    group.refresh_from_db()


def _record(
    verb: Verb, group: DuplicateGroup, agents: list[Agent], actor: Actor, why: str,
    survivor: Agent | None,
) -> None:  # fmt: skip
    record(
        verb,
        group.ref,
        actor=actor.ref,
        facts={
            "agents": [agent.public_id for agent in agents][:50],
            "survivor": survivor.public_id if survivor is not None else None,
        },
        payload=why.encode() or None,
    )
