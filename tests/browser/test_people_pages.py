"""The pages of people, agents and reviews in a real browser.

Each page is looked at in both themes and on a phone: no rule of accessibility is broken
seriously, nothing scrolls sideways, the browser has nothing to complain about. And all of
it works with scripts off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, expect

from approvals.actions import submit_agent
from registry.models import Agent, AgentKey, Person
from tests.browser.looks import LOOKS, faults_here
from tests.factories import (
    actor,
    make_agent,
    make_call,
    make_cast,
    make_key,
    make_manifest,
    make_model,
    make_person,
    make_route,
    make_similar,
    make_token,
    make_vendor,
    make_version,
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]
LONG = "Averylongwordwithoutanyspacethatsomebodytyped" * 3


class Company:
    """Agents in every state, keys, versions, a review, and people with odd names."""

    def __init__(self) -> None:
        self.cast = cast = make_cast()
        make_route("sandbox", make_model(make_vendor("sandbox"), "sandbox-1"))
        self.agent = make_agent(
            "invoice-sorter", owner=cast.alice, backup_owner=cast.bob, stage="soft_launch",
            on_call="#finance", purpose=LONG, tags=["finance"], tools=["mailbox"],
        )  # fmt: skip
        tools = [{"name": "bank", "effect": "money", "maxAmount": 200, "currency": "EUR"}]
        make_version(self.agent, make_manifest(version="1.1.0", tools=tools))
        make_key(self.agent, name="laptop")
        make_call(self.agent)
        make_call(self.agent, status="error", error_code="upstream_timeout")
        self.draft = make_agent("draft-writer", owner=cast.alice, backup_owner=cast.bob)
        make_similar(self.draft, self.agent, 0.82, "titles nearly alike")
        self.review = submit_agent(
            self.agent.name, actor=actor(cast.alice), justification=f"It pays. {LONG}"
        )
        for stage in ("in_review", "live", "deprecated", "retired"):
            make_agent(f"agent-{stage.replace('_', '-')}", owner=cast.mallory, stage=stage)
        make_person("leo", deactivated_at=cast.alice.created_at)
        make_token(cast.pat)

    @property
    def pages(self) -> dict[str, list[str]]:
        """Every page, by who looks at it."""
        agent, draft = "/agents/invoice-sorter/", "/agents/draft-writer/"
        review = f"/reviews/{self.review.public_id}/"
        return {
            "alice": [
                "/agents/", "/agents/?search=nothing", "/agents/register/",
                "/agents/register/?way=yaml", "/agents/register/?way=shell", agent, draft,
                f"{agent}connect/", f"{agent}keys/", f"{agent}versions/", f"{agent}calls/",
                f"{agent}versions/?before=1&after=2", f"{agent}versions/2/", f"{agent}history/",
                f"{agent}end/", f"{draft}end/", "/reviews/", review, "/account/", "/people/",
            ],
            "sam": ["/reviews/", review, "/reviews/?show=all", f"{agent}end/"],
            "pat": [
                "/people/", "/people/invite/", "/people/teams/", "/agents/register/",
                f"/people/{self.cast.alice.public_id}/", "/account/",
            ],
            "mallory": [agent, f"{agent}keys/", "/agents/agent-retired/", review],
        }  # fmt: skip


@pytest.fixture
def company(transactional_db: None) -> Company:
    return Company()


@pytest.fixture
def windows(browser: Browser, live_server: Any) -> Iterator[Any]:
    """Yield a way to open a window for somebody who is signed in, or for nobody."""
    contexts = []

    def window(
        person: Person | None, *, theme: Any = "light", width: int = 1280, scripts: bool = True
    ) -> Page:
        context = browser.new_context(
            base_url=live_server.url, color_scheme=theme, java_script_enabled=scripts,
            viewport={"width": width, "height": 900}, locale="en-GB",
        )  # fmt: skip
        contexts.append(context)
        context.set_default_timeout(60_000)
        if person is not None:
            client = Client()
            client.force_login(person)
            session = client.cookies["unsprawl"].value
            context.add_cookies([{"name": "unsprawl", "value": session, "url": live_server.url}])
        return context.new_page()

    yield window
    for context in contexts:
        context.close()


def faults_of(page: Page, path: str) -> list[str]:
    """Go to a page and say everything that is wrong with it in both looks."""
    heard: list[str] = []
    # That a page answers 403 or 404 is what some of them are for.
    page.on(
        "console",
        lambda said: (
            heard.append(said.text)
            if said.type == "error" and "status of 40" not in said.text
            else None
        ),
    )
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.goto(path)
    page.wait_for_load_state("load")
    expect(page.locator(".htmx-request")).to_have_count(0)
    return faults_here(page, path, LOOKS) + heard


def test_every_page_is_sound_in_every_look(windows: Any, company: Company) -> None:
    wrong = {}
    for who, paths in company.pages.items():
        page = windows(getattr(company.cast, who))
        for path in paths:
            if faults := faults_of(page, path):
                wrong[f"{who} {path}"] = faults
    nobody = windows(None)
    for path in ("/signin/", "/enter/spent/"):
        if faults := faults_of(nobody, path):
            wrong[path] = faults
    assert wrong == {}


def test_the_form_answers_while_one_writes_and_loses_nothing(
    windows: Any, company: Company
) -> None:
    page = windows(company.cast.mallory)
    page.goto("/agents/register/")
    page.get_by_label("What is it called?").fill("Invoice sorter")
    expect(page.locator("#check")).to_contain_text("The name is taken")
    expect(page.locator("#check")).to_contain_text("alike")
    page.get_by_label("Backup owner").press_sequentially("bo")
    expect(page.locator('#people-options option[value="bob@acme.test"]')).to_have_count(1)
    page.get_by_role("checkbox", name=re.compile("^Personal")).check()
    expect(page.locator("#check")).to_contain_text("takes no personal data")
    page.get_by_role("button", name="Register", exact=True).click()
    expect(page.get_by_text("fields need another look")).to_be_visible()
    assert page.get_by_label("What is it called?").input_value() == "Invoice sorter"
    assert page.get_by_role("checkbox", name=re.compile("^Personal")).is_checked()


def test_a_list_narrows_as_one_types(windows: Any, company: Company) -> None:
    page = windows(company.cast.alice)
    page.goto("/agents/")
    page.get_by_placeholder("Search by name, owner, team or purpose").fill("invoice")
    expect(page.locator("#results tbody tr")).to_have_count(1)
    assert "search=invoice" in page.url
    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.keyboard.press("/")
    expect(page.locator("#command")).to_be_focused()


def test_a_review_is_answered_from_the_keyboard(windows: Any, company: Company) -> None:
    page = windows(company.cast.sam)
    page.goto(f"/reviews/{company.review.public_id}/")
    page.keyboard.press("a")
    expect(page.get_by_label("Comment")).to_be_focused()
    page.keyboard.type("Fine.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Yes. The requester sees it.")).to_be_visible()
    company.review.refresh_from_db()
    assert company.review.state == "approved"


def test_a_dangerous_button_waits_for_the_name(windows: Any, company: Company) -> None:
    page = windows(company.cast.alice)
    page.goto("/agents/invoice-sorter/end/")
    page.get_by_role("link", name="Kill").click()
    dialog = page.locator("#step-kill")
    kill = dialog.get_by_role("button", name="Kill")
    expect(kill).to_be_disabled()
    dialog.get_by_label("Reason").fill("Leaked.")
    dialog.get_by_label("Type").fill("invoice-sorter")
    kill.click()
    expect(page.get_by_text("is killed.")).to_be_visible()
    company.agent.refresh_from_db()
    assert company.agent.killed_at is not None


def test_all_of_it_works_with_scripts_off(windows: Any, company: Company) -> None:
    page = windows(company.cast.alice, scripts=False)
    page.goto("/agents/register/")
    page.get_by_label("What is it called?").fill("Contract reader")
    page.get_by_label("What does it do?").fill("Finds notice periods.")
    page.get_by_label("Backup owner").fill("bob@acme.test")
    page.get_by_role("checkbox", name=re.compile("^Internal")).check()
    page.get_by_role("button", name="Register", exact=True).click()
    expect(page.get_by_role("heading", name="Contract reader")).to_be_visible()
    page.get_by_role("button", name="Submit for review").click()
    expect(page.get_by_text("Wait for the review")).to_be_visible()
    assert Agent.objects.get(name="contract-reader").stage == "in_review"

    page.goto("/agents/invoice-sorter/keys/")
    page.get_by_role("link", name=re.compile("^Revoke")).click()
    dialog = page.locator("dialog:target")
    dialog.get_by_label("Reason").fill("Lost.")
    dialog.get_by_label("Type").fill("invoice-sorter")
    dialog.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("Every process refuses it within a second")).to_be_visible()
    assert AgentKey.objects.get().revoked_at is not None

    page.goto("/agents/")
    page.get_by_placeholder("Search by name, owner, team or purpose").fill("contract")
    page.keyboard.press("Enter")
    expect(page.locator("#results tbody tr")).to_have_count(1)


def test_times_are_shown_in_the_zone_of_the_account(windows: Any, company: Company) -> None:
    alice = company.cast.alice
    Person.objects.filter(pk=alice.pk).update(time_zone="Asia/Kolkata")
    alice.refresh_from_db()
    page = windows(alice)
    page.goto("/agents/invoice-sorter/")
    expect(page.locator("dl.facts time[data-time=stamp]").first).to_contain_text("GMT+5:30")
    plain = windows(alice, scripts=False)
    plain.goto("/agents/invoice-sorter/")
    expect(plain.locator("dl.facts time[data-time=stamp]").first).to_contain_text("IST")
