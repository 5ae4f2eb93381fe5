"""An agent that is retired leaves the cutovers that are under way; the others in them go on.

One that a deadline or a person stops leaves those that only wait for signatures.
Owns that no cutover waits for a signature or for calls that never come. A move that is done
stays: if the agent comes back, it comes back to the model that took the old one's place.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from django.db import transaction

from fleet.cutovers.actions.moving import end_unstarted
from fleet.cutovers.actions.noting import MOVER, hold_cutover, note
from fleet.cutovers.actions.signing import start_if_agreed
from fleet.cutovers.errors import SignatureVoid
from fleet.cutovers.models import Cutover, CutoverAgent
from fleet.cutovers.queries.cutovers import rows_of
from kernel import clock
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Agent
from routing.actions.shifting import end_shifts
from routing.models import Model, Shift

State, Row = Cutover.State, CutoverAgent.State
_OPEN: Final = (State.SIGNING, *Cutover.MOVING)
_IN_IT: Final = (Row.WAITING, Row.SIGNED, Row.SHIFTING)
_WHY: Final = "The agent is retired."


class LeftCutovers:
    """Takes a retired agent out of what is under way."""

    noun = "cutover"
    after_return = "A cutover that it was in is begun anew."

    def stop(self, agent: Agent, *, actor: Actor) -> int:
        rows = CutoverAgent.objects.filter(agent=agent, state__in=_IN_IT, cutover__state__in=_OPEN)
        found = list(rows.order_by("cutover_id").values_list("cutover__public_id", flat=True))
        return sum(leave_cutover(public_id, agent, actor=actor) for public_id in found)


@transaction.atomic
def leave_cutover(public_id: str, agent: Agent, *, actor: Actor) -> bool:
    """Leave a retired agent out; a cutover of which nobody is left is over. Say whether it was in.

    Records: cutover.left, shift.ended; cutover.cancelled or cutover.started, as it follows.
    """
    cutover = hold_cutover(public_id)
    if cutover.state not in _OPEN or not _leave(cutover, agent, _WHY, actor):
        return False
    _start_rest(cutover, actor)
    return True


@transaction.atomic
def leave_waiting(
    agent: Agent, source: Model, *, why: str, actor: Actor, starts_rest: bool = False
) -> int:
    """Leave one agent out of what waits for signatures to move it away from a model.

    What has started is not touched. Without ``starts_rest`` those who signed wait on.
    Records: cutover.left; cutover.cancelled or cutover.started, as it follows.
    """
    rows = CutoverAgent.objects.filter(
        agent=agent, state__in=_IN_IT, cutover__state=State.SIGNING, cutover__source=source
    )
    left = 0
    for public_id in list(rows.order_by("cutover_id").values_list("cutover__public_id", flat=True)):
        cutover = hold_cutover(public_id)
        if cutover.state == State.SIGNING and _leave(cutover, agent, why, actor):
            left += 1
            if starts_rest:
                _start_rest(cutover, actor)
    return left


def _leave(cutover: Cutover, agent: Agent, why: str, actor: Actor) -> bool:
    row = rows_of(cutover).filter(agent=agent, state__in=_IN_IT).first()
    if row is None:
        return False
    shifts = list(Shift.objects.filter(public_id=row.shift, ended_at=None)) if row.shift else []
    if shifts:
        end_shifts(shifts, reason=why, actor=MOVER, subject=cutover.ref)
    row.state, row.why, row.changed_at = Row.LEFT_OUT, why, clock.now()
    row.save(update_fields=["state", "why", "changed_at"])
    note(Verb.CUTOVER_LEFT, cutover, f"{agent.name} is left out. {why}", actor=actor, agent=agent)
    if not rows_of(cutover).filter(state__in=_IN_IT).exists():
        end_unstarted(cutover, actor=actor, reason=f"No agent is left in it. {why}")
    return True


def _start_rest(cutover: Cutover, actor: Actor) -> None:
    if cutover.state == State.SIGNING:
        with suppress(SignatureVoid):  # then it waits for others to sign anew, not for this one
            start_if_agreed(cutover, actor=actor)
