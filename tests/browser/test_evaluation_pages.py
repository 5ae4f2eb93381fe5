"""The pages of evaluations and golden cases in a real browser: both themes, wide and narrow."""

from __future__ import annotations

from functools import partial

import pytest

from fleet.evaluations.actions.beginning import begin_evaluation
from fleet.evaluations.actions.ending import end_evaluation
from fleet.evaluations.actions.golden import add_golden
from fleet.evaluations.comparing.pairs import badness_of
from fleet.evaluations.expecting.content import checked
from fleet.evaluations.models import Asking
from kernel import clock
from registry.actors import Actor
from tests.browser.looks import LOOKS, faults_of
from tests.browser.test_steering_pages import kept, opened
from tests.factories import make_cast
from tests.fleet.evaluations.scene import WORKER, Scene, question

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def outcome_of(number, *, is_again, is_golden):
    """Return how a pair stands: the candidate breaks the form now and then, and costs more."""
    is_kept = is_again or number % 9 > 0
    outcome = {
        "answered": is_again or number % 14 > 0, "base_answered": not is_golden,
        "format": {"how": "inferred", "ok": is_kept, "base": True, "fault": "" if is_kept
                   else "required"},
        "tools": {"names": number % 6 > 0, "arguments": number % 5 > 0, "fit": True,
                  "base_fit": True} if number % 2 else None,
        "text": {"exact": False, "normalised": number % 3 == 0}, "refusal": "",
        "base_refusal": "", "cost_micros": 30 if is_again else 34 + number % 5,
        "duration_ms": 900 + 10 * (number % 11), "tokens": [12, 5], "base_cost_micros": 30,
        "base_duration_ms": 1000, "base_tokens": [10, 5],
    }  # fmt: skip
    if is_golden:
        outcome["golden"] = {"ok": is_again, "fault": "no tool was called", "expects": "tool"}
    return outcome


@pytest.fixture
def pages(transactional_db):
    scene = Scene(make_cast())
    scene.runs(45, lambda number: (question(f"Sort {number}."), '{"label": "invoice"}'))
    owner = Actor.of(scene.cast.alice)
    case = checked(
        operation="chat", request=question("Refund 900."), expects="tool",
        expected={"name": "refund", "arguments": {"amount": 900}},
    )  # fmt: skip
    golden = add_golden(scene.agent, "refund-above-limit", case, actor=owner)
    models = [scene.model("new-ai", "new-large-2026"), scene.model("x-ai", "x-mini")]
    told = {"agent": scene.agent, "baseline": scene.baseline, "actor": owner, "seed": "seed"}
    done = begin_evaluation(candidates=models, **told)
    rows = list(Asking.objects.select_related("arm", "case").order_by("id"))
    for number, row in enumerate(rows):
        row.state, row.asked_at = "answered", clock.now()
        row.outcome = outcome_of(
            number, is_again=row.arm.kind == "again", is_golden=row.case.golden_id is not None
        )
        row.badness = badness_of(row.outcome)
    Asking.objects.bulk_update(rows, ["state", "asked_at", "outcome", "badness"])
    end_evaluation(done, actor=WORKER)
    running = begin_evaluation(candidates=models[:1], **told)
    pair = done.arms.get(target="x-ai/x-mini").askings.order_by("-badness").first()
    assert pair is not None
    one, agent = f"/evaluations/{done.public_id}/", f"/agents/{scene.agent.name}/"
    chosen = "?baseline=old-ai/old-1&candidates=new-ai/new-large-2026&sample=40&ask_baseline=on"
    return scene.cast.alice, {
        "evaluations": "/evaluations/",
        "evaluation": one,
        "evaluation-running": f"/evaluations/{running.public_id}/",
        "pair": f"{one}pairs/{pair.arm.run_id}/{pair.case.public_id}/",
        "evaluate": f"{agent}evaluate/",
        "evaluate-plan": f"{agent}evaluate/{chosen}",
        "golden-cases": f"{agent}golden-cases/",
        "golden-new": f"{agent}golden-cases/new/",
        "golden": f"/golden-cases/{golden.public_id}/",
    }


def test_every_page_is_sound_in_both_looks(browser, live_server, pages):
    person, places = pages
    page = opened(browser, live_server, person)
    assert faults_of(page, places, partial(kept, page), LOOKS) == []
