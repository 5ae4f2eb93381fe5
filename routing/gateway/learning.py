"""What an attempt teaches of its target: whether it is well, and how fast it is."""

from __future__ import annotations

import time
from typing import Protocol

from routing.gateway.breaker import Breakers
from routing.gateway.choice import Speeds
from routing.gateway.failure import STOPPED, Failure
from routing.gateway.recording.attempt import Attempt, Outcome


class Lessons(Protocol):
    """Where it is kept."""

    @property
    def breakers(self) -> Breakers: ...
    @property
    def speeds(self) -> Speeds: ...


def learn(
    lessons: Lessons,
    attempt: Attempt,
    outcome: Outcome | None,
    failure: Failure | None,
    begun: float,
) -> None:
    """Learn from how an attempt ended.

    What we or the agent ended says nothing about the target, and a failure nothing of its speed.
    """
    breakers, name, now = lessons.breakers, attempt.target.breaker, time.monotonic()
    was_ours = failure is None and (outcome is None or outcome.status != "ok")
    if was_ours or (failure is not None and failure.kind == STOPPED):
        breakers.let_go(name)
        return
    failed = failure is not None and failure.blames_target
    rest = (failure.retry_after or 0.0) if failure is not None else 0.0
    said = failure.reason if failure is not None and failure.is_permanent else ""
    breakers.note(name, failed=failed, begun=begun, now=now, rest=rest, said=said)
    if failure is None and outcome is not None:
        seconds = now - begun
        if attempt.streamed:
            seconds -= (outcome.duration_ms - (outcome.first_byte_ms or 0)) / 1000
        lessons.speeds.note(name, max(seconds, 0.0), now, streamed=attempt.streamed)
