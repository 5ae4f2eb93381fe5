"""What a retired agent still holds or has asked for is taken back, one step for each kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.db import transaction

from approvals.actions.ending import withdraw_reviews_of
from credentials.leasing.ending import revoke_leases_of
from effects.actions.withdrawing import void_proposals_of
from fleet.retiring.actions.stepping import take
from fleet.retiring.models import Retirement, Step
from fleet.retiring.ports import stoppers
from registry.actors import Actor
from routing.actions.delegations import end_delegations_of
from routing.actions.reevaluating import cancel_reevaluation
from routing.models import Reevaluation

Name = Step.Name
_WHY: Final = "The agent is retired."


@transaction.atomic
def _leases(retirement: Retirement, *, actor: Actor) -> None:
    count = revoke_leases_of(retirement.agent.public_id, actor=actor.ref, reason=_WHY)
    take(retirement, Name.LEASES, count=count, detail=_said(count, "lease"), actor=actor)


@transaction.atomic
def _delegations(retirement: Retirement, *, actor: Actor) -> None:
    count = end_delegations_of(retirement.agent, actor=actor)
    take(retirement, Name.DELEGATIONS, count=count, detail=_said(count, "delegation"), actor=actor)


@transaction.atomic
def _proposals(retirement: Retirement, *, actor: Actor) -> None:
    count = void_proposals_of(retirement.agent, actor=actor)
    take(retirement, Name.PROPOSALS, count=count, detail=_said(count, "proposal"), actor=actor)


@transaction.atomic
def _reviews(retirement: Retirement, *, actor: Actor) -> None:
    count = withdraw_reviews_of(retirement.agent, actor=actor, reason=_WHY)
    take(retirement, Name.REVIEWS, count=count, detail=_said(count, "review"), actor=actor)


@transaction.atomic
def _schedules(retirement: Retirement, *, actor: Actor) -> None:
    running = Reevaluation.objects.filter(
        agent_id=retirement.agent.public_id, state=Reevaluation.State.RUNNING
    )
    rows = list(running)
    for row in rows:
        cancel_reevaluation(row, actor=actor)
    ended = [(len(rows), "re-evaluation")]
    ended += [(each.stop(retirement.agent, actor=actor), each.noun) for each in stoppers()]
    said = ", ".join(_counted(count, noun) for count, noun in ended if count)
    detail = f"{said} ended." if said else "Nothing was done for it on a schedule."
    count = sum(count for count, _ in ended)
    take(retirement, Name.SCHEDULES, count=count, detail=detail, actor=actor)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _said(count: int, noun: str) -> str:
    return f"{_counted(count, noun)} ended." if count else f"No {noun} was open."


# In their order; each is safe to take again.
STEPS: Final[dict[str, Callable[..., None]]] = {
    Name.LEASES: _leases,
    Name.DELEGATIONS: _delegations,
    Name.PROPOSALS: _proposals,
    Name.REVIEWS: _reviews,
    Name.SCHEDULES: _schedules,
}
