"""The rule of the deadline, of one move or of a campaign: pause, or move to a named model.

Owns what makes a rule one that can be kept. It is looked at again when it is carried out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from fleet.campaigns.actions.recording import note_move
from fleet.campaigns.errors import CampaignOver, FallbackUnusable, MoveImpossible, MoveOver
from fleet.campaigns.models import PAUSE, Move
from fleet.campaigns.queries.campaigns import require_say
from fleet.campaigns.queries.candidates import candidate_of
from kernel.errors import NotFound
from ledger.verbs import Verb
from registry.actors import Actor
from routing.models import Model
from routing.queries.vendors import model_for


@transaction.atomic
def set_fallback(move: Move, rule: Mapping[str, Any] | None, *, actor: Actor) -> Move:
    """Say what happens at the deadline: pause, or move to a model; None: as the campaign says.

    Records: move.ruled. Raises: NotYourMove, CampaignOver, FallbackUnusable, MoveOver.
    """
    require_say(actor, move)
    require_open(move)
    kept = None if rule is None else checked_rule(rule, move, actor)
    rows = Move.objects.filter(pk=move.pk, ended_at__isnull=True)
    if not rows.update(fallback=kept):
        raise MoveOver(move.ended_why)
    move.refresh_from_db()
    said = "as the campaign says" if kept is None else str(kept["rule"])
    facts = {"rule": said, "to": str((kept or {}).get("to", ""))}
    note_move(move, Verb.MOVE_RULED, actor=actor, facts={**facts})
    return move


def checked_rule(rule: Mapping[str, Any], move: Move | None, actor: Actor) -> dict[str, Any]:
    """Return a rule for the deadline as it is kept. Raises: FallbackUnusable."""
    if dict(rule) == PAUSE:
        return dict(PAUSE)
    if set(rule) != {"rule", "to"} or rule["rule"] != "move" or not isinstance(rule["to"], str):
        raise FallbackUnusable(
            'Say {"rule": "pause"}, or {"rule": "move", "to": "mod_…"}.', field="fallback"
        )
    try:
        model = wanted_model(actor, rule["to"])
    except MoveImpossible as error:
        raise FallbackUnusable(error.detail, field="fallback") from None
    if move is not None and (found := candidate_of(move, model)).is_refused:
        raise FallbackUnusable(
            f"{move.agent.name} cannot move to {model}: {found.why_not}.", field="fallback"
        )
    return {"rule": "move", "to": model.public_id}


def wanted_model(actor: Actor, public_id: str) -> Model:
    """Return the model that somebody names. Raises: MoveImpossible."""
    try:
        return model_for(actor, public_id)
    except NotFound:
        raise MoveImpossible(f"There is no model {public_id[:80]!r}.", field="model") from None


def require_open(move: Move) -> None:
    """Raises: CampaignOver, MoveOver."""
    if not move.campaign.is_open:
        raise CampaignOver(move.campaign.ended_why, state=move.campaign.state)
    if move.is_over:
        raise MoveOver(f"{move.agent.name}: {move.ended_why}", state=move.state)
