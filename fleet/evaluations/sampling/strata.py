"""Drawing a sample that looks like the whole: runs by kind, the recent first, seeded.

Owns the kinds (route, outcome, length, tools used), how many of each are taken, and the order
in which they are drawn. The same runs and the same seed give the same sample anywhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

_LENGTHS: Final = ("short", "medium", "long")
_TOOLS_NAMED: Final = 3
_WINDOW: Final = 4  # times as many as are taken: of the newest of a kind, some are drawn
_LEAST_WINDOW: Final = 20


@dataclass(frozen=True, slots=True)
class RunSeen:
    """One recorded run, by what it is sorted by."""

    run_id: str
    at: datetime
    route: str
    outcome: str  # ok, refused, error
    tokens: int
    tools: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stratum:
    """One kind of runs: how many there are, how many are wanted, and the order of the draw."""

    name: str
    runs: int
    wanted: int
    order: tuple[RunSeen, ...]

    def told(self, taken: int) -> dict[str, Any]:
        return {"name": self.name, "runs": self.runs, "taken": taken}


def strata_of(runs: Sequence[RunSeen], wanted: int, seed: str) -> list[Stratum]:
    """Sort runs into kinds and say which of each come first, the biggest kind first.

    Where there would be more kinds than runs wanted, tools and then lengths tell no more.
    """
    kinds = _sorted_out(runs, wanted)
    shares = allotted({name: len(many) for name, many in kinds.items()}, wanted)
    made = [
        Stratum(name, len(many), shares[name], tuple(_order(many, shares[name], seed)))
        for name, many in kinds.items()
    ]
    return sorted(made, key=lambda one: (-one.runs, one.name))


def allotted(sizes: Mapping[str, int], wanted: int) -> dict[str, int]:
    """Share out a number: one of each kind, the rest in proportion, none beyond what there is."""
    total = sum(sizes.values())
    wanted = min(wanted, total)
    names = sorted(sizes, key=lambda name: (-sizes[name], name))
    given = dict.fromkeys(names, 0)
    for name in names[:wanted]:
        given[name] = 1
    rest = wanted - sum(given.values())
    if rest <= 0:
        return given
    room = {name: sizes[name] - given[name] for name in names}
    whole = sum(room.values())
    exact = {name: rest * room[name] / whole for name in names}
    for name in names:
        given[name] += int(exact[name])
    left = wanted - sum(given.values())
    for name in sorted(names, key=lambda one: (int(exact[one]) - exact[one], one)):
        if left and given[name] < sizes[name]:
            given[name] += 1
            left -= 1
    return given


def drawn(seed: str, name: str) -> bytes:
    """Return where something falls in a seeded order."""
    return hashlib.sha256(f"{seed}\0{name}".encode()).digest()


def _sorted_out(runs: Sequence[RunSeen], wanted: int) -> dict[str, list[RunSeen]]:
    lengths = _lengths(runs)
    ways: tuple[Callable[[RunSeen], tuple[str, ...]], ...] = (
        lambda run: (run.route, run.outcome, lengths(run.tokens), _tools(run)),
        lambda run: (run.route, run.outcome, lengths(run.tokens), _with_tools(run)),
        lambda run: (run.route, run.outcome, _with_tools(run)),
        lambda run: (run.route, run.outcome),
    )
    kinds: dict[str, list[RunSeen]] = {}
    for way in ways:
        kinds = {}
        for run in runs:
            kinds.setdefault(" · ".join(way(run)), []).append(run)
        if len(kinds) <= max(1, wanted // 2):
            break
    return kinds


def _lengths(runs: Iterable[RunSeen]) -> Callable[[int], str]:
    """Return what tells a run's third by its tokens."""
    found = sorted(run.tokens for run in runs)
    if not found:
        return lambda tokens: _LENGTHS[1]
    first, second = found[(len(found) - 1) // 3], found[2 * (len(found) - 1) // 3]

    def length(tokens: int) -> str:
        return _LENGTHS[0] if tokens <= first else _LENGTHS[1 if tokens <= second else 2]

    return length


def _tools(run: RunSeen) -> str:
    if not run.tools:
        return "no tools"
    named = sorted(run.tools)[:_TOOLS_NAMED]
    more = len(run.tools) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def _with_tools(run: RunSeen) -> str:
    return "tools" if run.tools else "no tools"


def _order(runs: Sequence[RunSeen], wanted: int, seed: str) -> list[RunSeen]:
    """Put the newest in a seeded order; what is older follows, the newer first."""
    recent = sorted(runs, key=lambda run: (run.at, run.run_id), reverse=True)
    window = max(_WINDOW * wanted, _LEAST_WINDOW)
    first = sorted(recent[:window], key=lambda run: drawn(seed, run.run_id))
    return [*first, *recent[window:]]
