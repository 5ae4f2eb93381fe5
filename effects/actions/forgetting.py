"""Taking out of the inventory what an agent of the demo company proposed."""

from __future__ import annotations

from typing import Final

from django.db import transaction

from effects.actions.withdrawing import withdraw_proposal
from effects.models import AskedAgain, Correction, Demotion, Effect, Gate, Interrupt, Proposal
from registry.actors import Actor
from registry.errors.agents import DraftHasRun
from registry.models import Agent, Role

_UNDECIDED: Final = (Proposal.State.PROPOSED, Proposal.State.APPROVED)


@transaction.atomic
def forget_proposals(agent: Agent, *, actor: Actor) -> None:
    """Delete the rows of a demo agent's proposals; what waits is withdrawn first.

    Records: proposal.withdrawn, review.withdrawn. Raises: RoleMissing, DraftHasRun (no demo
    agent).
    """
    actor.require(Role.PLATFORM)
    if not agent.is_demo:
        raise DraftHasRun(f"{agent.name} is no demo data; what it proposed stays.")
    mine = Proposal.objects.filter(agent=agent)
    for public_id in mine.filter(state__in=_UNDECIDED).values_list("public_id", flat=True):
        withdraw_proposal(public_id, actor=Actor.agent(agent.ref))
    for rows in (
        Correction.objects.filter(proposal__in=mine),
        Gate.objects.filter(proposal__in=mine),
        Effect.objects.filter(proposal__in=mine),
        AskedAgain.objects.filter(proposal__in=mine),
        Interrupt.objects.filter(agent=agent),
        Demotion.objects.filter(agent=agent),
        mine,
    ):
        rows.delete()
