"""Evaluations as they are listed and found, for whoever may see them.

An evaluation shows how an agent's calls went, so it is for those who see the agent's runs:
who answers for it, its team, and those who govern. Who may begin one is asked here as well.
"""

from __future__ import annotations

from django.db.models import QuerySet

from fleet.evaluations.errors import EvaluationNotFound, MayNotEvaluate
from fleet.evaluations.models import Evaluation
from registry.actors import Actor
from registry.models import Agent, Role
from registry.queries.agents import answers_for
from routing.queries.calls import agents_of_seen_runs


def evaluations_for(actor: Actor, agent: Agent | None = None) -> QuerySet[Evaluation]:
    """Return the evaluations that a viewer may see."""
    found = Evaluation.objects.select_related("agent", "agent__owner", "baseline__vendor")
    if agent is not None:
        found = found.filter(agent=agent)
    seen = agents_of_seen_runs(actor)
    return found if seen is None else found.filter(agent__in=seen)


def evaluation_for(actor: Actor, public_id: str) -> Evaluation:
    """Return one evaluation. Raises: EvaluationNotFound."""
    said = "" if "\x00" in public_id else public_id
    found = evaluations_for(actor).filter(public_id=said).first()
    if found is None:
        raise EvaluationNotFound(f"There is no evaluation {said[:60]!r}, or you may not see it.")
    return found


def may_evaluate(actor: Actor, agent: Agent) -> bool:
    """Tell whether somebody may spend an agent's budgets on comparing models."""
    return answers_for(actor, agent) or actor.has(Role.PLATFORM, Role.SECURITY)


def require_evaluate(actor: Actor, agent: Agent) -> None:
    """Raises: MayNotEvaluate."""
    if not may_evaluate(actor, agent):
        raise MayNotEvaluate(
            "Its owner, its backup owner, platform and security may evaluate models for an agent:"
            " the calls count against its budgets.",
            rule="evaluations.may_evaluate",
        )
