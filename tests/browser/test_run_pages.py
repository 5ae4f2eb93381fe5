"""The pages of runs in a real browser: searched, read step by step, watched while under way.

Each page is looked at in both themes and on a phone, with one step and with many.
"""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import transaction
from playwright.sync_api import expect

from kernel import clock
from kernel.refs import Ref
from ledger.record import record
from ledger.verbs import Verb
from routing.models import RunLink
from tests.browser.looks import EVERY_LOOK, faults_here, faults_of
from tests.browser.test_steering_pages import kept, opened
from tests.factories import make_agent, make_call, make_cast, make_exchange, make_run

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]
_ASKED = {
    "model": "gpt-5",
    "messages": [
        {"role": "system", "content": "You sort invoices."},
        {"role": "user", "content": [
            {"type": "text", "text": "Which supplier is this?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 4000}},
        ]},
    ],
    "tools": [{"type": "function", "function": {"name": "lookup_supplier"}}],
}  # fmt: skip
_ANSWERED = {
    "choices": [{"message": {"role": "assistant", "content": None, "tool_calls": [
        {"id": "call_1", "type": "function", "function": {
            "name": "lookup_supplier", "arguments": '{"vat":"DE811907980","country":"DE"}'}},
    ]}}],
}  # fmt: skip


class Story:
    """A run with every kind of step, one with many, one of one step, one under way."""

    def __init__(self):
        self.cast = make_cast()
        self.agent = make_agent("invoice-sorter", owner=self.cast.alice, stage="live")
        self.began = clock.now() - timedelta(minutes=3)
        self.run = make_run(self.agent, "Invoices of November", started_at=self.began)
        self.report("plan", "step", span_id="aaaa", duration_ms=24_000, at=0)
        self.call(at=1, ms=4200, model="gpt-5", caller_span="t-aaaa")
        self.report("lookup_supplier", "tool", parent="aaaa", duration_ms=340, at=6)
        self.call(at=7, ms=9100, model="gpt-5", caller_span="t-aaaa", status="error",
                  error_code="upstream_500", cost_micros=None)  # fmt: skip
        self.denied(at=18)
        self.child = make_run(self.agent, "dlg_01kx", started_at=self.began + timedelta(seconds=20))
        self.call(at=21, ms=2000, run=self.child)
        RunLink.objects.create(
            child_run=self.child.run_id, parent_run=self.run.run_id, delegation_id="dlg_01kx",
            child_agent=self.agent.public_id, parent_agent=self.agent.public_id,
            linked_at=self.began + timedelta(seconds=20),
        )  # fmt: skip
        self.long = make_run(self.agent, "Two thousand steps", started_at=self.began)
        for number in range(130):
            if number % 13:
                self.call(at=number, ms=600, run=self.long)
            else:
                self.report(f"read_page_{number}", "tool", duration_ms=90, at=number, run=self.long)
        self.single = make_run(self.agent, "One step", started_at=self.began)
        self.call(at=0, ms=812, run=self.single)
        self.live = make_run(self.agent, "Under way")
        make_exchange(self.agent, self.live, answered=None, model="gpt-5")

    def call(self, *, at, ms, run=None, model="gpt-5", **over):
        run = run or self.run
        starts = self.began + timedelta(seconds=at)
        with clock.held_at(starts):
            intent = make_exchange(
                self.agent, run, json.dumps(_ASKED).encode(), json.dumps(_ANSWERED).encode(),
                model=model, found_in_request=["email:2:redact"],
            )  # fmt: skip
        given = {"cost_micros": 12_400, "input_tokens": 1840, "output_tokens": 312} | over
        make_call(
            self.agent, run_id=run.run_id, intent_id=intent, model=model, started_at=starts,
            duration_ms=ms, **given,
        )  # fmt: skip
        return intent

    def report(self, name, type, *, at, run=None, **facts):
        starts = self.began + timedelta(seconds=at)
        verb = Verb.TOOL_REPORTED if type == "tool" else Verb.STEP_REPORTED
        said = {
            "reported": True, "type": type, "name": name, "source": "api", "key": f"{name}{at}",
            "started_at": clock.stamp(starts), "status": "ok", **facts,
        }  # fmt: skip
        with clock.held_at(starts), transaction.atomic():
            record(
                verb, self.agent.ref, actor=self.agent.ref, kind="report", facts=said,
                agent_id=self.agent.public_id, stream=(run or self.run).run_id,
            )  # fmt: skip

    def denied(self, *, at):
        with clock.held_at(self.began + timedelta(seconds=at)), transaction.atomic():
            entry = record(
                Verb.CALL_DENIED, Ref("route", "rte_x"), actor=self.agent.ref, kind="decision",
                facts={"rule": "data.too_private", "answer": "deny", "route": "classify"},
                agent_id=self.agent.public_id, stream=self.run.run_id,
            )  # fmt: skip
        make_call(
            self.agent, run_id=self.run.run_id, intent_id=entry.fields.entry_id, status="denied",
            vendor="", model="", cost_micros=None, error_code="call_denied", duration_ms=0,
            input_tokens=0, output_tokens=0, started_at=self.began + timedelta(seconds=at),
        )  # fmt: skip

    @property
    def pages(self):
        run = f"/runs/{self.run.run_id}/"
        return {
            "list": "/runs/",
            "search": "/runs/?model=gpt-5&cost_from=0.01&has=tool",
            "none": "/runs/?search=nothing-like-it",
            "run": run,
            "calls": f"{run}calls/",
            "record": f"{run}record/",
            "long": f"/runs/{self.long.run_id}/",
            "single": f"/runs/{self.single.run_id}/",
            "live": f"/runs/{self.live.run_id}/",
        }


@pytest.fixture
def story(transactional_db):
    return Story()


def test_the_pages_of_runs_are_sound_in_every_look(browser, live_server, story):
    page = opened(browser, live_server, story.cast.alice)

    def then(name):
        if name == "run-light-1280":
            page.locator("details.step summary").nth(1).click()
        kept(page, f"runs-{name}")

    assert faults_of(page, story.pages, then, EVERY_LOOK) == []


def test_runs_are_searched_while_one_types_and_the_search_is_in_the_address(
    browser, live_server, story
):
    page = opened(browser, live_server, story.cast.alice)
    page.goto("/runs/")
    page.get_by_placeholder("Search by label").fill("two thousand")
    page.wait_for_url("**search=two%20thousand**")
    results = page.locator("#results")
    results.get_by_role("link", name="Two thousand steps").wait_for()
    expect(results.get_by_role("link", name="One step")).to_have_count(0)
    page.get_by_text("More to search by").click()
    page.get_by_label("Cost from, USD").fill("1000")
    results.get_by_text("No run fits").wait_for()
    page.reload()
    assert page.get_by_label("Cost from, USD").input_value() == "1000"
    page.get_by_role("link", name="Clear").click()
    page.locator("#results").get_by_role("link", name="One step").wait_for()


def test_steps_are_opened_with_the_keyboard_and_a_group_unfolds(browser, live_server, story):
    page = opened(browser, live_server, story.cast.alice)
    page.goto(story.pages["long"])
    group = page.locator("details.step-group").first
    group.locator("> summary").focus()
    page.keyboard.press("Enter")
    step = group.locator("details.step").first
    step.locator("> summary").focus()
    page.keyboard.press("Enter")
    step.get_by_text("Route and vendor").wait_for()
    page.get_by_role("link", name="Next").click()
    page.locator("details.step").first.wait_for()


def test_a_run_under_way_is_shown_as_it_goes_on_and_keeps_what_is_open(browser, live_server, story):
    page = opened(browser, live_server, story.cast.alice)
    page.goto(story.pages["live"])
    page.locator("details.step > summary").first.click()
    expect(page.locator("details.step[open]")).to_have_count(1)
    with transaction.atomic():
        record(
            Verb.TOOL_REPORTED, story.agent.ref, actor=story.agent.ref, kind="report",
            facts={"reported": True, "type": "tool", "name": "just_now"},
            agent_id=story.agent.public_id, stream=story.live.run_id,
        )  # fmt: skip
    page.get_by_text("just_now").wait_for()
    expect(page.locator("details.step[open]")).to_have_count(1)


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 390)])
def test_what_was_said_is_read_after_a_reason(browser, live_server, story, theme, width):
    page = opened(browser, live_server, story.cast.alice, theme=theme, width=width)
    page.goto(f"/runs/{story.single.run_id}/")
    page.locator("details.step > summary").first.focus()
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Read what was said").click()
    page.get_by_label("Reason").fill("Support case 7")
    page.get_by_role("button", name="Record my reading").click()
    page.get_by_text("Your reading is on record").wait_for()
    page.get_by_text("Which supplier is this?").first.wait_for()
    page.get_by_text("[picture: image/png, 3 KB]").first.wait_for()
    page.get_by_text("calls", exact=True).first.wait_for()
    assert faults_here(page, "payload") == []
    kept(page, f"runs-payload-{theme}-{width}")
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Download the bytes").first.click()
    assert json.loads(downloading.value.path().read_text()) == _ASKED
