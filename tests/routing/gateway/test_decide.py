"""What the decider remembers, and what would fill the memory."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from policy.decision import Decision
from routing.gateway.decide import LONGEST_KEPT, Decider


class CountingJudge:
    """Allows everything, and counts how often it was asked."""

    bundle_digest = "sha256:one"

    def __init__(self) -> None:
        self.asked = 0

    def decide(self, facts: Mapping[str, object]) -> Decision:
        self.asked += 1
        return Decision(True, False, "calls.allowed", "yes", {}, self.bundle_digest, "sha256:in")


def times_asked(facts: dict[str, object], times: int) -> int:
    judge = CountingJudge()

    async def ask() -> None:
        decider = Decider(judge)
        for _ in range(times):
            assert (await decider.decide(facts)).allow
        decider.close()

    asyncio.run(ask())
    return judge.asked


def test_a_question_asked_again_has_been_answered() -> None:
    assert times_asked({"agent": "a"}, 5) == 1


def test_a_question_too_long_to_be_kept_is_asked_each_time() -> None:
    assert times_asked({"tools": "t" * LONGEST_KEPT}, 5) == 5
