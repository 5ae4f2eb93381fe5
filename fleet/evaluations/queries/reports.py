"""What other parts ask of evaluations: the latest on a pair of models, and whether it still holds.

A passed evaluation speaks of one version of an agent under one set of criteria. Where either
has changed since, it is stale: it says why, and binds nobody any more.
"""

from __future__ import annotations

from fleet.evaluations.models import Arm, Evaluation
from fleet.evaluations.queries.criteria import criteria_of
from registry.models import Agent
from routing.models import Model


def latest_for(agent: Agent, baseline: Model, candidate: Model) -> Evaluation | None:
    """Return the newest evaluation of a candidate against a baseline that was not cancelled."""
    return (
        Evaluation.objects.filter(agent=agent, baseline=baseline)
        .filter(arms__kind=Arm.Kind.CANDIDATE, arms__model=candidate)
        .exclude(state=Evaluation.State.CANCELLED)
        .select_related("agent", "baseline__vendor")
        .order_by("-id")
        .first()
    )


def verdict_on(evaluation: Evaluation, candidate: Model) -> str:
    """Return what an evaluation says of one candidate: passed, failed, inconclusive or running."""
    if evaluation.state in {Evaluation.State.RUNNING, Evaluation.State.CANCELLED}:
        return evaluation.state
    arm = evaluation.arms.filter(kind=Arm.Kind.CANDIDATE, model=candidate).first()
    return arm.verdict if arm is not None else Evaluation.State.INCONCLUSIVE.value


def stale_because(evaluation: Evaluation) -> str:
    """Return why an evaluation speaks of what is no longer so; empty while it holds."""
    agent = evaluation.agent
    if version_digest(agent) != evaluation.version_digest:
        return "The agent has another version since."
    if criteria_of(agent).digest != evaluation.criteria_digest:
        return "The criteria have changed since."
    return ""


def is_good(evaluation: Evaluation, candidate: Model) -> bool:
    """Tell whether a candidate passed, and what passed still holds."""
    return verdict_on(evaluation, candidate) == Evaluation.State.PASSED and not stale_because(
        evaluation
    )


def version_digest(agent: Agent) -> str:
    """Return the digest of the manifest in force; empty before there is one."""
    return agent.current_version.digest if agent.current_version is not None else ""
