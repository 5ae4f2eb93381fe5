"""Holding what a run did against what its agent declares: the cheapest alignment of the two.

The model, in one sentence: steps come in the declared order, any part may be gone through
again, and no step that leaves a trace may be passed over. Pure: labels in, findings out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

START: Final = "^"
END: Final = "$"
MISSING, UNEXPECTED, ORDER = "missing", "unexpected", "order"


@dataclass(frozen=True, slots=True)
class Step:
    """One declared step, as far as an alignment needs it."""

    name: str
    is_required: bool  # passing it over is a deviation


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where run and declaration differ: which step, and behind which one."""

    kind: str
    step: str
    after: str


@dataclass(frozen=True, slots=True)
class Alignment:
    """What fits, and what does not. ``path`` names a declared step as ``=name``."""

    path: tuple[str, ...]
    findings: tuple[Finding, ...]
    cost: int
    worst: int

    @property
    def deviates(self) -> bool:
        return self.cost > 0

    @property
    def fitness_permille(self) -> int:
        """1000 for a run that fits, 0 for one of which nothing does; never 1000 otherwise."""
        if self.cost == 0:
            return 1000
        return min(999, round(1000 * (1 - self.cost / max(self.worst, 1))))


# How a place was come to: (the place before, whether the event fits a step).
_Move = tuple[int, bool]


def align(
    events: Sequence[str], steps: Sequence[Step], fits: Callable[[str, int], bool]
) -> Alignment:
    """Return the cheapest way to read events as the declared steps.

    ``fits(event, i)`` says whether an event may be step i. Standing at step p, the next event
    that fits step q costs the required steps between them (nothing when q is not ahead); one
    that fits nowhere, or where nothing is gained by it, costs one and stays.
    """
    passed = _passed(steps)
    costs = _beginning(len(steps))
    moves: list[list[_Move]] = []
    for event in events:
        costs, taken = _advance(event, costs, passed, steps, fits)
        moves.append(taken)
    last = min(range(len(costs)), key=lambda p: (costs[p] + passed[-1] - passed[p], -p))
    cost = costs[last] + passed[-1] - passed[last]
    return _read(events, steps, moves, last, (cost, len(events) + passed[-1]), fits)


def collapsed(events: Sequence[str]) -> list[str]:
    """Return the events without those that only repeat the one before: repeating is free."""
    return [event for at, event in enumerate(events) if at == 0 or events[at - 1] != event]


def _passed(steps: Sequence[Step]) -> list[int]:
    """How many required steps lie up to each place; place 0 is before the first step."""
    passed = [0]
    for step in steps:
        passed.append(passed[-1] + step.is_required)
    return passed


def _beginning(steps: int) -> list[int]:
    return [0] + [1 << 30] * steps


def _advance(
    event: str, costs: list[int], passed: list[int], steps: Sequence[Step],
    fits: Callable[[str, int], bool],
) -> tuple[list[int], list[_Move]]:  # fmt: skip
    # Staying and not fitting is always possible; fitting is preferred where it costs the same.
    found = [cost + 1 for cost in costs]
    taken: list[_Move] = [(place, False) for place in range(len(costs))]
    behind = _cheapest_behind(costs)
    ahead, ahead_from = 1 << 30, 0  # the cheapest place before q - 1, with its steps added
    for q in range(1, len(costs)):
        if q >= 2 and costs[q - 2] - passed[q - 2] < ahead:
            ahead, ahead_from = costs[q - 2] - passed[q - 2], q - 2
        if not fits(event, q - 1):
            continue
        cost, place = behind[q - 1]
        if ahead + passed[q - 1] < cost:
            cost, place = ahead + passed[q - 1], ahead_from
        if cost <= found[q]:
            found[q], taken[q] = cost, (place, True)
    return found, taken


def _cheapest_behind(costs: list[int]) -> list[tuple[int, int]]:
    """For each place, the cheapest of it and all after it: from there one goes back for nothing."""
    best: list[tuple[int, int]] = [(0, 0)] * len(costs)
    least = (1 << 30, 0)
    for place in range(len(costs) - 1, -1, -1):
        least = min(least, (costs[place], place))
        best[place] = least
    return best


def _read(
    events: Sequence[str], steps: Sequence[Step], moves: list[list[_Move]], last: int,
    costs: tuple[int, int], fits: Callable[[str, int], bool],
) -> Alignment:  # fmt: skip
    way: list[tuple[int, int, bool]] = []  # from, to, fits
    place = last
    for taken in reversed(moves):
        before, is_fit = taken[place]
        way.append((before, place, is_fit))
        place = before
    way.reverse()
    path: list[str] = []
    findings: list[Finding] = []
    for event, (before, place, is_fit) in zip(events, way, strict=True):
        after = path[-1] if path else START
        if is_fit:
            findings += _left_out(steps, before, place - 1, after)
            path.append(f"={steps[place - 1].name}")
            continue
        known = next((step.name for at, step in enumerate(steps) if fits(event, at)), "")
        kind = ORDER if known else UNEXPECTED
        path.append(f"={known}" if known else event)
        findings.append(Finding(kind, path[-1], after))
    findings += _left_out(steps, last, len(steps), path[-1] if path else START)
    return Alignment(tuple(path), _told_once(findings), *costs)


def _left_out(steps: Sequence[Step], since: int, until: int, after: str) -> list[Finding]:
    return [
        Finding(MISSING, f"={step.name}", after) for step in steps[since:until] if step.is_required
    ]


def _told_once(findings: list[Finding]) -> tuple[Finding, ...]:
    """A step that came at the wrong time is out of order, and not left out as well."""
    misplaced = {each.step for each in findings if each.kind == ORDER}
    return tuple(each for each in findings if each.kind != MISSING or each.step not in misplaced)
