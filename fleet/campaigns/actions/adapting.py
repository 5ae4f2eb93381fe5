"""Saying that an agent was adapted to what its vendor changed: it stays, and needs no move.

Only where the model goes on: from one that ends, an agent is moved or paused.
"""

from __future__ import annotations

from django.db import transaction

from fleet.campaigns.actions.choosing import said_why
from fleet.campaigns.actions.recording import must_turn, note_move
from fleet.campaigns.actions.ruling import require_open
from fleet.campaigns.errors import MoveImpossible
from fleet.campaigns.models import Campaign, Move
from fleet.campaigns.queries.campaigns import require_say
from ledger.verbs import Verb
from registry.actors import Actor

State = Move.State
ADAPTABLE = (State.OPEN, State.CONTESTED, State.EVALUATING, State.READY)
_WHY = "It was adapted to the change, and stays."


@transaction.atomic
def say_adapted(move: Move, why: str, *, actor: Actor) -> Move:
    """Say that an agent was adapted to a changed price, limit, address or API version.

    Records: move.adapted, move.ended. Raises: NotYourMove, CampaignOver, MoveImpossible,
    ReasonMissing, MoveOver, MoveUnderWay.
    """
    require_say(actor, move)
    require_open(move)
    if move.campaign.kind == Campaign.Kind.RETIREMENT:
        raise MoveImpossible("The model ends: an agent cannot adapt to that. Choose another model.")
    reason = said_why(why)
    must_turn(
        move, State.UNNEEDED, *ADAPTABLE, why=_WHY, adapted_by=str(actor.ref),
        adapted_why=reason, evaluation_id="",
    )  # fmt: skip
    note_move(move, Verb.MOVE_ADAPTED, actor=actor, said=reason)
    note_move(move, Verb.MOVE_ENDED, actor=actor, facts={"why": "adapted"})
    return move
