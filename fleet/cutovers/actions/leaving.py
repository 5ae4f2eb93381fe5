"""An agent that is retired leaves the cutovers that are under way; the others in them go on.

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
from routing.models import Shift

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
    """Leave one agent out; a cutover of which nobody is left is over. Say whether it was in it.

    Records: cutover.left, shift.ended; cutover.cancelled or cutover.started, as it follows.
    """
    cutover = hold_cutover(public_id)
    row = rows_of(cutover).filter(agent=agent, state__in=_IN_IT).first()
    if row is None or cutover.state not in _OPEN:
        return False
    shifts = list(Shift.objects.filter(public_id=row.shift, ended_at=None)) if row.shift else []
    if shifts:
        end_shifts(shifts, reason=_WHY, actor=MOVER, subject=cutover.ref)
    row.state, row.why, row.changed_at = Row.LEFT_OUT, _WHY, clock.now()
    row.save(update_fields=["state", "why", "changed_at"])
    text = f"{agent.name} is left out: it is retired."
    note(Verb.CUTOVER_LEFT, cutover, text, actor=actor, agent=agent)
    if not rows_of(cutover).filter(state__in=_IN_IT).exists():
        end_unstarted(cutover, actor=actor, reason="Every agent that was left in it is retired.")
    elif cutover.state == State.SIGNING:
        with suppress(SignatureVoid):  # then it waits for others to sign anew, not for this one
            start_if_agreed(cutover, actor=actor)
    return True
