from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kernel.canonical import canonical
from policy.bundle import BASE, Bundle
from policy.engine import Judge
from policy.errors import BundleUnusable
from policy.seat import Seat

# A rule that does not end for one name, and answers for every other.
CHOOSY = """
answer := {
    "allow": true, "ask": false, "rule": "calls.allowed", "reason": "Yes.",
    "constraints": {
        "allowed_vendors": [], "regions": [], "max_cost_micros": null, "receipt_level": "L0",
    },
} if {
    input.name != "bad"
} else := count([1 |
    some a in data.l
    some b in data.l
    some c in data.l
    some d in data.l
])
"""


def test_a_seat_answers_as_a_judge_does(judge: Judge, good: dict[str, Any]) -> None:
    with Seat(Bundle.load(BASE)) as seat:
        for stage in ("live", "draft"):
            good["agent"]["stage"] = stage
            assert seat.ask(canonical(good)) == judge.decide(good)


def test_one_question_without_an_answer_costs_no_other_its_own(
    make_bundle: Callable[..., Path],
) -> None:
    bundle = Bundle.load(make_bundle(CHOOSY, {"l": list(range(100))}))
    with Seat(bundle, deadline_seconds=4) as seat:
        said = [seat.ask(json.dumps({"name": name}).encode()) for name in ("a", "bad", "b")]
    assert [one is not None for one in said] == [True, False, True]


def test_a_child_that_was_killed_is_followed_by_another(good: dict[str, Any]) -> None:
    with Seat(Bundle.load(BASE)) as seat:
        assert seat._chamber is not None
        os.kill(seat._chamber.pid, signal.SIGKILL)
        seat.ask(canonical(good))
        answer = seat.ask(canonical(good))
    assert answer is not None
    assert answer.allow


@pytest.mark.parametrize("rule", ["answer := http.send({})", "answer := {", "answer := nothing(1)"])
def test_a_bundle_that_cannot_judge_takes_no_seat(
    make_bundle: Callable[..., Path], rule: str
) -> None:
    with pytest.raises(BundleUnusable):
        Seat(Bundle.load(make_bundle(rule)))
