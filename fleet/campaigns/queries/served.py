"""Which agents another model serves already.

Owns what that means: a shift of all of an agent's runs, in force, to a model that is enabled.
Nothing pauses such an agent or moves it back, from whatever cutover its shift came.
"""

from __future__ import annotations

from django.db.models import OuterRef, QuerySet

from registry.models import Agent
from routing.models import Model, Shift


def served_by(agent: Agent, model: Model) -> Model | None:
    """Return what serves an agent in a model's place; None where nothing does for all its runs."""
    shift = _serving().filter(agent_id=agent.public_id, source=model).select_related("target")
    found = shift.first()
    return found.target if found is not None else None


def serving_of_moves() -> QuerySet[Shift]:
    """Return what serves a move's agent in the place of its campaign's model; for a subquery."""
    return _serving().filter(
        agent_id=OuterRef("agent__public_id"), source=OuterRef("campaign__model")
    )


def _serving() -> QuerySet[Shift]:
    return Shift.objects.filter(
        percent=100, ended_at__isnull=True, target__isnull=False,
        target__disabled_at__isnull=True, target__vendor__disabled_at__isnull=True,
    )  # fmt: skip
