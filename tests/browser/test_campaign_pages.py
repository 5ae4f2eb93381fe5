"""A campaign in a real browser: its owner chooses where to, and the platform team steers many."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from fleet.campaigns.models import Campaign, Move
from fleet.telling.models import Message
from kernel import clock
from routing.actions.overriding import OverrideDraft, override_fate
from tests.browser.looks import faults_here, faults_of
from tests.browser.test_steering_pages import opened
from tests.factories import Cast, actor, browser_of, make_cast, make_model
from tests.fleet.campaigns.made import ending, in_days, using
from tests.fleet.campaigns.made import opened as campaign_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SHOTS = os.environ.get("SCREENSHOTS_DIR", "")
LOOKS = [
    (scheme, width)
    for scheme in ("light", "dark")
    for width in (1280, 390)
    if SHOTS or (scheme == "light") == (width == 1280)
]
PRICED = {"input_micros_per_mtok": 1_000_000, "output_micros_per_mtok": 4_000_000}


def made(cast: Cast) -> Campaign:
    model = ending(replacement="gpt-6-luna")
    luna = make_model(model.vendor, "gpt-6-luna", **PRICED)
    for name, owner in (("sorter", cast.alice), ("writer", cast.bob), ("caller", cast.sue)):
        using(model, name, owner)
    for name, owner in (("reader", cast.bob), ("planner", cast.sue), ("mailer", cast.sam)):
        using(model, name, owner)
    campaign, now = campaign_of(model), clock.now()
    put = {"candidate": luna, "chosen_by": "person:x", "chosen_at": now}
    moves = Move.objects.filter(campaign=campaign)
    moves.filter(agent__name="writer").update(state="ready", **put)
    moves.filter(agent__name="caller").update(
        state="contested", contested_by=str(cast.sue.ref), contested_why="It does not use it."
    )
    ended = {"ended_at": now, "cut_over_at": now}
    moves.filter(agent__name="reader").update(state="done", ended_why="Moved.", **ended, **put)
    moves.filter(agent__name="planner").update(state="paused", ended_why="Paused.", **ended)
    draft = OverrideDraft(retires_on=in_days(25), replacement="gpt-6-luna", reason="a letter")
    override_fate(model.public_id, draft, actor=actor(cast.pat))
    return campaign


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_an_owner_and_the_platform_team_run_a_campaign_in_this_look(
    live_server: Any, browser: Any, scheme: str, width: int
) -> None:
    cast = make_cast()
    campaign = made(cast)
    there = f"{live_server.url}/campaigns/{campaign.public_id}/"
    mine = Move.objects.get(agent__name="sorter")
    # The first answer of a process reads every module; a browser does not wait for that.
    assert browser_of(cast.pat).get("/campaigns/").status_code == 200
    page = opened(browser, live_server, cast.alice, theme=scheme, width=width)

    def kept(name: str) -> None:
        if SHOTS:
            path = Path(SHOTS) / f"{name}-{scheme}-{width}.png"
            page.screenshot(path=str(path), full_page=True)

    # Alice is led from her agent to its move, and chooses.
    page.goto(f"{live_server.url}/agents/sorter/")
    kept("campaign-agent")
    page.get_by_role("link", name="Choose where to").click()
    page.get_by_role("button", name="Choose gpt-6-luna").click()
    page.get_by_text("It is ready to move").wait_for()
    kept("campaign-move")
    assert faults_here(page, "the move") == []
    page.context.close()

    page = opened(browser, live_server, cast.pat, theme=scheme, width=width)
    pages = {
        "campaigns": f"{live_server.url}/campaigns/",
        "campaign": there,
        "campaign-none": f"{there}?search=zz",
        "campaign-impact": f"{live_server.url}/models/{campaign.model.public_id}/impact/",
        "campaign-new": f"{live_server.url}/campaigns/new/",
        "campaign-contested": f"{there}moves/{Move.objects.get(state='contested').public_id}/",
    }
    assert faults_of(page, pages, kept) == []
    # Pat looks for who is late, reminds them, and says what happens without them.
    page.goto(there)
    page.get_by_role("link", name="Late").click()
    page.get_by_label("All 2 that fit").check()
    page.get_by_label("What to do with the marked moves").select_option("remind")
    page.get_by_role("button", name="Look at what would happen").click()
    kept("campaign-preview")
    page.get_by_role("button", name="Remind the owners of 1 move").click()
    page.get_by_text("Reminded the owners of 1 move").wait_for()
    page.get_by_role("link", name="Change", exact=True).click()
    page.get_by_label("At the deadline, an agent without").select_option(
        label="moves to openai/gpt-6-luna"
    )
    kept("campaign-change")
    page.get_by_role("button", name="Change it").click()
    page.get_by_text("The campaign is changed").wait_for()
    campaign.refresh_from_db()
    assert campaign.fallback["rule"] == "move"
    assert Message.objects.filter(kind="move.due").count() == 1
    assert mine.public_id
    page.context.close()
