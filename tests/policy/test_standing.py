"""A judge whose bundle changes under the questions put to it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from policy import engine
from policy.bundle import BASE, Bundle
from policy.engine import Judge
from policy.standing import StandingJudge

Facts = dict[str, Any]


def says(rule: str) -> str:
    return (
        f'answer := {{"allow": true, "ask": false, "rule": "calls.{rule}", "reason": "Yes.",'
        ' "constraints": {"allowed_vendors": [], "regions": [], "max_cost_micros": null,'
        ' "receipt_level": "L0"}}'
    )


@pytest.fixture
def two(make_bundle: Callable[..., Path]) -> tuple[Bundle, Bundle]:
    return (
        Bundle.load(make_bundle(says("one"), name="one")),
        Bundle.load(make_bundle(says("two"), name="two")),
    )


def follow(judge: StandingJudge, bundle: Bundle) -> None:
    judge.follow(bundle.digest, lambda: bundle.packed)


def test_without_a_bundle_everything_is_denied(good: Facts) -> None:
    judge = StandingJudge()
    decision = judge.decide(good)
    assert (decision.allow, decision.ask, decision.rule) == (False, False, "policy.unavailable")
    judge.follow("", lambda: b"")
    assert judge.bundle_digest == ""


def test_the_next_bundle_answers_as_soon_as_it_is_in_force(two: tuple[Bundle, Bundle]) -> None:
    judge = StandingJudge()
    for bundle in (*two, two[0]):
        follow(judge, bundle)
        assert judge.decide({}).bundle_digest == bundle.digest
    assert all(judge.packed_bundle(bundle.digest) == bundle.packed for bundle in two)
    judge.follow("", lambda: b"")
    assert judge.decide({}).rule == "policy.unavailable"
    assert judge.fault == "No policy is in force."
    judge.close()


def test_no_question_goes_unanswered_while_bundles_change(two: tuple[Bundle, Bundle]) -> None:
    judge = StandingJudge()
    follow(judge, two[0])
    rules: list[str] = []
    is_over = threading.Event()

    def ask() -> None:
        while not is_over.is_set():
            rules.append(judge.decide({}).rule)

    asking = [threading.Thread(target=ask) for _ in range(3)]
    for thread in asking:
        thread.start()
    for turn in range(4):
        follow(judge, two[(turn + 1) % 2])
    is_over.set()
    for thread in asking:
        thread.join()
    judge.close()
    assert set(rules) == {"calls.one", "calls.two"}


def test_a_bundle_that_cannot_judge_leaves_the_old_one_and_is_spoken_of(
    two: tuple[Bundle, Bundle], make_bundle: Callable[..., Path]
) -> None:
    judge, old = StandingJudge(), two[0]
    follow(judge, old)
    bad = Bundle.load(make_bundle("answer := http.send({})", name="bad"))
    read: list[int] = []

    def packed() -> bytes:
        read.append(1)
        return bad.packed

    for _ in range(3):
        judge.follow(bad.digest, packed)
    assert judge.decide({}).rule == "calls.one"
    assert "http.send" in judge.fault
    assert read == [1]
    judge.follow("sha256:other", lambda: bad.packed)
    assert "not those that were activated" in judge.fault
    follow(judge, old)
    assert judge.fault == ""
    judge.close()
    follow(judge, two[1])
    assert judge.decide({}).rule == "policy.unavailable"


def test_a_fork_leaves_its_parents_child_alone(two: tuple[Bundle, Bundle]) -> None:
    judge = StandingJudge()
    follow(judge, two[0])
    pid = os.fork()
    if pid == 0:
        judge.abandon()
        os._exit(0 if judge.decide({}).rule == "policy.unavailable" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert judge.decide({}).rule == "calls.one"
    judge.close()


def test_a_child_that_grows_is_replaced_between_two_questions(
    monkeypatch: pytest.MonkeyPatch, good: Facts
) -> None:
    monkeypatch.setattr(engine, "MAX_RESIDENT_BYTES", 1)
    monkeypatch.setattr(engine, "LOOK_EVERY", 2)
    with Judge(BASE) as judge:
        first = judge._chamber
        assert first is not None
        assert [judge.decide(good).allow for _ in range(5)] == [True] * 5
        assert judge._chamber is not first
        assert first.resident_bytes == 0
