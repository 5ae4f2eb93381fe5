"""The emergency stop in a real browser: sound in every look, proven while one waits."""

from __future__ import annotations

from functools import partial

import pytest

from registry.actors import Actor
from routing.actions.stops import place_stop
from routing.models import Stop
from tests.browser.looks import LOOKS, faults_of
from tests.browser.test_steering_pages import Company, kept, opened

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]
OPEN = {
    "path": "gateway gw-2:4711:9f3a", "state": "open", "open": 2, "milliseconds": 5003,
    "detail": "Its open streams cannot be seen: it does not answer. Its writer is closed, so it"
    " begins nothing new; 2 calls of this were open there.",
    "advice": "See whether its process runs, and end it there.",
}  # fmt: skip
CLOSED = {
    "path": "gateway gw-1:4710:1c2d", "state": "contained", "open": 0, "milliseconds": 41,
    "detail": "It refuses the subject and carries nothing of it.", "advice": "",
}  # fmt: skip
KEPT = {
    "path": "vendors", "state": "beyond_reach", "open": 3, "milliseconds": 0,
    "detail": "Vendors keep 3 answers of it under their ids.", "advice": "Delete them there.",
}  # fmt: skip


def test_the_pages_of_a_stop_are_sound(browser, live_server, transactional_db):
    company = Company()
    sam = Actor.of(company.cast.sam)
    placed = place_stop("vendor", "openai", actor=sam, reason="It leaks what it is told.")
    Stop.objects.update(
        last_report={"contained": False, "milliseconds": 5003, "paths": [CLOSED, OPEN, KEPT]}
    )
    paths = {
        "stops": "/stops/",
        "stop": f"/stops/{placed.public_id}/",
        "stop-reach": f"/stops/new/?scope=agent&subject={company.agent.name}",
        "stop-fleet": "/stops/new/?scope=fleet&subject=",
        "stop-home": "/",
        "stop-vendor": "/vendors/openai/",
        "stop-end": f"/agents/{company.agent.name}/end/",
    }
    page = opened(browser, live_server, company.cast.sam)
    looks = [*LOOKS, ("dark", 1280)]
    assert faults_of(page, paths, partial(kept, page), looks) == []


def test_a_stop_is_placed_and_proven_without_leaving_the_page(
    browser, live_server, transactional_db
):
    company = Company()
    page = opened(browser, live_server, company.cast.sam)
    page.goto("/stops/")
    page.get_by_label("Which").fill(company.agent.name)
    page.get_by_role("button", name="See whom it hits").click()
    page.get_by_label("Reason").fill("It sends mail nobody asked for.")
    page.get_by_role("button", name="Stop agent").click()
    page.get_by_text("Contained in").wait_for()
    kept(page, "stop-contained")
    report = Stop.objects.get().last_report
    assert report is not None
    assert report["contained"]
