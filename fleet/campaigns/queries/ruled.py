"""What the rule of a move would do now: which model it leads to, or why it cannot be kept."""

from __future__ import annotations

from dataclasses import dataclass

from fleet.campaigns.models import Move
from fleet.campaigns.queries.candidates import candidate_of
from routing.models import Model


@dataclass(frozen=True, slots=True)
class Ruled:
    """Where a rule moves to. Without a target it pauses; ``why_not`` says so of a broken one."""

    target: Model | None = None
    why_not: str = ""


def ruled(move: Move) -> Ruled:
    """Look at the rule of a move as things stand."""
    rule = move.rule
    if rule["rule"] != "move":
        return Ruled()
    model = Model.objects.select_related("vendor").filter(public_id=rule["to"]).first()
    if model is None:
        return Ruled(why_not="the model that it was to move to is gone")
    found = candidate_of(move, model)
    if found.is_refused:
        return Ruled(why_not=f"it cannot move to {model}: {found.why_not}")
    return Ruled(model)
