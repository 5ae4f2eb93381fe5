"""The evaluations of many agents at once, in a few statements however many they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fleet.evaluations.criteria import DEFAULTS, Criteria
from fleet.evaluations.models import Arm, Evaluation, GateCriteria
from fleet.evaluations.queries.reports import version_digest
from registry.models import Agent
from routing.models import Model


@dataclass(frozen=True, slots=True)
class Report:
    """One agent's evaluation of a candidate, and whether it passed and still holds."""

    evaluation: Evaluation
    is_good: bool


def reports_of(
    agents: Sequence[Agent], baseline: Model, candidate: Model, named: Mapping[str, str]
) -> dict[int, Report]:
    """Return each agent's newest evaluation, or the one that is named by the agent's id.

    What is named and is not this agent's, or not of this baseline, is left out.
    """
    rows = Evaluation.objects.filter(agent__in=agents, baseline=baseline)
    asked = rows.filter(public_id__in=[*named.values()]).order_by("id") if named else []
    by_name = {each.public_id: each for each in asked}
    newest = (
        rows.filter(arms__kind=Arm.Kind.CANDIDATE, arms__model=candidate)
        .exclude(state=Evaluation.State.CANCELLED)
        .order_by("agent_id", "-id")
        .distinct("agent_id")
    )
    latest = {each.agent_id: each for each in newest}
    found: dict[int, Evaluation] = {}
    for agent in agents:
        wanted = named.get(agent.public_id)
        each = by_name.get(wanted) if wanted else latest.get(agent.pk)
        if each is not None and each.agent_id == agent.pk:
            found[agent.pk] = each
    passed = _passed(list(found.values()), candidate)
    criteria = _criteria(list(found))
    return {
        agent.pk: Report(
            each,
            each.pk in passed
            and version_digest(agent) == each.version_digest
            and criteria.get(agent.pk, DEFAULTS.digest) == each.criteria_digest,
        )
        for agent in agents
        if (each := found.get(agent.pk)) is not None
    }


def _passed(evaluations: list[Evaluation], candidate: Model) -> set[int]:
    """Return of which the candidate passed: by its arm, once the evaluation is over."""
    over = [
        each.pk
        for each in evaluations
        if each.state not in {Evaluation.State.RUNNING, Evaluation.State.CANCELLED}
    ]
    arms = Arm.objects.filter(
        evaluation__in=over, kind=Arm.Kind.CANDIDATE, model=candidate, verdict="passed"
    )
    return set(arms.values_list("evaluation_id", flat=True))


def _criteria(agents: list[int]) -> dict[int, str]:
    rows = GateCriteria.objects.filter(agent__in=agents).order_by("agent_id", "-number")
    newest = rows.distinct("agent_id").values_list("agent_id", "said")
    return {agent: Criteria(**said).digest for agent, said in newest}
