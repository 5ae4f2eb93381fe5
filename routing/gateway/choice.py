"""Which of equal targets is first: the cheapest, the fastest, or as the route lists them.

Owns what counts as cheap and as fast. Only targets that passed their eval gate are chosen by
either, and only among those of one priority; the others stand where the list has them, after
these. Where none has passed, the list decides.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from routing.gateway.breaker import Name
from routing.gateway.options import CHEAPEST, LISTED, Named, RouteOptions
from routing.gateway.snapshot import Target

# What is not known before the answer: how long it is. All targets are compared by the same.
_USUAL_OUTPUT: Final = 500
_BYTES_PER_TOKEN: Final = 4
_UNKNOWN_PRICE: Final = float("inf")

Ranked = tuple[list[Target], str]


class Speeds:
    """How fast targets were lately, as this process saw it.

    A target that was not seen lately counts as the fastest: it is tried, and then known.
    """

    SAMPLES: Final = 31
    LEAST: Final = 3
    LASTS_SECONDS: Final = 600.0

    def __init__(self) -> None:
        self._seen: dict[tuple[Name, bool], deque[tuple[float, float]]] = {}

    def note(self, name: Name, seconds: float, now: float, *, streamed: bool) -> None:
        """Learn the time to the first byte of a stream, or of a whole answer."""
        seen = self._seen.get((name, streamed))
        if seen is None:
            seen = self._seen[name, streamed] = deque(maxlen=self.SAMPLES)
        seen.append((now, seconds))

    def usual(self, name: Name, now: float, *, streamed: bool) -> float:
        """Return the median of the last times; 0 where there are too few."""
        seen = self._seen.get((name, streamed), ())
        recent = [seconds for at, seconds in seen if at > now - self.LASTS_SECONDS]
        return median(recent) if len(recent) >= self.LEAST else 0.0

    def keep_only(self, names: Iterable[Name]) -> None:
        """Forget targets that are none any more."""
        current = set(names)
        for gone in [key for key in self._seen if key[0] not in current]:
            del self._seen[gone]


@dataclass(frozen=True, slots=True)
class Rule:
    """How one call's targets are put in order."""

    choose: str = LISTED
    first: tuple[Named, ...] = ()
    size: int = 0  # of the call, in bytes
    streamed: bool = False
    speeds: Speeds = field(default_factory=Speeds)

    def rank(self, groups: Iterable[list[Target]]) -> Ranked:
        """Order groups of equal targets, and say which rule put the first one there."""
        ordered: list[Target] = []
        choice = ""
        for group in groups:
            ranked, by = self._of_equals(group)
            choice = choice or by
            ordered += ranked
        return self._named_first(ordered, choice)

    def _of_equals(self, group: list[Target]) -> Ranked:
        passed = [target for target in group if target.has_passed]
        if self.choose == LISTED or not passed:
            return group, LISTED
        key = self._price if self.choose == CHEAPEST else self._speed()
        rest = [target for target in group if not target.has_passed]
        return [*sorted(passed, key=key), *rest], self.choose

    def _named_first(self, ordered: list[Target], choice: str) -> Ranked:
        if not self.first:
            return ordered, choice
        places = {named: place for place, named in enumerate(self.first)}
        last = len(places)

        def place(target: Target) -> int:
            return places.get((target.vendor.name, target.model.name, target.region), last)

        return sorted(ordered, key=place), LISTED

    def _price(self, target: Target) -> float:
        model = target.model
        if model.input_price is None or model.output_price is None:
            return _UNKNOWN_PRICE
        given = self.size / _BYTES_PER_TOKEN
        return given * model.input_price + _USUAL_OUTPUT * model.output_price

    def _speed(self) -> Callable[[Target], float]:
        now = time.monotonic()
        return lambda target: self.speeds.usual(target.breaker, now, streamed=self.streamed)


def rule_for(
    options: RouteOptions, step: str, speeds: Speeds, *, size: int, streamed: bool
) -> Rule | None:
    """Return how a call of this step is ordered; None where the list says it all."""
    if not options.chooses:
        return None
    of_step = options.steps.get(step) if step else None
    choose = of_step.choose if of_step is not None and of_step.choose else options.choose
    first = of_step.first if of_step is not None else ()
    return Rule(choose, first, size, streamed, speeds)
