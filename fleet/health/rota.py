"""Who has the duty when: shifts of a rota in its own time zone, and who covers. Pure, no rows.

A handover is a time on the clock of the rota's zone. One that falls into the hour that the clocks
skip takes place when they jump; of an hour that comes twice, the first is meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Pattern:
    """People who take turns from a day on; without people, nobody has the duty from then on."""

    people: tuple[str, ...]
    zone: str
    starts_on: date
    handover: time
    length_days: int

    @property
    def starts_at(self) -> datetime:
        return self.begins(0)

    def begins(self, turn: int) -> datetime:
        """Return the moment at which a turn begins."""
        day = self.starts_on + timedelta(days=turn * self.length_days)
        return moment_of(day, self.handover, self.zone)

    def turn_at(self, at: datetime) -> int:
        """Return the number of the turn that a moment falls into; negative before the first."""
        day = at.astimezone(ZoneInfo(self.zone)).date()
        turn = (day - self.starts_on).days // self.length_days
        while self.begins(turn) > at:
            turn -= 1
        while self.begins(turn + 1) <= at:
            turn += 1
        return turn

    def has(self, turn: int) -> str:
        """Return who has a turn."""
        return self.people[turn % len(self.people)]

    def after(self, turn: int) -> tuple[str, ...]:
        """Return everybody in the order in which they come after a turn, its own person last."""
        first = (turn + 1) % len(self.people)
        return self.people[first:] + self.people[:first]


@dataclass(frozen=True, slots=True)
class Stand:
    """Somebody has the duty for a stretch: instead of one person, or of whoever has it."""

    person: str
    begins: datetime
    ends: datetime
    instead_of: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """A stretch in which one person has the duty; ``planned`` would have it without covers."""

    person: str
    planned: str
    begins: datetime
    ends: datetime

    @property
    def is_cover(self) -> bool:
        return self.person != self.planned


def moment_of(day: date, clock: time, zone: str) -> datetime:
    """Return when the clocks of a zone show a time on a day, in UTC."""
    here = ZoneInfo(zone)
    told = datetime.combine(day, clock, here)
    early, late = told.replace(fold=1).astimezone(UTC), told.replace(fold=0).astimezone(UTC)
    if late.astimezone(here).replace(tzinfo=None, fold=0) == told.replace(tzinfo=None):
        return late  # it is shown; where it is shown twice, this is the first time
    # The clocks skip it: find the moment at which they jump.
    before = early.astimezone(here).utcoffset()
    while late - early > timedelta(seconds=1):
        middle = early + (late - early) / 2
        if middle.astimezone(here).utcoffset() == before:
            early = middle
        else:
            late = middle
    return late.replace(microsecond=0)


def planned_at(patterns: Sequence[Pattern], at: datetime) -> tuple[Pattern, int] | None:
    """Return the pattern in force and its turn; None before the first, or where nobody is in it."""
    begun = [each for each in patterns if each.starts_at <= at]
    if not begun:
        return None
    last = max(begun, key=lambda each: each.starts_at)
    return (last, last.turn_at(at)) if last.people else None


def held_by(planned: str, stands: Iterable[Stand], at: datetime) -> str:
    """Return who has the duty: covers in the order in which they were agreed, the last one wins."""
    person = planned
    for each in stands:
        if each.begins <= at < each.ends and each.instead_of in {"", person}:
            person = each.person
    return person


def drawn(
    patterns: Sequence[Pattern], stands: Sequence[Stand], since: datetime, until: datetime
) -> list[Held]:
    """Return who has the duty from one moment to another, without a stretch of no length."""
    edges = {since, until}
    for pattern in patterns:
        edges.add(pattern.starts_at)
        if pattern.people:
            edges.update(_edges_of(pattern, since, until))
    for stand in stands:
        edges |= {stand.begins, stand.ends}
    ordered = sorted(edge for edge in edges if since <= edge <= until)
    found = []
    for begins, ends in pairwise(ordered):
        planned = planned_at(patterns, begins)
        if planned is None:
            continue
        person = planned[0].has(planned[1])
        found.append(Held(held_by(person, stands, begins), person, begins, ends))
    return _joined(found)


def _edges_of(pattern: Pattern, since: datetime, until: datetime) -> list[datetime]:
    turn, found = max(pattern.turn_at(since), 0), []
    while (edge := pattern.begins(turn)) < until:
        found.append(edge)
        turn += 1
    return found


def _joined(stretches: list[Held]) -> list[Held]:
    """Join what one person has without a break; alone on a rota, that is all of it."""
    found: list[Held] = []
    for each in stretches:
        last = found[-1] if found else None
        is_same = last is not None and (last.person, last.planned, last.ends) == (
            each.person,
            each.planned,
            each.begins,
        )
        if last is not None and is_same:
            found[-1] = Held(last.person, last.planned, last.begins, each.ends)
        else:
            found.append(each)
    return found
