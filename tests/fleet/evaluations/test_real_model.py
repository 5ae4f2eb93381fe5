"""A real llama.cpp server as candidate: real wire, noise for text, held to the gate."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fleet.evaluations.actions.beginning import begin_evaluation
from fleet.evaluations.actions.ending import carry_out
from fleet.evaluations.models import Asking, Evaluation
from fleet.evaluations.report import sentence_of
from registry.actors import Actor
from routing.models import Call
from tests.fleet.evaluations.scene import WORKER, Scene, question

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
RUNS = 80  # as many as no failure at all needs to prove that at most one in twenty fails


def compared_with_a_real_model(scene: Scene, address: str) -> Evaluation:
    # A token of it is a byte, so it counts more of them than whoever was paid by the word.
    prices = {"input_micros_per_mtok": 100_000, "output_micros_per_mtok": 100_000}
    tiny = scene.model("tiny-llama", "tiny-random", address, **prices)
    begun = begin_evaluation(
        agent=scene.agent, baseline=scene.baseline, candidates=[tiny], asks_baseline=False,
        sample=RUNS, actor=Actor.of(scene.cast.alice),
    )  # fmt: skip
    made = carry_out(begun, actor=WORKER)
    assert made.phase == "over", made.held_up
    return made


def verdicts(made: Evaluation) -> dict[str, str]:
    arm = made.arms.get()
    return {one["axis"]: one["verdict"] for one in arm.figures if one["count"]}


def test_a_real_model_that_answers_in_words_passes_where_words_were_all_that_was_owed(
    scene: Scene, gateway: Any, llama: str
) -> None:
    scene.runs(
        RUNS,
        lambda number: (question(f"Describe invoice {number}.", max_tokens=8), f"Paper {number}."),
    )
    made = compared_with_a_real_model(scene, llama)
    arm = made.arms.get()
    assert made.state == arm.verdict == "passed", arm.figures
    assert verdicts(made) == {
        "failures": "passed", "refusals": "passed", "cost": "passed", "latency": "passed",
        "text_exact": "shown", "text_normalised": "shown",
    }  # fmt: skip
    assert "tiny-llama/tiny-random may take the place of old-ai/old-1" in sentence_of(made, arm)
    assert "calls not answered 0 %" in sentence_of(made, arm)
    # What the server itself counted: it is on record as any other call is.
    asked = Asking.objects.filter(arm=arm).values_list("entry_id", flat=True)
    calls = Call.objects.filter(intent_id__in=asked, reported_model="tiny-random", status="ok")
    assert calls.count() == RUNS
    assert {call.output_tokens for call in calls} <= set(range(1, 9))
    assert all(call.input_tokens > 10 for call in calls)


def test_a_real_model_fails_by_name_where_a_form_was_owed(
    scene: Scene, gateway: Any, llama: str
) -> None:
    scene.runs(
        RUNS,
        lambda number: (
            question(f"Classify {number}.", max_tokens=8),
            json.dumps({"label": "invoice", "sure": 0.9}),
        ),
    )
    made = compared_with_a_real_model(scene, llama)
    arm = made.arms.get()
    assert made.state == arm.verdict == "failed"
    assert {name for name, verdict in verdicts(made).items() if verdict == "failed"} == {"format"}
    assert sentence_of(made, arm) == (
        "tiny-llama/tiny-random must not take its place: keeps the format 0 % against 100 %."
    )
