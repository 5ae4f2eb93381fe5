"""What the figures of a candidate come to under the criteria: passed, failed, inconclusive.

Owns the list of axes. A bound that is broken fails; one that nobody can tell yet keeps the
whole open; with fewer runs than are asked for, nothing passes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fleet.evaluations.criteria import Criteria
from fleet.evaluations.gate.figures import (
    FAILED,
    INCONCLUSIVE,
    PASSED,
    SHOWN,
    Axis,
    Figure,
    Row,
    agreement,
    golden,
    ratio,
    shares,
)


def _inside(place: str, name: str) -> Any:
    def read(outcome: Mapping[str, Any]) -> bool | None:
        found = outcome.get(place)
        value = found.get(name) if isinstance(found, Mapping) else None
        return value if isinstance(value, bool) else None

    return read


def _fails(outcome: Mapping[str, Any]) -> bool:
    return not outcome["answered"]


def _refuses(outcome: Mapping[str, Any]) -> bool | None:
    return bool(outcome["refusal"]) if outcome["answered"] else None


FAILURES: Final = Axis(
    "failures", "calls that were not answered", _fails,
    lambda outcome: not outcome["base_answered"], is_bad=True,
)  # fmt: skip
FORMAT: Final = Axis(
    "format", "JSON Schema, declared or inferred", _inside("format", "ok"),
    _inside("format", "base"),
)  # fmt: skip
REFUSALS: Final = Axis(
    "refusals", "stop reasons, and phrases as a guess", _refuses,
    lambda outcome: bool(outcome["base_refusal"]) if outcome["base_answered"] else None,
    is_bad=True,
)  # fmt: skip
NAMES: Final = Axis("tools", "names, in order", _inside("tools", "names"), lambda _: True)
ARGUMENTS: Final = Axis(
    "arguments", "names and arguments, as JSON", _inside("tools", "arguments"), lambda _: True
)
FITTING: Final = Axis(
    "fitting", "arguments by the offered schema", _inside("tools", "fit"),
    _inside("tools", "base_fit"),
)  # fmt: skip
EXACT: Final = Axis("text_exact", "text: exact", _inside("text", "exact"), lambda _: True)
NORMAL: Final = Axis(
    "text_normalised", "text: normalised", _inside("text", "normalised"), lambda _: True
)


CURRENCIES: Final = "the two are paid in different currencies"


@dataclass(frozen=True, slots=True)
class Judged:
    """One candidate: its verdict, and the figures it rests on."""

    verdict: str
    figures: tuple[Figure, ...]
    more_runs: int | None  # None: nobody knows a number that would settle it

    def figure(self, axis: str) -> Figure:
        return next(one for one in self.figures if one.axis == axis)


def judge_candidate(
    rows: Sequence[Row],
    criteria: Criteria,
    *,
    seed: str,
    further: Sequence[Figure] = (),
    is_whole: bool = True,
    is_one_currency: bool = True,
) -> Judged:
    """Judge one candidate by all its pairs. ``further``: what judges and embeddings said."""
    recorded = [row for row in rows if not row.is_golden]
    sure = criteria.confidence
    figures = [
        golden(rows, criteria.golden_least),
        shares(recorded, FAILURES, criteria.failures_margin, sure),
        shares(recorded, FORMAT, criteria.format_margin, sure),
        agreement(recorded, NAMES, criteria.tools_least, criteria.tools_margin, sure),
        agreement(recorded, ARGUMENTS, criteria.tools_least, criteria.tools_margin, sure),
        shares(recorded, FITTING, criteria.format_margin, sure),
        shares(recorded, REFUSALS, criteria.refusals_margin, sure),
        _cost(recorded, criteria, seed) if is_one_currency else _unknown_cost(seed, CURRENCIES),
        _time(recorded, criteria, seed),
        _shown(agreement(recorded, EXACT, 0.0, 0.0, sure)),
        _text(recorded, criteria),
        *further,
    ]
    verdict, more = _whole(figures, _runs(recorded), criteria)
    if verdict == PASSED and not is_whole:
        verdict = INCONCLUSIVE
    return Judged(verdict, tuple(figures), more)


def _whole(figures: Sequence[Figure], runs: int, criteria: Criteria) -> tuple[str, int | None]:
    if any(one.verdict == FAILED for one in figures):
        return FAILED, 0
    unsettled = [one for one in figures if one.verdict == INCONCLUSIVE]
    missing = max(0, criteria.least_runs - runs)
    if not unsettled:
        return (INCONCLUSIVE, missing) if missing else (PASSED, 0)
    wanted = [one.more_runs for one in unsettled]
    known = [number for number in wanted if number is not None]
    return INCONCLUSIVE, max([missing, *known]) if len(known) == len(wanted) else None


def _cost(rows: Sequence[Row], criteria: Criteria, seed: str) -> Figure:
    by_again = any(row.again is not None for row in rows)
    given = []
    for row in rows:
        if not row.outcome["answered"]:
            continue
        if by_again:
            one = row.again.get("cost_micros") if row.again is not None else None
        else:
            one = row.outcome.get("base_cost_micros")
        given.append((row.run_id, one, row.outcome.get("cost_micros")))
    if all(one is None for _, one, _ in given) and given:
        return _unknown_cost(seed, "the price of the baseline is unknown")
    return ratio(
        given, axis="cost", yardstick="again" if by_again else "recorded",
        bound=criteria.cost_ratio, seed=seed, confidence=criteria.confidence,
    )  # fmt: skip


def _unknown_cost(seed: str, why: str) -> Figure:
    figure = ratio([], axis="cost", yardstick="", bound=0, seed=seed, confidence=0.95)
    figure.note, figure.verdict = why, SHOWN
    return figure


def _time(rows: Sequence[Row], criteria: Criteria, seed: str) -> Figure:
    by_again = any(row.again is not None for row in rows)
    given = []
    for row in rows:
        if not row.outcome["answered"]:
            continue
        if by_again:
            one = row.again.get("duration_ms") if row.again is not None else None
        else:
            one = row.outcome.get("base_duration_ms")
        if one is not None:
            given.append((row.run_id, one, row.outcome.get("duration_ms")))
    return ratio(
        given, axis="latency", yardstick="again" if by_again else "recorded",
        bound=criteria.latency_ratio, seed=seed, confidence=criteria.confidence, is_time=True,
    )  # fmt: skip


def _text(rows: Sequence[Row], criteria: Criteria) -> Figure:
    figure = agreement(
        rows, NORMAL, criteria.text_least, criteria.tools_margin, criteria.confidence
    )
    return figure if criteria.text_least else _shown(figure)


def _shown(figure: Figure) -> Figure:
    if figure.count:
        figure.verdict, figure.bound, figure.more_runs = SHOWN, None, None
    return figure


def _runs(rows: Sequence[Row]) -> int:
    return len({row.run_id for row in rows})
