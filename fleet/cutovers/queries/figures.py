"""The figures of a cutover's arms: of each agent and of all, lately and since the step began."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from fleet.cutovers.judging import Breach, breaches, drifts, fails_grossly
from fleet.cutovers.models import Cutover, CutoverAgent
from fleet.cutovers.plan import LEAST_TO_JUDGE, WINDOW_SECONDS
from fleet.cutovers.ports import drift_alerts
from kernel import clock
from routing.arm_sums import Sums
from routing.models import Shift
from routing.queries.shift_sums import Arms, sums_ever, sums_lately, sums_of_step

ARMS = ("source", "target", "behind")


@dataclass
class Sides:
    """What the arms came to."""

    source: Sums = field(default_factory=Sums)
    target: Sums = field(default_factory=Sums)
    behind: Sums = field(default_factory=Sums)

    def add(self, arms: Arms, shift: str) -> None:
        for name in ARMS:
            if (sums := arms.get((shift, name))) is not None:
                getattr(self, name).add(sums.row())

    def beside(self, earlier: Sums) -> Sides:
        """Return these, with the source's earlier figures where it serves nobody any more."""
        has = self.source.calls >= LEAST_TO_JUDGE
        return self if has else Sides(earlier, self.target, self.behind)


@dataclass
class Figures:
    """A cutover's figures at one moment."""

    lately: Sides
    step: Sides
    ever: Sides
    agents: dict[int, list[Breach]]  # which limits an agent passes, by its row
    whole: list[Breach]
    shifts: list[str]
    alerts: int  # of drift


def figures_of(
    cutover: Cutover, rows: Iterable[CutoverAgent], *, of: Collection[int] | None = None
) -> Figures:
    """Read what is known of the arms now, and which limits are passed.

    By which agents is said of those rows alone that are named, where any are.
    """
    listed = [row for row in rows if row.shift]
    names = [row.shift for row in listed]
    changed = dict(Shift.objects.filter(public_id__in=names).values_list("public_id", "changed_at"))
    since = clock.now() - timedelta(seconds=WINDOW_SECONDS)
    if cutover.step_began_at is not None:
        since = max(since, cutover.step_began_at)
    lately, step, ever = sums_lately(names, since), sums_of_step(changed), sums_ever(names)
    alerts = drift_alerts(
        [row.agent.public_id for row in listed],
        cutover.target,
        cutover.started_at or cutover.begun_at,
    )
    found: dict[int, list[Breach]] = {}
    sides = [Sides(), Sides(), Sides()]
    for row in listed:
        own = [Sides(), Sides(), Sides()]
        for side, whole, arms in zip(own, sides, (lately, step, ever), strict=True):
            side.add(arms, row.shift)
            whole.add(arms, row.shift)
        if of is None or row.pk in of:
            found[row.pk] = _passed(cutover, own, alerts.get(row.agent.public_id, 0), len(listed))
    whole_passed = _passed(cutover, sides, 0, len(listed))
    return Figures(
        sides[0], sides[1], sides[2], found, whole_passed, shifts=names, alerts=sum(alerts.values())
    )


def _passed(cutover: Cutover, sides: list[Sides], alerts: int, agents: int) -> list[Breach]:
    """Return what failed outright lately; else the limits passed over the whole step.

    Once it is done nothing is beside the target any more, so only outright failure counts.
    """
    lately, step, ever = sides
    found, now = drifts(alerts, cutover.limits), lately.beside(ever.source)
    found += fails_grossly(now.source, now.target, now.behind, cutover.limits)
    if found or cutover.state not in Cutover.MOVING:
        return found
    whole = step.beside(ever.source)
    return breaches(
        whole.source,
        whole.target,
        whole.behind,
        cutover.limits,
        agents=agents,
        is_one_currency=cutover.source.currency == cutover.target.currency,
    )
