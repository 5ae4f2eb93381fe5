"""Retention and erasure in a real browser: sound in every look, and no id of a person kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from approvals.actions.deciding import decide_review
from kernel import clock
from registry.actors import Actor
from routing.keeping.deciding import place_hold, set_age
from routing.keeping.erasing import carry_out_erasures, request_erasure
from tests.browser.looks import LOOKS, faults_here, faults_of
from tests.browser.test_steering_pages import Company, kept, opened
from tests.routing.keeping.scenes import PERSON, say, tag

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def company(transactional_db, settings, tmp_path):
    settings.SHREDS_DIR = tmp_path / "shreds"
    made: Any = Company()
    sam = Actor.of(made.cast.sam)
    say(made.agent, of=PERSON)
    say(made.agent, of="another", run="run_b")
    set_age("personal", 365, actor=sam, reason="The policy of 2026.")
    today = clock.now().date()
    made.hold = place_hold(
        "period", actor=sam, reason="Case 7", starts_on=today - timedelta(days=400),
        ends_on=today - timedelta(days=300),
    )  # fmt: skip
    made.held = place_hold("agent", made.agent.name, actor=sam, reason="An inquiry.")
    made.erasure = request_erasure(
        "data_subject", "nobody-here", actor=sam, reason="They asked for it.", data_classes=[],
        reference="DSR-7",
    )  # fmt: skip
    decide_review(made.erasure.review, actor=Actor.of(made.cast.sue), decision="approve")
    carry_out_erasures(actor=Actor.system("erasure"))
    return made


def test_the_pages_of_keeping_are_sound(browser, live_server, company):
    looks = [*LOOKS, ("light", 390)]
    page = opened(browser, live_server, company.cast.sam)
    pages = {
        "retention": "/retention/",
        "age": "/retention/age/?data_class=personal",
        "holds": "/retention/holds/",
        "hold-new": "/retention/holds/new/",
        "hold": f"/retention/holds/{company.held.public_id}/",
        "erasure-new": "/retention/erasures/new/",
        "erasure": f"/retention/erasures/{company.erasure.public_id}/",
    }
    faults = faults_of(page, pages, lambda name: kept(page, f"keeping-{name}"), looks)
    page.goto("/retention/erasures/new/")
    page.get_by_label("Which").fill(PERSON)
    page.get_by_role("button", name="See what is there").click()
    page.get_by_text("What goes, what stays").wait_for()
    kept(page, "keeping-preview")
    faults += faults_here(page, "preview", looks)
    assert tag() in page.content()
    assert PERSON not in page.content() + page.url
    assert faults == []
