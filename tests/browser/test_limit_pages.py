"""The pages of limits, feeds that fail and moves that adapt, in a real browser."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from fleet.campaigns.actions.responding import open_for_changes
from fleet.campaigns.models import Campaign
from fleet.drift.actions.limiting import count_limit_effects
from kernel import clock
from routing.actions.changes import note_limits_change
from routing.models import CatalogueFeed, ModelLimits
from tests.browser.looks import EVERY_LOOK, faults_of
from tests.browser.test_steering_pages import opened
from tests.factories import make_call, make_cast, operator
from tests.fleet.campaigns.made import SWEEP, ending, move_of, using

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SHOTS = os.environ.get("SCREENSHOTS_DIR", "")


def test_a_tighter_limit_is_seen_weighed_and_answered_in_every_look(
    live_server: Any, browser: Any, settings: Any
) -> None:
    settings.CAMPAIGN_REFUSED_CALLS = 1
    cast, now = make_cast(), clock.now()
    model = ending(retires_on=None)
    agents = [using(model, "sorter", cast.pat), using(model, "reader", cast.bob)]
    minute = now.replace(second=0, microsecond=0) - timedelta(days=1)
    for number in range(12):
        make_call(agents[number % 3 == 0], vendor="openai", model=model.name, started_at=minute)
    before = {"requests_per_minute": 500, "tokens_per_minute": 30_000_000}
    with transaction.atomic():
        change = note_limits_change(
            model, before, before | {"requests_per_minute": 7}, source="vendor's answers",
            actor=operator().ref,
        )  # fmt: skip
    ModelLimits.objects.create(
        model=model, requests=7, tokens=30_000_000, is_wavering=True, seen_at=now, seen_key=1,
        settled_at=now,
    )  # fmt: skip
    CatalogueFeed.objects.create(
        public_id="ctf_1", title="Ends, by a neighbour", url="https://feeds.example.com/eol.json",
        code="http_500", detail="The address answered 500.", failures=4, rows=12,
        failing_since=now - timedelta(hours=5), checked_at=now, loaded_at=now - timedelta(days=2),
        next_at=now + timedelta(hours=1), added_by="x:y", added_at=now,
    )  # fmt: skip
    count_limit_effects()
    assert open_for_changes(actor=SWEEP) == 1
    campaign = Campaign.objects.get()
    move = f"/campaigns/{campaign.public_id}/moves/{move_of(campaign, agents[0]).public_id}/"
    page = opened(browser, live_server, cast.pat, width=1280)

    def kept(name: str) -> None:
        if SHOTS:
            path = Path(SHOTS) / f"{name}.png"
            page.screenshot(path=str(path), full_page=True)

    pages = {
        "sources": "/models/sources/",
        "model": f"/models/{model.public_id}/",
        "vendor": "/vendors/openai/",
        "limits": "/drift/limits/",
        "limit": f"/drift/limits/{change.public_id}/",
        "limit-impact": f"/models/{model.public_id}/impact/",
        "limit-campaign": f"/campaigns/{campaign.public_id}/",
        "limit-move": move,
    }
    at_server = {name: f"{live_server.url}{path}" for name, path in pages.items()}
    assert faults_of(page, at_server, kept, EVERY_LOOK) == []
    page.goto(at_server["limit-move"])
    page.get_by_role("link", name="We adapted").press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill("It waits its turn now.")
    kept("limit-adapt")
    dialog.get_by_role("button", name="We adapted").press("Enter")
    page.get_by_text("says that it was adapted").wait_for()
    kept("limit-adapted")
    page.goto(at_server["sources"])
    page.get_by_role("button", name="Look now").press("Enter")
    page.get_by_text("It is looked at now").wait_for()
