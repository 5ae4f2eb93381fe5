"""Judging many questions at once: by the bundle that is tried, and each by its own.

Owns the children: for each thread one with the bundle that is tried and one with the bundle
that judged then. Questions come sorted by that, so it is seldom changed. No database here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

from policy.bundle import Bundle
from policy.decision import UNAVAILABLE, UNCLEAN
from policy.errors import BundleUnusable
from policy.seat import Seat
from rules.trying.comparing import Answered, compare

DEADLINE_SECONDS: Final = 3.0
MOST_WITHOUT_ANSWER: Final = 12
TURN_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Task:
    """One question to judge, as it was answered."""

    key: int
    facts: bytes | None
    bundle_digest: str
    recorded: Answered


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a question, in the words of the model."""

    key: int
    found: str
    own: str
    new_answer: str = ""
    new_rule: str = ""
    constraints: dict[str, list[Any]] = field(default_factory=dict, hash=False)


class Bench:
    """Some children with the bundle that is tried. Close it, or use it as a manager."""

    def __init__(
        self, tried: Bundle | None, known: Callable[[str], Bundle | None], *, children: int = 2
    ) -> None:
        """Without a bundle to try, questions are asked of their own alone.

        Raises: BundleUnusable.
        """
        self._known: dict[str, Bundle | None] = {}
        self._look_up = known
        self._tried = tried
        self._seats: list[Seat | None] = []
        self._own: list[tuple[str, Seat | None]] = [("", None)] * children
        self._without_answer = 0
        self._counting = threading.Lock()
        self._threads = ThreadPoolExecutor(children, thread_name_prefix="trial")
        # Building takes longer than many a trial: the children build beside each other.
        starts = [self._threads.submit(_seat, tried) for _ in range(children)]
        try:
            self._seats += [start.result() for start in starts]
        except BundleUnusable:
            self._seats += [start.result() for start in starts if start.exception() is None]
            self.close()
            raise

    @property
    def has_failed(self) -> bool:
        """Whether the bundle that is tried gave no clean answer so often that it is over."""
        return self._without_answer >= MOST_WITHOUT_ANSWER

    def judge(self, tasks: Sequence[Task]) -> list[Verdict]:
        """Judge what can be judged in one turn; what is left over is for the next."""
        for digest in {task.bundle_digest for task in tasks}:
            # Here, because the threads may not ask the database.
            if digest not in self._known:
                self._known[digest] = self._look_up(digest)
        until = time.monotonic() + TURN_SECONDS
        count = len(self._seats)
        parts = [tasks[number::count] for number in range(count)]
        made = self._threads.map(self._judge_part, range(count), parts, [until] * count)
        return [verdict for part in made for verdict in part]

    def close(self) -> None:
        """End the children."""
        for seat in [*self._seats, *(own for _, own in self._own)]:
            if seat is not None:
                seat.close()
        self._threads.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _judge_part(self, number: int, tasks: Sequence[Task], until: float) -> list[Verdict]:
        made = []
        for task in tasks:
            if self.has_failed or time.monotonic() >= until:
                break
            made.append(self._judge(number, task))
        return made

    def _judge(self, number: int, task: Task) -> Verdict:
        if task.recorded.rule in {UNAVAILABLE, UNCLEAN}:
            return Verdict(task.key, "unanswered", "unknown")
        if task.facts is None:
            return Verdict(task.key, "unreadable", "unknown")
        old, own = self._as_then(number, task)
        tried = self._seats[number]
        if tried is None:
            return Verdict(task.key, "unchanged", own)
        if tried.bundle_digest == task.bundle_digest and own != "unknown":
            new = old
        else:
            decision = tried.ask(task.facts)
            new = None if decision is None else Answered.of(decision)
        if new is None:
            with self._counting:
                self._without_answer += 1
            return Verdict(task.key, "no_answer", own, "deny", UNCLEAN)
        then = old if old is not None and own == "identical" else task.recorded
        found = compare(then, new)
        return Verdict(task.key, found.found, own, new.answer, new.rule, found.constraints)

    def _as_then(self, number: int, task: Task) -> tuple[Answered | None, str]:
        """Ask the bundle that judged then; say whether it answers what is on record."""
        seat = self._own_seat(number, task.bundle_digest)
        if seat is None or task.facts is None:
            return None, "unknown"
        decision = seat.ask(task.facts)
        if decision is None:
            return None, "different"
        answered = Answered.of(decision)
        alike = (answered.answer, answered.rule) == (task.recorded.answer, task.recorded.rule)
        return answered, "identical" if alike else "different"

    def _own_seat(self, number: int, digest: str) -> Seat | None:
        seated, seat = self._own[number]
        if seated == digest:
            return seat
        if seat is not None:
            seat.close()
        self._own[number] = ("", None)
        try:
            made = _seat(self._known[digest])
        except BundleUnusable:
            made = None  # one that this code cannot judge by any more
        self._own[number] = (digest, made)
        return made


def _seat(bundle: Bundle | None) -> Seat | None:
    return None if bundle is None else Seat(bundle, deadline_seconds=DEADLINE_SECONDS)
