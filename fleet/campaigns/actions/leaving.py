"""An agent that is retired needs no move any more; the campaign says so and goes on.

If it comes back and touches the model again, the campaign's next look opens its move again.
"""

from __future__ import annotations

from typing import Final

from django.db import transaction

from fleet.campaigns.actions.recording import note_move, turn
from fleet.campaigns.models import OVER, Move
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Agent

State = Move.State
_LEAVING: Final = tuple(state for state in State if state not in OVER)
_WHY: Final = "The agent is retired."


class EndedMoves:
    """Ends the moves of a retired agent."""

    noun = "move"
    after_return = "A move opens again when it touches the model."

    def stop(self, agent: Agent, *, actor: Actor) -> int:
        return end_moves_of(agent, actor=actor)


@transaction.atomic
def end_moves_of(agent: Agent, *, actor: Actor) -> int:
    """End every move of one agent that is not over; return how many were.

    Records: move.ended, for each.
    """
    ended = 0
    rows = Move.objects.filter(agent=agent, ended_at__isnull=True)
    for move in rows.select_related("agent", "campaign").order_by("pk"):
        if turn(move, State.UNNEEDED, *_LEAVING, why=_WHY):
            note_move(move, Verb.MOVE_ENDED, actor=actor, facts={"why": "retired"})
            ended += 1
    return ended
