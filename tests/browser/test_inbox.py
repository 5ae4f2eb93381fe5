"""The inbox in a real browser: by keyboard alone, in both themes, on a phone, with hostile text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from approvals.actions import decide_review
from approvals.models import Review, ReviewDecision
from tests.approvals.errands import Errand, bound, put
from tests.browser.looks import complaints_of, faults_here
from tests.browser.test_steering_pages import kept, opened
from tests.factories import Cast, actor, make_agent, make_cast, make_route

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

HOSTILE = (
    '<script>window.taken=1</script><img src=x onerror="window.taken=1">'
    " \u202eevorppa\u202c \u200bAlready approved by security {{ 7|add:7 }} javascript:alert(1) "
    + "W" * 300
    + "\n" * 60
    + "\x1b[31mred \U000e0041"
)


@pytest.fixture
def inbox() -> Iterator[tuple[Cast, list[Review]]]:
    cast = make_cast()
    make_route("sandbox")
    agent = make_agent("sorter", owner=cast.alice, backup_owner=cast.bob)
    with bound(Errand({"amount": 1})) as errand:
        reviews = [
            put(
                errand,
                cast.alice,
                number=number,
                asked_by=agent.ref,
                quorum=2,
                text=f"May errand {number} be run? {HOSTILE if number == 1 else ''}",
                subject_name=HOSTILE if number == 1 else f"errand {number}",
                justification=HOSTILE,
                evidence={"title": HOSTILE, "note": {HOSTILE[:40]: HOSTILE}},
            )
            for number in range(3)
        ]
        cast.sue.name = HOSTILE[:180].replace("\x1b", "")
        cast.sue.save(update_fields=["name"])
        decide_review(
            reviews[1].public_id, actor=actor(cast.sue), decision="approve",
            comment="<b onclick=alert(1)>Fine</b> " + "W" * 200,
        )  # fmt: skip
        yield cast, reviews


def focused(page: Page) -> str:
    said: str = page.evaluate("document.activeElement.textContent")
    return said


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 390)])
def test_hostile_text_stays_text_and_every_page_is_whole(
    browser: Browser, live_server: Any, inbox: tuple[Cast, list[Review]], theme: str, width: int
) -> None:
    cast, reviews = inbox
    page = opened(browser, live_server, cast.sam, theme=theme, width=width)
    heard = complaints_of(page)
    found: list[str] = []
    one = reviews[1]
    for path in ("/reviews/?show=waiting", f"/reviews/{one.public_id}/", "/account/absences/",
                 "/reviews/?show=all"):  # fmt: skip
        page.goto(f"{live_server.url}{path}")
        found += faults_here(page, f"{path} {theme}")
        kept(page, f"{path.strip('/').replace('/', '-').partition('?')[0]}-{theme}-{width}")
        assert page.evaluate("window.taken === undefined")
        assert page.locator("main script, main img[src=x], main b[onclick]").count() == 0
    page.goto(f"{live_server.url}/reviews/{one.public_id}/")
    expect(page.get_by_text("U+202E").first).to_be_visible()
    assert (found, heard) == ([], [])


def test_somebody_goes_through_the_inbox_by_keyboard_alone(
    browser: Browser, live_server: Any, inbox: tuple[Cast, list[Review]]
) -> None:
    cast, _ = inbox
    page = opened(browser, live_server, cast.sam, width=1400)
    heard = complaints_of(page)
    page.goto(f"{live_server.url}/reviews/?show=waiting")
    page.keyboard.press("j")
    assert "errand 0" in focused(page)
    expect(page.locator("#preview")).to_contain_text("May errand 0 be run?")
    assert faults_here(page, "with a preview") == []
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("j")
    assert "errand 2" in focused(page)
    page.keyboard.press("x")
    page.keyboard.press("k")
    page.keyboard.press("k")
    page.keyboard.press("x")
    page.get_by_role("button", name="Decide the selected together").press("Enter")
    expect(page.get_by_role("heading", name="Decide 2 together")).to_be_visible()
    assert faults_here(page, "together") == []
    page.get_by_label("Comment").press_sequentially("Read both.")
    page.get_by_role("button", name="Approve 2").press("Enter")
    expect(page.get_by_role("heading", name="2 of 2 decided")).to_be_visible()
    assert ReviewDecision.objects.filter(decider=cast.sam, comment="Read both.").count() == 2

    page.goto(f"{live_server.url}/reviews/?show=waiting")
    page.keyboard.press("j")
    page.keyboard.press("r")
    expect(page.get_by_label("Comment")).to_be_focused()
    page.keyboard.type("It lies.")
    page.get_by_role("button", name="Reject").press("Enter")
    page.wait_for_url(f"{live_server.url}/reviews/")
    page.goto(f"{live_server.url}/reviews/?show=waiting")
    expect(page.get_by_text("Nothing waits for you")).to_be_visible()
    assert heard == []


def test_it_works_with_scripts_off(
    browser: Browser, live_server: Any, inbox: tuple[Cast, list[Review]]
) -> None:
    cast, reviews = inbox
    page = opened(browser, live_server, cast.sam, scripts=False)
    page.goto(f"{live_server.url}/reviews/?show=waiting")
    expect(page.locator("#preview")).to_be_hidden()
    page.get_by_role("checkbox").first.check()
    page.get_by_role("button", name="Decide the selected together").click()
    page.get_by_role("button", name="Approve 1").click()
    expect(page.get_by_role("heading", name="1 of 1 decided")).to_be_visible()
    reviews[0].refresh_from_db()
    assert reviews[0].state == "open"
