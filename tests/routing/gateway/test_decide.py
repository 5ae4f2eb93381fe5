"""What the decider remembers, and what would fill the memory."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from kernel.canonical import canonical, digest_bytes
from policy.decision import Decision
from routing.gateway.decide import LONG_KEPT, LONGEST_KEPT, Decider


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


class NamingJudge(CountingJudge):
    """Names what it was asked, as the real one does."""

    def decide(self, facts: Mapping[str, object]) -> Decision:
        return replace(super().decide(facts), input_digest=digest_bytes(canonical(facts)))


def test_what_was_asked_is_known_by_its_digest_and_long_questions_fill_no_memory() -> None:
    async def ask() -> None:
        decider = Decider(NamingJudge())
        short = await decider.decide({"agent": "ä", "n": 1})
        found = [
            await decider.decide({"tools": "t" * LONGEST_KEPT, "n": n})
            for n in range(LONG_KEPT + 20)
        ]
        assert decider.question(short.input_digest) == canonical({"agent": "ä", "n": 1})
        kept = [one for one in found if decider.question(one.input_digest) is not None]
        assert kept == found[20:]
        decider.close()

    asyncio.run(ask())
