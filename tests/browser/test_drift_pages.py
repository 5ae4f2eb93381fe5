"""The pages of drift in a real browser, in both themes and on a phone."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fleet.drift.actions.planning import PlanDraft, add_plan
from fleet.drift.models import Change, Hour, Probe, Round
from kernel import clock
from tests.browser.looks import faults_of
from tests.browser.test_steering_pages import opened
from tests.factories import actor, browser_of, make_agent, make_cast, make_model, make_vendor
from tests.fleet.evaluations.rows import make_golden

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SHOTS = os.environ.get("SCREENSHOTS_DIR", "")
CASES = ("refund-above-limit", "sort-an-invoice", "say-no-to-a-stranger")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_a_watch_is_read_and_hurried_in_this_look(
    live_server: Any, browser: Any, scheme: str, width: int
) -> None:
    cast, now = make_cast(), clock.now()
    agent = make_agent("of-alice", owner=cast.alice, routes=["classify-invoice"], stage="live")
    cases = [make_golden(agent, name, route="classify-invoice") for name in CASES]
    model = make_model(make_vendor("openai"), "gpt-6.1-sol", input_micros_per_mtok=2_000_000)
    draft = PlanDraft("0 6 * * 1-5", "Europe/Vienna", 5_000_000)
    plan = add_plan(agent, model, draft, actor=actor(cast.alice))
    for at in range(14):
        began, is_new = now - timedelta(days=14 - at), at > 10
        asked = Round.objects.create(
            public_id=f"rnd_{at}", plan=plan, began_at=began, ended_at=began
        )
        for golden in cases:
            Probe.objects.create(
                public_id=f"prb_{at}_{golden.pk}", round=asked, golden=golden, status="ok",
                holds=not is_new, fault="other arguments" if is_new else "", asked_at=began,
                reported_model="gpt-6.1-sol-mini" if is_new else "gpt-6.1-sol",
                fingerprint="fp_b7" if is_new else "fp_a1", cost_micros=4_200,
                duration_ms=2_900 if is_new else 1_300,
            )  # fmt: skip
        Hour.objects.create(
            watch=plan.watch, starts_at=now - timedelta(hours=20 - at), calls=100, failed=at,
            substituted=0, median_ms=700, late_ms=900 + 50 * at, tokens=900, cost_micros=900,
        )  # fmt: skip
    Change.objects.create(
        public_id="chg_1", watch=plan.watch, plan=plan, figure="quality", before=0.0, after=1.0,
        calls=9, score=6.0, seen_at=now - timedelta(days=2),
        said="100 % of 9 answers fail, after 0 % of 30 before.",
    )  # fmt: skip
    idle = make_model(make_vendor("mistral"), "mistral-large-3", input_micros_per_mtok=1)
    other = make_agent("also-alice", owner=cast.alice, routes=["sum-up"], stage="live")
    make_golden(other, "one", route="sum-up")
    fresh = add_plan(other, idle, draft, actor=actor(cast.alice))
    assert browser_of(cast.alice).get("/drift/").status_code == 200
    page = opened(browser, live_server, cast.alice, theme=scheme, width=width)

    def kept(name: str) -> None:
        if SHOTS:
            path = Path(SHOTS) / f"{name}-{scheme}-{width}.png"
            page.screenshot(path=str(path), full_page=True)

    pages = {
        "drift": "/drift/",
        "drift-watch": f"/drift/watches/{plan.watch.public_id}/",
        "drift-watch-fresh": f"/drift/watches/{fresh.watch.public_id}/",
        "drift-plan": f"/drift/probes/{plan.public_id}/change/",
    }
    at_server = {name: f"{live_server.url}{path}" for name, path in pages.items()}
    assert faults_of(page, at_server, kept) == []
    page.goto(at_server["drift-watch"])
    page.get_by_role("button", name="Probe now").focus()
    page.keyboard.press("Enter")
    page.get_by_text("A round is asked now").wait_for()
