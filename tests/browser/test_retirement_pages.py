"""The pages about ends of models in a real browser, in both themes and on a phone."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kernel import clock
from routing.actions.catalogue import load_shipped_catalogue
from routing.actions.overriding import OverrideDraft, override_fate
from routing.models import ListedModel, VendorListing
from tests.browser.looks import faults_of
from tests.browser.test_steering_pages import opened
from tests.factories import (
    actor,
    browser_of,
    make_agent,
    make_cast,
    make_model,
    make_route,
    make_vendor,
    operator,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SHOTS = os.environ.get("SCREENSHOTS_DIR", "")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_ends_are_seen_and_set_in_this_look(
    live_server: Any, browser: Any, scheme: str, width: int
) -> None:
    cast, now = make_cast(), clock.now()
    load_shipped_catalogue(actor=operator())
    openai = make_vendor("openai", title="OpenAI", platform="openai")
    given: dict[str, Any] = {"deprecated_on": now.date() - timedelta(days=20)}
    given |= {"replacement": "gpt-6.1-sol"}
    for days, name in ((19, "gpt-5"), (59, "gpt-5-mini")):
        make_model(openai, name, retires_on=now.date() + timedelta(days=days), **given)
    model = make_model(openai, "gpt-4o-2024-08-06", date_precision="earliest", **given)
    claude = make_vendor("anthropic", title="Anthropic", platform="anthropic")
    make_model(claude, "claude-sonnet-4-5", retires_on=now.date() + timedelta(days=8))
    make_route("answers", model)
    make_agent("of-alice", owner=cast.alice, routes=["answers"])
    draft = OverrideDraft(
        retires_on=now.date() + timedelta(days=100), date_precision="earliest", reason="a letter"
    )
    override_fate(model.public_id, draft, actor=actor(cast.pat))
    stamps = {"first_listed_at": now, "listed_at": now, "missing_since": now}
    ListedModel.objects.create(vendor=openai, name=model.name, **stamps)
    VendorListing.objects.create(
        vendor=openai, state="failed", code="http_401", next_at=now, ended_at=now, read_at=now,
        detail="The vendor refused the secret: check it and enter it again.",
    )  # fmt: skip
    # The first answer of a process reads every module; a browser does not wait for that.
    assert browser_of(cast.pat).get("/retirements/").status_code == 200
    page = opened(browser, live_server, cast.pat, theme=scheme, width=width)

    def kept(name: str) -> None:
        if SHOTS:
            path = Path(SHOTS) / f"{name}-{scheme}-{width}.png"
            page.screenshot(path=str(path), full_page=True)

    pages = {
        "retirements": "/retirements/",
        "retirements-all": "/retirements/?scope=all",
        "retirements-none": "/retirements/?search=zz",
        "model": f"/models/{model.public_id}/",
        "model-end": f"/models/{model.public_id}/end/",
        "vendor": "/vendors/openai/",
        "sources": "/models/sources/",
        "notice": "/models/notice/",
    }
    at_server = {name: f"{live_server.url}{path}" for name, path in pages.items()}
    assert faults_of(page, at_server, kept) == []
    page.goto(f"{live_server.url}/models/{model.public_id}/")
    page.get_by_placeholder("Why it is lifted").fill("The page says otherwise.")
    page.get_by_role("button", name="Lift it").click()
    page.get_by_text("Other sources say again").wait_for()
