"""What other criteria would make of the evaluations that stand: said before they are set.

Owns that nothing is written and nothing asked: the figures are those of the pairs as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from fleet.evaluations.actions.ending import judge_arm
from fleet.evaluations.criteria import Criteria, read_criteria
from fleet.evaluations.models import Arm
from fleet.evaluations.queries.criteria import criteria_of
from fleet.evaluations.queries.reports import version_digest
from registry.models import Agent

_MOST: Final = 20


@dataclass(frozen=True, slots=True)
class Turn:
    """What one candidate's verdict is, and what it would be."""

    arm: Arm
    before: str
    after: str

    @property
    def is_other(self) -> bool:
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class Preview:
    """Which bounds change, and what comes of it."""

    criteria: Criteria
    changed: list[tuple[str, Any, Any]]  # bound, before, after
    turns: list[Turn]


def preview_criteria(agent: Agent, said: Mapping[str, Any]) -> Preview:
    """Return what new bounds would change, of the newest report on each candidate.

    Records: nothing. Raises: CriteriaInvalid.
    """
    wanted, held = read_criteria(said), criteria_of(agent)
    before, after = held.told(), wanted.told()
    changed = [(name, before[name], after[name]) for name in before if before[name] != after[name]]
    arms = Arm.objects.filter(
        evaluation__agent=agent, evaluation__version_digest=version_digest(agent),
        kind=Arm.Kind.CANDIDATE,
    ).exclude(verdict="").select_related("evaluation__agent").order_by("-id")  # fmt: skip
    newest: dict[tuple[str, str], Arm] = {}
    for arm in arms[:200]:
        newest.setdefault((arm.evaluation.baseline_name, arm.target), arm)
    turns = [
        Turn(arm, arm.verdict, judge_arm(arm.evaluation, arm, wanted).verdict)
        for arm in list(newest.values())[:_MOST]
    ]
    return Preview(wanted, changed, turns)
