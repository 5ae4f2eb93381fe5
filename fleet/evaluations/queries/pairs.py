"""Pairs of answers as a report lists them: the worst first, narrowed to one axis."""

from __future__ import annotations

from typing import Final

from django.db.models import Q, QuerySet

from fleet.evaluations.errors import PairNotFound
from fleet.evaluations.models import Arm, Asking, Evaluation

# What a list of pairs may be narrowed to: those that differ in this.
AXES: Final[dict[str, tuple[str, Q]]] = {
    "golden": ("Golden cases that do not hold", Q(outcome__golden__ok=False)),
    "failures": ("Not answered", Q(outcome__answered=False)),
    "format": ("Another form", Q(outcome__format__ok=False)),
    "tools": ("Other tools", Q(outcome__tools__names=False)),
    "arguments": ("Other arguments", Q(outcome__tools__arguments=False)),
    "refusals": ("Refused", ~Q(outcome__refusal="") & Q(outcome__answered=True)),
    "text": ("Another text", Q(outcome__text__normalised=False)),
}


def pairs_of(evaluation: Evaluation, *, arm: str = "", axis: str = "") -> QuerySet[Asking]:
    """Return the compared pairs of an evaluation, the worst first."""
    rows = (
        Asking.objects.filter(
            arm__evaluation=evaluation,
            arm__kind__in=(Arm.Kind.CANDIDATE, Arm.Kind.AGAIN),
            outcome__isnull=False,
        )
        .select_related("arm", "case", "case__golden")
        .order_by("-badness", "id")
    )
    rows = rows.filter(arm__target=arm) if arm else rows.filter(arm__kind=Arm.Kind.CANDIDATE)
    return rows.filter(AXES[axis][1]) if axis in AXES else rows


def pair_of(evaluation: Evaluation, arm_id: str, case_id: str) -> Asking:
    """Return one pair by its arm's run and its case. Raises: PairNotFound."""
    if "\x00" in arm_id + case_id:
        raise PairNotFound
    rows = Asking.objects.filter(arm__evaluation=evaluation).select_related(
        "arm", "arm__model", "case", "case__golden"
    )
    found = rows.filter(arm__run_id=arm_id, case__public_id=case_id).first()
    if found is None:
        raise PairNotFound
    return found


def progress_of(evaluation: Evaluation) -> tuple[int, int]:
    """Return how many askings are done, of how many."""
    rows = Asking.objects.filter(arm__evaluation=evaluation)
    return rows.exclude(state=Asking.State.WAITING).count(), rows.count()
