"""An evaluation through a real gateway, from its beginning to a verdict that others can bind to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from effects.models import Effect, Proposal
from fleet.evaluations.actions.beginning import begin_evaluation
from fleet.evaluations.actions.criteria import set_criteria
from fleet.evaluations.actions.ending import carry_out
from fleet.evaluations.models import Arm, Asking, Evaluation
from fleet.evaluations.queries.reports import is_good, latest_for, stale_because, verdict_on
from ledger.models import Entry
from registry.actors import Actor
from tests.factories import browser_of
from tests.fleet.evaluations.scene import WORKER, Scene, question, tool_call

pytestmark = [pytest.mark.django_db(transaction=True)]

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "post_entry",
            "parameters": {
                "type": "object",
                "properties": {"account": {"type": "string"}, "amount": {"type": "number"}},
                "required": ["account", "amount"],
            },
        },
    }
]


def asked_and_said(number: int) -> tuple[dict[str, Any], Any]:
    if number % 2:
        return (
            question(f"Book invoice {number}.", tools=TOOLS),
            tool_call("post_entry", account="4711", amount=number),
        )
    return question(f"Classify {number}."), json.dumps({"label": "invoice", "sure": 0.9})


def as_before(body: dict[str, Any]) -> Any:
    number = int("".join(sign for sign in body["messages"][0]["content"] if sign.isdigit()))
    return asked_and_said(number)[1]


def begun(scene: Scene, *candidates: Any, **over: Any) -> Evaluation:
    return begin_evaluation(
        agent=scene.agent,
        baseline=scene.baseline,
        candidates=candidates,
        actor=Actor.of(scene.cast.alice),
        seed="seed",
        **over,
    )


def figures_of(made: Evaluation) -> list[Any]:
    return [
        [arm.target, arm.verdict, [(one["axis"], one["verdict"], one["note"], one["difference"])
                                   for one in arm.figures]]
        for arm in made.arms.filter(kind="candidate")
    ]  # fmt: skip


def test_a_candidate_that_does_the_same_passes_and_one_that_does_not_fails(
    scene: Scene, gateway: Any, serving: Any
) -> None:
    scene.runs(80, asked_and_said)
    good = serving(as_before)
    bad = serving(lambda body: "I'm sorry, I can't help with that.")
    scene.baseline.vendor.base_url = serving(as_before).address
    scene.baseline.vendor.save(update_fields=["base_url"])
    one, two = scene.model("new-ai", "new-1", good.address), scene.model("x-ai", "x", bad.address)
    set_criteria(scene.agent, {"format_margin": 0.1}, actor=Actor.of(scene.cast.pat))
    entries = Entry.objects.count()
    made = carry_out(begun(scene, one, two, sample=80), actor=WORKER)
    assert (made.state, made.phase, made.cut_short) == ("passed", "over", ""), figures_of(made)
    assert verdict_on(made, one) == "passed"
    assert verdict_on(made, two) == "failed"
    assert is_good(made, one)
    assert not is_good(made, two)
    assert latest_for(scene.agent, scene.baseline, one) == made
    assert latest_for(scene.agent, one, two) is None
    figures = {one["axis"]: one for one in made.arms.get(model=two).figures}
    assert figures["refusals"]["verdict"] == "failed"
    assert figures["refusals"]["candidate"]["value"] == 1.0
    assert figures["format"]["verdict"] == "failed"
    assert figures["tools"]["verdict"] == "failed"
    assert figures["failures"]["verdict"] == "passed"
    kept = {one["axis"]: one for one in made.arms.get(model=one).figures}
    assert {name: each["verdict"] for name, each in kept.items() if each["count"]} == {
        "failures": "passed", "format": "passed", "tools": "passed", "arguments": "passed",
        "fitting": "passed", "refusals": "passed", "cost": "passed", "latency": "passed",
        "text_exact": "shown", "text_normalised": "shown",
    }  # fmt: skip
    # Nothing but calls of models came of it: no proposal, no effect, no other way out.
    assert not Proposal.objects.exists()
    assert not Effect.objects.exists()
    assert len(good.seen) == len(bad.seen) == 80
    verbs = set(Entry.objects.order_by("id")[entries:].values_list("verb", flat=True))
    assert verbs == {
        "evaluation.begun", "call.intended", "call.completed", "payload.read",
        "evaluation.compared", "evaluation.ended",
    }  # fmt: skip
    calls = Entry.objects.filter(verb="call.intended", stream__in=Arm.objects.values("run_id"))
    told = [json.loads(bytes(row.header))["facts"] for row in calls]
    assert {one["effects"] for one in told} == {"blocked"}
    assert {one["reevaluation"] for one in told} == {made.public_id}
    assert not stale_because(made)
    assert Asking.objects.filter(outcome__isnull=True).count() == 0
    # The form that was inferred is shown beside a pair, to whoever says why they read.
    pair = Asking.objects.filter(arm__model=two, outcome__format__ok=False).first()
    assert pair is not None
    address = f"/evaluations/{made.public_id}/pairs/{pair.arm.run_id}/{pair.case.public_id}/"
    said = browser_of(scene.cast.alice).post(address, {"reason": "to see why"}).content.decode()
    assert "The form it owed" in said
    assert "sure" in said
