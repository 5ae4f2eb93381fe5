"""The page of an agent's launch in a real browser: looked at, and asked from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from effects.models import Demotion
from kernel import clock
from tests.browser.test_steering_pages import opened
from tests.factories import make_agent, make_cast, make_route

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SHOTS = os.environ.get("SCREENSHOTS_DIR", "")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_the_figures_are_seen_and_live_is_asked_for(
    live_server: Any, browser: Any, scheme: str, width: int
) -> None:
    from tests.effects.launch.acting import Acts

    cast = make_cast()
    make_route("sandbox")
    agent = make_agent(
        "payer", owner=cast.alice, backup_owner=cast.bob, stage="soft_launch", risk_tier="medium"
    )
    acts = Acts(agent)
    acts.judged("approved", 14)
    acts.judged("edited", 2)
    acts.judged("rejected", 1, on="erp.post-entry")
    acts.judged("approved", 6, on="erp.post-entry", state="failed")
    Demotion.objects.create(
        public_id="dem_1", agent=agent, rule="launch.errors",
        reason="6 of its newest 10 effects since it went live failed; at most 5 % may.",
        figures={}, demoted_at=clock.now(),
    )  # fmt: skip
    page = opened(browser, live_server, cast.alice, theme=scheme, width=width)
    page.goto(f"{live_server.url}/agents/payer/launch/")
    expect(page.get_by_text("Not ready to go live")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    found = Axe().run(page).response["violations"]
    assert [one["id"] for one in found if one["impact"] in {"serious", "critical"}] == []
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"launch-{scheme}-{width}.png", full_page=True)
    page.get_by_label("What has the soft launch shown?").fill("It does well.")
    page.get_by_label("Why live all the same?").fill("It runs once a year.")
    page.get_by_role("button", name="Ask to go live").click()
    page.get_by_text("Asked. Somebody with the security role decides").wait_for()
