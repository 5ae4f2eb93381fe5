"""An agent that is retired is evaluated no more: what runs is cancelled, reports stay."""

from __future__ import annotations

from fleet.evaluations.actions.ending import cancel_evaluation
from fleet.evaluations.models import Evaluation
from registry.actors import Actor
from registry.models import Agent


class CancelledEvaluations:
    """Cancels what runs for a retired agent."""

    noun = "evaluation"
    after_return = "An evaluation that was cancelled is begun anew."

    def stop(self, agent: Agent, *, actor: Actor) -> int:
        running = Evaluation.objects.filter(agent=agent, state=Evaluation.State.RUNNING)
        found = list(running.select_related("agent").order_by("pk"))
        for evaluation in found:
            cancel_evaluation(evaluation, actor=actor)
        return len(found)
