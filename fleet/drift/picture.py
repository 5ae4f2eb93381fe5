"""A plan's rounds as three small pictures, each with the changes marked where they were seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from fleet.drift.models import Change, Probe, Round
from fleet.templatetags.drawing import spark
from fleet.templatetags.figures import duration, money, percent

Figure = Change.Figure
_MARKS: Final = {
    "quality": {Figure.QUALITY, Figure.ANSWERED, Figure.FINGERPRINT},
    "latency": {Figure.LATENCY, Figure.FINGERPRINT},
    "cost": {Figure.COST},
}


@dataclass(frozen=True, slots=True)
class Picture:
    """One figure, round by round, the oldest first."""

    label: str
    line: str
    area: str
    marks: list[float]  # where a change was seen, of 100
    first: str
    last: str

    @property
    def words(self) -> str:
        """What the picture shows, for those who do not see it."""
        changes = f", {len(self.marks)} changes marked" if self.marks else ""
        return f"{self.label}: from {self.first} to {self.last}{changes}"


@dataclass(frozen=True, slots=True)
class RoundFigures:
    """What one round came to."""

    round: Round
    asked: int
    held: int
    failed: int
    unanswered: int
    median_ms: int | None
    cost_micros: int | None
    models: list[str]
    fingerprints: list[str]

    @property
    def share(self) -> float | None:
        judged = self.held + self.failed
        return self.held / judged if judged else None


def figures_of(found: Round) -> RoundFigures:
    """Return what a round came to, of its probes that were fetched with it."""
    probes: list[Probe] = list(found.probes.all())
    answered = [one for one in probes if one.status == Probe.Status.OK]
    times = [one.duration_ms for one in answered if one.duration_ms is not None]
    costs = [one.cost_micros for one in answered if one.cost_micros is not None]
    return RoundFigures(
        found,
        asked=len(probes),
        held=sum(one.holds is True for one in answered),
        failed=sum(one.holds is False for one in answered),
        unanswered=len(probes) - len(answered),
        median_ms=round(median(times)) if times else None,
        cost_micros=sum(costs) if costs else None,
        models=sorted({one.reported_model for one in answered} - {""}),
        fingerprints=sorted({one.fingerprint for one in answered} - {""}),
    )


def pictures_of(
    rounds: Sequence[RoundFigures], changes: Sequence[Change], currency: str
) -> list[Picture]:
    """Draw quality, time and cost of rounds that are given the newest first."""
    ordered = [one for one in reversed(rounds) if one.share is not None]
    if not ordered:
        return []
    times = [float(one.median_ms or 0) for one in ordered]
    costs = [float(one.cost_micros or 0) for one in ordered]
    quality = [one.share or 0.0 for one in ordered]
    ends = (0, -1)
    drawn = (
        ("quality", "Cases that hold", quality, [percent(quality[at], 0) for at in ends]),
        ("latency", "Time of an answer", times, [duration(times[at]) for at in ends]),
        ("cost", "Cost of a round", costs, [money(int(costs[at]), currency) for at in ends]),
    )
    return [
        Picture(
            label,
            spark(values)["line"],
            spark(values)["area"],
            _marks(ordered, [each for each in changes if each.figure in _MARKS[name]]),
            *said,
        )
        for name, label, values, said in drawn
    ]


def _marks(rounds: Sequence[RoundFigures], changes: Sequence[Change]) -> list[float]:
    step = 100 / max(len(rounds) - 1, 1)
    places = set()
    for change in changes:
        before = [at for at, one in enumerate(rounds) if one.round.began_at <= change.seen_at]
        if before:
            places.add(round(before[-1] * step, 2))
    return sorted(places)
