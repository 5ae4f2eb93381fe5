"""The pages of fleet, runs, vendors, models and routes in a real browser.

Each page is looked at in both themes and on a phone: no rule of accessibility is broken
seriously, nothing scrolls sideways, and the browser has nothing to complain about.
"""

from __future__ import annotations

import os
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from django.db import transaction
from playwright.sync_api import expect

from kernel import clock
from ledger.record import record
from ledger.verbs import Verb
from routing.models import (
    BudgetNotice,
    BudgetWindow,
    LifecycleRow,
    Route,
    RunLink,
    ToolUse,
    UsageDay,
    UsageFallback,
    UsageMonth,
    UsageRoute,
    UsageTotal,
    Vendor,
)
from routing.queries.budgets import window_now
from tests.browser.looks import LOOKS, faults_of
from tests.factories import (
    browser_of,
    make_agent,
    make_budget,
    make_call,
    make_cast,
    make_exchange,
    make_model,
    make_route,
    make_run,
    make_vendor,
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]
SHOTS = os.environ.get("SCREENSHOTS_DIR", "")


class Company:
    """A few agents with a month of use, a model that ends, a run with a failed call."""

    def __init__(self):
        self.cast = make_cast()
        today = clock.now().date()
        self.vendor = make_vendor("openai", title="OpenAI", regions=["eu", "us"])
        self.model = make_model(
            self.vendor, "gpt-5", retires_on=today + timedelta(days=20),
            replacement="gpt-6.1", input_micros_per_mtok=1_250_000,
            output_micros_per_mtok=10_000_000, context_tokens=400_000,
            lifecycle_source="catalogue: https://source.example/deprecations",
        )  # fmt: skip
        self.route = make_route("classify", self.model, make_model(self.vendor, "gpt-6.1"))
        people = (self.cast.alice, self.cast.bob, self.cast.mallory)
        agents = [
            make_agent(
                f"agent-{number}", owner=people[number % 3], stage="live", routes=["classify"]
            )
            for number in range(12)
        ]
        for number, each in enumerate(agents):
            self._used(each, number)
        self.agent = agent = agents[-1]
        self.run = make_run(agent, "nightly-2026")
        for number in range(3):
            make_call(
                agent, run_id=self.run.run_id, intent_id=make_exchange(agent, self.run),
                status="error" if number == 1 else "ok", reported_model="gpt-5-2025",
                error_code="upstream_500" if number == 1 else "",
                started_at=clock.now() + timedelta(seconds=number), duration_ms=400,
            )  # fmt: skip
        self._budgets(agent)
        self._fell_back(agent)
        self._worked_for_another(agents[0])
        make_exchange(agent, self.run, answered=None)
        LifecycleRow.objects.create(
            platform="openai", model_id="gpt-5", canonical_id="gpt-5", status="deprecated",
            retires_on=today + timedelta(days=20), source_url="https://source.example/",
            loaded_at=clock.now(),
        )  # fmt: skip

    def _budgets(self, agent):
        """A budget that is nearly spent, and one of requests that nobody has used."""
        self.budget = make_budget(
            subject_kind="agent", subject=agent.public_id, cap=50_000_000, reason="A trial."
        )
        since = window_now(self.budget).starts_at
        BudgetWindow.objects.create(
            budget=self.budget, starts_at=since, spent=41_000_000, held=2_500_000
        )
        BudgetNotice.objects.create(
            budget=self.budget, starts_at=since, percent=80, noticed_at=clock.now()
        )
        make_budget(measure="requests", period="minute", currency="", cap=600)
        with transaction.atomic():
            record(
            Verb.CALL_OVER_BUDGET, self.budget.ref, actor=agent.ref, agent_id=agent.public_id,
            facts={"asked": 900_000, "spent": 41_000_000, "held": 2_500_000, "model": "gpt-5"},
          )  # fmt: skip

    def _worked_for_another(self, planner):
        """The run did part of another one, with tools that nobody declared."""
        parent = make_run(planner, "plan-7")
        RunLink.objects.create(
            child_run=self.run.run_id, parent_run=parent.run_id, delegation_id="dlg_01kx",
            child_agent=self.agent.public_id, parent_agent=planner.public_id,
            linked_at=clock.now(),
        )  # fmt: skip
        for tool, use in (
            ("Bash", "offered"), ("Bash", "called"), ("wire_money", "refused"),
            ("mcp__com_acme_erp__purchase_orders_create_and_approve_in_bulk", "offered"),
        ):  # fmt: skip
            ToolUse.objects.create(
                agent_id=self.agent.public_id, tool=tool, use=use, day=clock.now()
            )

    def _fell_back(self, agent):
        """A call whose second attempt was served, beside a shadow, by another model."""
        given = {"run_id": self.run.run_id, "route": "classify", "vendor": "openai"}
        first = make_call(agent, status="error", http_status=429, model="gpt-5", **given)
        given["call_id"] = first.intent_id
        make_call(
            agent, attempt=2, fallback_reason="http_429", model="gpt-6.1", is_substituted=True,
            reported_model="gpt-5-mini", usage_estimated=True, **given,
        )  # fmt: skip
        make_call(agent, attempt=0, is_shadow=True, model="gpt-6.1", **given)
        ahead = (clock.now() + timedelta(days=1)).isoformat()
        named = {"vendor": "openai", "model": "gpt-6.1", "region": ""}
        Route.objects.update(
            options={
                "choose": "cheapest",
                "override": named | {"until": ahead, "reason": "a slow day"},
                "shadow": named | {"percent": 5},
            }
        )
        self.route.targets.filter(model__name="gpt-6.1").update(canary_percent=10)
        today = {"day": clock.now().date(), "route": "classify", "vendor": "openai"}
        UsageRoute.objects.create(model="gpt-5", calls=90, attempts=100, cost_micros=9, **today)
        UsageFallback.objects.create(model="gpt-5", reason="http_429", calls=10, **today)

    def _used(self, agent, number):
        for ago in range(30):
            day = clock.now().date() - timedelta(days=ago)
            sums = {"calls": 40 + number, "errors": number % 3, "cost_micros": 90_000 * number}
            UsageDay.objects.create(
                day=day, agent_id=agent.public_id, route="classify", vendor="openai",
                model="gpt-5", **sums,
            )  # fmt: skip
            for row in (
                UsageTotal.objects.get_or_create(day=day)[0],
                UsageMonth.objects.get_or_create(
                    month=day.replace(day=1), agent_id=agent.public_id
                )[0],
            ):
                for name, value in sums.items():
                    setattr(row, name, getattr(row, name) + value)
                row.save(update_fields=list(sums))

    @property
    def pages(self):
        return {
            "home": "/",
            "runs": "/runs/",
            "tools": f"/agents/{self.agent.name}/tools/",
            "run": f"/runs/{self.run.run_id}/",
            "calls": f"/runs/{self.run.run_id}/calls/",
            "record": f"/runs/{self.run.run_id}/record/",
            "vendors": "/vendors/",
            "vendor": "/vendors/openai/",
            "connect": "/vendors/connect/",
            "address": "/vendors/connect/?preset=openai",
            "setup": "/vendors/openai/setup/",
            "test": "/vendors/openai/setup/?step=test",
            "found": "/vendors/openai/setup/?step=models",
            "change": "/vendors/openai/change/",
            "disable": "/vendors/openai/disable/",
            "models": "/models/",
            "catalogue": "/models/catalogue/",
            "substitutions": "/models/answered-as/",
            "model": f"/models/{self.model.public_id}/",
            "price": f"/models/{self.model.public_id}/change/",
            "budgets": "/budgets/",
            "budget": f"/budgets/{self.budget.public_id}/",
            "budget-new": "/budgets/new/",
            "budget-change": f"/budgets/{self.budget.public_id}/change/",
            "budget-end": f"/budgets/{self.budget.public_id}/end/",
            "routes": "/routes/",
            "route": f"/routes/{self.route.public_id}/",
            "edit": f"/routes/{self.route.public_id}/change/",
        }


@pytest.fixture
def company(transactional_db):
    return Company()


def opened(browser, live_server, person, *, theme="light", width=1280, scripts=True):
    """Open a browser window in which this person is signed in."""
    context = browser.new_context(
        base_url=live_server.url,
        color_scheme=theme,
        viewport={"width": width, "height": 900},
        java_script_enabled=scripts,
    )
    session = browser_of(person).cookies["unsprawl"].value
    context.add_cookies([{"name": "unsprawl", "value": session, "url": live_server.url}])
    context.set_default_timeout(60_000)
    return context.new_page()


def kept(page, name):
    if SHOTS:
        page.screenshot(path=str(Path(SHOTS) / f"{name}.png"), full_page=True)


def test_every_page_is_sound_in_every_look(browser, live_server, company):
    page = opened(browser, live_server, company.cast.pat)
    then = partial(kept, page)
    assert faults_of(page, company.pages, then, LOOKS) == []


def test_a_run_is_verified_and_read_with_the_keyboard_alone(browser, live_server, company):
    page = opened(browser, live_server, company.cast.pat)
    page.goto(company.pages["run"])
    page.get_by_role("button", name="Verify this run").focus()
    page.keyboard.press("Enter")
    page.get_by_text("The record of this run holds").wait_for()
    page.get_by_role("link", name="Calls", exact=True).focus()
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Read what was said").first.focus()
    page.keyboard.press("Enter")
    page.get_by_label("Reason").fill("Support case 7")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_text("Your reading is on record").wait_for()
    kept(page, "payload")


def test_a_vendor_is_connected_and_a_route_made_without_scripts(browser, live_server, company):
    page = opened(browser, live_server, company.cast.pat, scripts=False)
    page.goto("/vendors/connect/")
    page.get_by_role("link", name="llama.cpp").click()
    page.get_by_role("button", name="Connect, then enter the secret").click()
    page.get_by_text("Does it answer?").wait_for()
    page.get_by_role("link", name="Skip", exact=True).click()
    page.get_by_label("Or by name").fill("llama-3")
    page.get_by_role("button", name="Add them").click()
    page.goto("/vendors/llama-cpp/setup/?step=route")
    page.get_by_label("Name agents call").fill("summarise")
    page.get_by_role("button", name="Make the route").click()
    page.get_by_text("Agents can call summarise now.").wait_for()
    assert Vendor.objects.filter(name="llama-cpp").exists()

    page.get_by_role("link", name="Change").click()
    page.get_by_role("button", name="Another target").click()
    page.get_by_label("Model").nth(1).select_option(label="gpt-6.1")
    page.get_by_label("Priority").nth(1).fill("5")
    page.get_by_role("button", name="Look at what it means").click()
    page.get_by_text("nothing is saved yet").wait_for()
    kept(page, "preview")
    page.get_by_role("button", name="Save the route").click()
    page.get_by_text("summarise is set.").wait_for()
    assert Route.objects.get(name="summarise").targets.count() == 2


def test_the_charts_change_in_place(browser, live_server, company):
    page = opened(browser, live_server, company.cast.pat)
    page.goto("/")
    page.get_by_role("heading", name="Use, last 30 days").wait_for()
    page.get_by_role("link", name="7 d", exact=True).click()
    page.get_by_role("heading", name="Use, last 7 days").wait_for()
    page.get_by_label("Team", exact=True).select_option(label="Finance")
    page.get_by_role("heading", name="Use by Finance, last 7 days").wait_for()
    expect(page.locator("#home-cost")).to_have_count(1)
    page.locator("[data-chart=home-calls] canvas").wait_for()


def test_a_list_is_searched_while_one_types(browser, live_server, company):
    page = opened(browser, live_server, company.cast.pat)
    page.goto("/models/")
    page.get_by_placeholder("Search by model or vendor").fill("gpt-6")
    page.wait_for_url("**search=gpt-6**")
    results = page.locator("#results")
    results.get_by_role("link", name="gpt-6.1").wait_for()
    expect(results.get_by_role("link", name="gpt-5")).to_have_count(0)


def test_a_newcomer_begins_at_home(browser, live_server, company):
    from tests.factories import make_person

    page = opened(browser, live_server, make_person("newcomer"), width=390)
    page.goto("/")
    page.get_by_role("heading", name="Start here").wait_for()
    kept(page, "newcomer")
