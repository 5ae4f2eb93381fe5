"""What is held and spent in the commit of an entry: counters with a cap, exact across writers.

Owns the arithmetic and its SQL. A window counts against one limit from one moment on. What
an entry holds there is taken in the very commit that makes the entry durable, and only if
everything fits; what it gives back or spends is written in the commit of its result, and is
never refused. The rows are locked in one order everywhere, so two writers never wait in a
circle, and both see what the other has committed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol, TypeVar

from ledger.columns import BY_TYPE, Column

LEVELS_KEPT: Final = 20_000
_TYPES: Final = ("bigint", "timestamptz", "bigint", "bigint", "boolean")
COLUMNS: Final = len(_TYPES)

AMover = TypeVar("AMover", bound="Mover")


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """One counter: what limits, and from when on this counter counts."""

    limit: int
    starts_at: datetime


@dataclass(frozen=True, slots=True)
class Move:
    """A change of one counter. One that asks is made only if what it adds still fits."""

    window: Window
    held: int = 0
    spent: int = 0
    asks: bool = False


@dataclass(frozen=True, slots=True)
class Level:
    """What a counter said after a commit."""

    spent: int
    held: int


class NoRoom(Exception):
    """Raised when a move that asks does not fit: nothing of its entry is on record."""

    def __init__(self, window: Window, level: Level, cap: int) -> None:
        super().__init__(f"{window.limit}: {level.spent} spent, {level.held} held of {cap}")
        self.window = window
        self.level = level
        self.cap = cap


@dataclass(slots=True)
class _Row:
    spent: int
    held: int
    cap: int


@dataclass(frozen=True, slots=True)
class Book:
    """The two tables: counters by (limit, start), and the limits with their caps.

    Names are code, never input.
    """

    windows: str  # budget_id, starts_at, spent, held
    limits: str  # id, cap

    def clauses(self, first: int) -> str:
        """Return the CTEs that lock, judge and move; they follow ``fence`` and give ``verdict``."""
        arrays = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(_TYPES, first))
        return (
            f"given AS MATERIALIZED (SELECT * FROM unnest({arrays})"  # noqa: S608
            " WITH ORDINALITY AS given (budget_id, starts_at, held, spent, asks, n)),"
            " locked AS MATERIALIZED (SELECT given.asks,"
            " kept.spent + kept.held + given.spent + given.held <= top.cap AS fits"
            f" FROM given JOIN {self.windows} AS kept USING (budget_id, starts_at)"
            f" JOIN {self.limits} AS top ON top.id = kept.budget_id"
            " ORDER BY kept.budget_id, kept.starts_at FOR UPDATE OF kept),"
            " verdict AS MATERIALIZED (SELECT writer FROM fence WHERE"
            " (SELECT count(*) FROM locked WHERE asks AND fits)"
            " = (SELECT count(*) FROM given WHERE asks)),"
            f" moved AS (UPDATE {self.windows} AS kept SET spent = kept.spent + given.spent,"
            " held = greatest(kept.held + given.held, 0) FROM given, verdict"
            " WHERE kept.budget_id = given.budget_id AND kept.starts_at = given.starts_at"
            " RETURNING given.n, kept.spent, kept.held)"
        )

    @property
    def answers(self) -> str:
        return (
            "(SELECT count(*) FROM fence), (SELECT count(*) FROM verdict),"
            " (SELECT array_agg(ARRAY[n, spent, held]) FROM moved)"
        )

    @property
    def opening(self) -> str:
        """Return the statement that makes the windows that are not there yet."""
        return (
            f"INSERT INTO {self.windows} (budget_id, starts_at, spent, held)"  # noqa: S608
            " SELECT given.budget_id, given.starts_at, 0, 0"
            " FROM unnest($1::bigint[], $2::timestamptz[]) AS given (budget_id, starts_at)"
            f" WHERE given.budget_id IN (SELECT id FROM {self.limits})"
            " ORDER BY 1, 2 ON CONFLICT DO NOTHING"
        )

    @property
    def locking(self) -> str:
        """Return the statement that locks windows and tells how they stand."""
        return (
            "SELECT kept.budget_id, kept.starts_at, kept.spent, kept.held, top.cap"  # noqa: S608
            " FROM unnest($1::bigint[], $2::timestamptz[]) AS given (budget_id, starts_at)"
            f" JOIN {self.windows} AS kept USING (budget_id, starts_at)"
            f" JOIN {self.limits} AS top ON top.id = kept.budget_id"
            " ORDER BY kept.budget_id, kept.starts_at FOR UPDATE OF kept"
        )


def summed(moves: Iterable[Move]) -> list[Move]:
    """Return one move for each window, in the order that rows are locked in."""
    sums: dict[Window, Move] = {}
    for move in moves:
        before = sums.get(move.window)
        sums[move.window] = move if before is None else _sum(before, move)
    return [sums[window] for window in sorted(sums)]


def _sum(one: Move, other: Move) -> Move:
    return Move(one.window, one.held + other.held, one.spent + other.spent, one.asks or other.asks)


def columns(moves: Sequence[Move], *, asking: bool = True) -> list[Column]:
    """Return moves as parameters. When they were judged already, they ask no more."""
    values: tuple[Sequence[Any], ...] = (
        [move.window.limit for move in moves],
        [move.window.starts_at for move in moves],
        [move.held for move in moves],
        [move.spent for move in moves],
        [asking and move.asks for move in moves],
    )
    return [BY_TYPE[kind].of(column) for kind, column in zip(_TYPES, values, strict=True)]


def keys(windows: Sequence[Window]) -> list[Column]:
    """Return windows as the parameters of opening and locking."""
    return [
        BY_TYPE["bigint"].of([window.limit for window in windows]),
        BY_TYPE["timestamptz"].of([window.starts_at for window in windows]),
    ]


class _Judging:
    """Locked windows, against which entries are judged one after the other."""

    def __init__(self, rows: Iterable[tuple[int, datetime, int, int, int]]) -> None:
        self._rows = {Window(row[0], row[1]): _Row(*row[2:]) for row in rows}

    def settle(self, moves: Iterable[Move]) -> None:
        """Apply what asks for nothing."""
        for move in moves:
            if (row := self._rows.get(move.window)) is not None:
                row.spent += move.spent
                row.held = max(row.held + move.held, 0)

    def judge(self, moves: Sequence[Move]) -> NoRoom | None:
        """Take the moves if all that ask fit; else change nothing and say which did not."""
        for move in moves:
            if not move.asks:
                continue
            row = self._rows.get(move.window)
            if row is None:
                return NoRoom(move.window, Level(0, 0), 0)
            if row.spent + row.held + move.spent + move.held > row.cap:
                return NoRoom(move.window, Level(row.spent, row.held), row.cap)
        self.settle(moves)
        return None


class Mover(Protocol):
    """An entry as far as its moves matter."""

    @property
    def moves(self) -> Sequence[Move]: ...
    @property
    def asks(self) -> bool: ...


def judged(
    jobs: Iterable[AMover], rows: Iterable[tuple[int, datetime, int, int, int]]
) -> tuple[list[AMover], list[tuple[AMover, NoRoom]]]:
    """Judge entries in their order; what asks for nothing comes first, and always fits."""
    listed, judging = list(jobs), _Judging(rows)
    for job in listed:
        if not job.asks:
            judging.settle(job.moves)
    fitting: list[AMover] = []
    refused: list[tuple[AMover, NoRoom]] = []
    for job in listed:
        refusal = judging.judge(job.moves) if job.asks else None
        if refusal is None:
            fitting.append(job)
        else:
            refused.append((job, refusal))
    return fitting, refused


class Levels:
    """How the windows stood at the last commit that touched them, in this process."""

    def __init__(self) -> None:
        self._known: dict[Window, Level] = {}

    def get(self, window: Window) -> Level | None:
        return self._known.get(window)

    def note(self, moves: Sequence[Move], found: Iterable[Sequence[int]]) -> None:
        """Take what a statement returned: the place of each move, spent, held."""
        if len(self._known) > LEVELS_KEPT:
            self._known.clear()
        for place, spent, held in found:
            self._known[moves[place - 1].window] = Level(spent, held)

    def learn(self, refusal: NoRoom) -> None:
        self._known[refusal.window] = refusal.level
