"""Judging again what was asked before: one child, one question after the other, nobody waiting.

Unlike a judge it never denies in place of an answer: it says that there is none. A child that
was lost on a question is started again for the next one at once, so that one bad question is
not taken for two.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import Final, Self

import orjson

from kernel.canonical import digest_bytes
from policy.bundle import Bundle
from policy.chamber import BUILD_SECONDS, Chamber, ChamberLost, StillStarting
from policy.decision import UNCLEAN, Decision, read_answer
from policy.engine import CALLS
from policy.errors import BundleUnusable
from policy.lint import lint

DEADLINE_SECONDS: Final = 5.0


class Seat:
    """One bundle, ready to be asked. Not safe for threads; close it, or use it as a manager."""

    def __init__(self, bundle: Bundle, *, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        """Raises: BundleUnusable."""
        if problems := lint(bundle, CALLS):
            raise BundleUnusable(f"The bundle is refused: {problems[0]}.", problems=len(problems))
        self._bundle = bundle
        self._deadline_seconds = deadline_seconds
        self._chamber: Chamber | None = None
        try:
            self._ready()
        except (ChamberLost, StillStarting) as error:
            self.close()
            raise BundleUnusable(str(error) or "The bundle was not built in time.") from None
        except BundleUnusable:
            self.close()
            raise

    @property
    def bundle_digest(self) -> str:
        return self._bundle.digest

    def ask(self, question: bytes) -> Decision | None:
        """Return the answer to canonical facts; nothing where there is no clean one."""
        try:
            chamber = self._ready()
            message = chamber.ask(question, time.monotonic() + self._deadline_seconds)
        except (ChamberLost, StillStarting, BundleUnusable, OSError):
            self.close()
            return None
        named = orjson.loads(question).get("question")
        decision = read_answer(
            message.get("answer"), self._bundle.digest, digest_bytes(question), question=named
        )
        return None if decision.rule == UNCLEAN else decision

    def close(self) -> None:
        """End the child; asked again, another one begins."""
        chamber, self._chamber = self._chamber, None
        if chamber is not None:
            chamber.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _ready(self) -> Chamber:
        if self._chamber is None:
            self._chamber = Chamber(self._bundle, CALLS, self._deadline_seconds)
            self._chamber.await_ready(time.monotonic() + BUILD_SECONDS)
        return self._chamber
