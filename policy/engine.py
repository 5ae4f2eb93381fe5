"""The one place that decides: facts in, a decision out, and a denial when in doubt.

A judge never raises and never waits past its deadline. It is pure: the same bundle and
the same facts give the same answer, which is why both digests are part of it. The engine
runs in a child process, so that its crash is a denial here and not an outage.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from policy.bundle import BASE, Bundle
from policy.chamber import BUILD_SECONDS, Chamber, ChamberLost, StillStarting
from policy.decision import UNAVAILABLE, UNCLEAN, Decision, denied, read_answer
from policy.errors import BundleUnusable
from policy.facts import read_facts
from policy.lint import lint

__all__ = ["CALLS", "Decision", "Judge"]

CALLS: Final = "unsprawl/calls/answer"
MAX_BACKOFF_SECONDS: Final = 5.0
# An engine that keeps some of every question is replaced between two of them.
MAX_RESIDENT_BYTES: Final = 512 * 1024 * 1024
LOOK_EVERY: Final = 256


class Judge:
    """Decides by one bundle. Safe for threads; close it, or use it as a context manager."""

    def __init__(
        self,
        bundle: Path | Bundle = BASE,
        *,
        deadline_seconds: float = 1.0,
        entrypoint: str = CALLS,
    ) -> None:
        """Build the bundle in the child. Raises: BundleUnusable."""
        self._bundle = bundle if isinstance(bundle, Bundle) else Bundle.load(bundle)
        if problems := lint(self._bundle, entrypoint):
            raise BundleUnusable(f"The bundle is refused: {problems[0]}.", problems=len(problems))
        self._entrypoint = entrypoint
        self._deadline_seconds = deadline_seconds
        self._lock = threading.Lock()
        self._failures = 0
        self._retry_at = 0.0
        self._is_closed = False
        self._answered = 0
        self._chamber: Chamber | None = self._open()
        try:
            self._chamber.await_ready(time.monotonic() + BUILD_SECONDS)
        except (ChamberLost, StillStarting, BundleUnusable) as error:
            self.close()
            raise BundleUnusable(str(error) or "The bundle was not built in time.") from None

    @property
    def bundle_digest(self) -> str:
        return self._bundle.digest

    def packed_bundle(self, digest: str) -> bytes | None:
        """Return the bytes of the bundle, when it is the one of this digest."""
        return self._bundle.packed if digest == self._bundle.digest else None

    def decide(self, facts: Mapping[str, object]) -> Decision:
        """Decide; where there is no clean answer, deny (`policy.unavailable`, `policy.unclean`)."""
        until = time.monotonic() + self._deadline_seconds
        question, input_digest = read_facts(facts)
        if question is None:
            return denied(UNCLEAN, self.bundle_digest, input_digest)
        if not self._lock.acquire(timeout=self._deadline_seconds):
            return denied(UNAVAILABLE, self.bundle_digest, input_digest)
        try:
            message = self._ask(question, until)
        finally:
            self._lock.release()
        if message is None:
            return denied(UNAVAILABLE, self.bundle_digest, input_digest)
        return read_answer(
            message.get("answer"),
            self.bundle_digest,
            input_digest,
            question=facts.get("question"),
        )

    def close(self) -> None:
        """End the child; every later question is denied."""
        self._is_closed = True
        with self._lock:
            if self._chamber is not None:
                self._chamber.close()
                self._chamber = None

    def abandon(self) -> None:
        """Let go of a child that belongs to the process this one was forked from."""
        self._is_closed, self._lock = True, threading.Lock()
        if self._chamber is not None:
            self._chamber.abandon()
            self._chamber = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _ask(self, question: bytes, until: float) -> dict[str, object] | None:
        if self._chamber is not None and self._chamber.has_ended:
            self._lose(self._chamber)
        if self._chamber is None and not self._reopen():
            return None
        chamber = self._chamber
        assert chamber is not None  # noqa: S101  for the type checker: reopened above
        try:
            chamber.await_ready(until)
            message = chamber.ask(question, until)
        except StillStarting:
            return None
        except (ChamberLost, BundleUnusable):
            self._lose(chamber)
            return None
        self._failures = 0
        self._answered += 1
        if self._answered % LOOK_EVERY == 0 and chamber.resident_bytes > MAX_RESIDENT_BYTES:
            chamber.close()
            self._chamber = None
            self._reopen()
        return message

    def _lose(self, chamber: Chamber) -> None:
        """End a child that failed and start the next: at once, later when failures repeat."""
        chamber.close()
        self._chamber = None
        wait = 0.0 if self._failures == 0 else 0.1 * 2 ** min(self._failures, 6)
        self._retry_at = time.monotonic() + min(wait, MAX_BACKOFF_SECONDS)
        self._failures += 1
        self._reopen()

    def _reopen(self) -> bool:
        if self._is_closed or time.monotonic() < self._retry_at:
            return False
        try:
            self._chamber = self._open()
        except OSError:
            self._failures += 1
            self._retry_at = time.monotonic() + MAX_BACKOFF_SECONDS
            return False
        return True

    def _open(self) -> Chamber:
        return Chamber(self._bundle, self._entrypoint, self._deadline_seconds)
