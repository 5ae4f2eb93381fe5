"""What is found, worth, conformance and ends in a real browser: a story, then every look."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from fleet.conformance.actions.checking import check_runs
from fleet.discovery.models import Evidence, Finding, Reading
from fleet.retiring.actions.batches import open_batch
from fleet.retiring.actions.carrying import carry_on
from fleet.retiring.actions.planning import Plan, plan_retirement, retire_now
from fleet.worth.actions.declaring import declare_value
from fleet.worth.actions.grouping import find_duplicates
from fleet.worth.actions.listing import list_quarter_now
from fleet.worth.actions.standing import make_standings
from fleet.worth.models import DuplicateGroup, OutcomeDay, Quarter
from kernel import clock
from registry.actors import Actor
from registry.models import Agent
from routing.models import ModelUse, UsageDay
from tests.browser.looks import EVERY_LOOK, faults_here, faults_of
from tests.browser.test_steering_pages import opened
from tests.effects.acts import make_operation
from tests.factories import Cast, actor, make_agent, make_cast, make_key, make_manifest, make_route
from tests.fleet.conformance.test_checking import STEPS, ran
from tests.fleet.discovery.rows import make_finding

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SHOTS = os.environ.get("SCREENSHOTS_DIR", "")
SYSTEM = Actor.system("test")


def found(title: str, **over: Any) -> Finding:
    """Make a finding with what says so."""
    now = clock.now()
    finding = make_finding(title, **over)
    Evidence.objects.create(
        finding=finding, source="report", batch="b", summary="model ids in 4 files", confidence=0.9,
        facts={"repository": title, "path": "app/run.py", "line": 4, "hosts": ["api.openai.com"]},
        first_seen_at=now - timedelta(days=9), last_seen_at=now, recorded_at=now,
    )  # fmt: skip
    return finding


def story(browser: Any, live_server: Any, cast: Cast) -> None:
    """Find, assign, claim; merge another; block a third: with the mouse and the keyboard."""
    on = clock.now().date() + timedelta(days=19)
    first = found("git.acme.test/fin/expense", likely=cast.alice, retires_on=on, risk=60,
                  retiring_model="gpt-5")  # fmt: skip
    second, third = found("git.acme.test/hr/triage"), found("git.acme.test/ops/nightly")
    make_agent("triage", owner=cast.bob, stage="live")
    page = opened(browser, live_server, cast.sam)
    page.goto("/unregistered/")
    page.get_by_role("link", name=first.title).click()
    expect(page.get_by_text(f"This repository breaks on {on:%-d %B %Y}")).to_be_visible()
    page.get_by_text("What it says").click()
    expect(page.get_by_text("app/run.py")).to_be_visible()
    page.locator("form[action$='/assign/']").get_by_role("button", name="Assign").click()
    page.get_by_text("is asked").wait_for()
    page.goto(f"/unregistered/{second.public_id}/")
    page.locator("form[action$='/merge/'] input[name=agent]").fill("triage")
    page.locator("form[action$='/merge/']").get_by_role("button", name="Merge").click()
    page.get_by_text("It belongs to").wait_for()
    page.goto(f"/unregistered/{third.public_id}/")
    page.get_by_role("link", name="Blocked").click()
    page.get_by_label("What was done").fill("The host is refused by the proxy.")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="It is blocked").click()
    page.get_by_text("Blocked. Seen again").wait_for()
    page.context.close()

    hers = opened(browser, live_server, cast.alice)
    hers.goto("/unregistered/")
    hers.get_by_role("link", name=first.title).click()
    hers.locator("#id_backup_owner").fill(cast.bob.email)
    hers.get_by_role("button", name="Register as a draft").click()
    hers.get_by_text("is registered, as a draft").wait_for()
    hers.context.close()
    states = dict(Finding.objects.values_list("pk", "state"))
    assert [states[each.pk] for each in (first, second, third)] == ["claimed", "merged", "blocked"]


def company(cast: Cast) -> dict[str, str]:
    """Make agents that cost, earn, deviate, end and are alike; return the pages that tell it."""
    now, operation = clock.now(), make_operation()
    action = f"{operation.connection.name}.{operation.name}"
    old = now - timedelta(days=300)
    texts = (("bill-sorter", "Invoice sorter", "Sorts invoices by cost centre."),
             ("rechnungen", "Rechnungssortierer",
              "Ordnet Eingangsrechnungen einer Kostenstelle zu."))  # fmt: skip
    for name, title, text in texts:
        make_agent(name, owner=cast.alice, stage="live", title=title, description=text,
                   tools=["erp-read"], created_at=old)  # fmt: skip
    manifest = make_manifest("sorter", steps=STEPS, tools=[{"name": "crm"}])
    sorter = make_agent("sorter", owner=cast.alice, backup_owner=cast.bob, stage="live",
                        manifest=manifest, created_at=old)  # fmt: skip
    agents = [*Agent.objects.filter(stage="live").order_by("pk")]
    for place, agent in enumerate(agents):
        named = {"agent_id": agent.public_id, "route": "r", "vendor": "v", "model": "m"}
        for day in range(3):
            UsageDay.objects.create(day=now.date() - timedelta(days=day), calls=40 * (place + 1),
                                    cost_micros=900_000 * (place + 1) ** 2, **named)  # fmt: skip
        ModelUse.objects.create(calls=9, first_called_at=now, last_called_at=now, **named)
        OutcomeDay.objects.create(agent_id=agent.public_id, day=now.date(), action=action,
                                  accepted=8 * (place + 1), rejected=2)  # fmt: skip
        make_key(agent)
        if place % 2 == 0:
            declare_value(agent.name, action, 700_000, actor=actor(agent.owner), because="A clerk.")
    for weeks in (1, 8, 15, 22):
        ran(sorter, "crm", "model", ago=timedelta(days=weeks))
        ran(sorter, *(["spy"] if weeks < 9 else ["crm"]), "model", ago=timedelta(days=weeks))
    check_runs(actor=SYSTEM)
    find_duplicates(actor=SYSTEM)
    make_standings(actor=SYSTEM)
    list_quarter_now(actor=SYSTEM)
    planned = plan_retirement(
        "rechnungen", Plan(now + timedelta(days=40)), actor=actor(cast.alice), reason="Replaced."
    )
    ended = make_agent("old-bot", owner=cast.alice, stage="live")
    make_key(ended)
    tomb = carry_on(retire_now("old-bot", actor=actor(cast.alice), reason="Old."), actor=SYSTEM)
    coming = Reading.objects.create(
        public_id="rdg_coming", kind="squid", title="access.log", size=10**9, received=4 * 10**8,
        asked_by=str(cast.sam.ref), asked_at=now,
    )  # fmt: skip
    batch = open_batch("retire", agents, actor=actor(cast.pat))
    finding = Finding.objects.order_by("pk")[0]
    group = DuplicateGroup.objects.order_by("-score_permille")[0]
    quarter = Quarter.objects.get()
    line = quarter.listed.order_by("pk")[0]
    return {
        "findings": "/unregistered/?state=all", "finding": f"/unregistered/{finding.public_id}/",
        "reading": f"/unregistered/readings/{coming.public_id}/",
        "sources": "/unregistered/sources/", "agent": "/agents/triage/",
        "worth": "/worth/", "quarter": f"/worth/lists/{quarter.public_id}/",
        "listed": f"/worth/listed/{line.public_id}/", "duplicates": "/worth/duplicates/",
        "group": f"/worth/duplicates/{group.public_id}/",
        "conformance": "/agents/sorter/conformance/",
        "retirements": "/retirements-of-agents/",
        "planned": f"/retirements-of-agents/{planned.public_id}/",
        "tombstone": f"/retirements-of-agents/{tomb.public_id}/",
        "plan": "/retirements-of-agents/plan/?agent=sorter",
        "batch": f"/admin/retiring/batch/{batch.pk}/change/",
    }  # fmt: skip


def test_a_finding_is_claimed_merged_and_blocked_and_every_page_is_sound(
    live_server: Any, browser: Any
) -> None:
    cast = make_cast()
    make_route()
    story(browser, live_server, cast)
    pages = company(cast)
    batch = pages.pop("batch")
    # What a test asks is the phone in the dark; all four looks are made to be looked at.
    for theme, width in EVERY_LOOK if SHOTS else EVERY_LOOK[1:2]:
        page = opened(browser, live_server, cast.pat, theme=theme, width=width)

        def keep(name: str, look: str = f"{theme}-{width}", page: Any = page) -> None:
            if SHOTS:
                page.screenshot(path=str(Path(SHOTS) / f"{name}-{look}.png"), full_page=True)

        assert faults_of(page, pages, then=keep) == []
        if SHOTS:
            page.goto(batch)
            keep("batch")
            faults_here(page, batch)
        page.context.close()
