"""Budgets as people set them: who may, what is refused, what a manifest declares."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail

from fleet.demo.company import BUDGETS
from kernel import clock
from ledger.models import Entry
from registry.actors import Actor, RoleMissing
from routing.actions import budget_notices
from routing.actions.budgets import change_budget, checked, end_budget, keep_limits, set_budget
from routing.budgeting import BudgetDraft
from routing.errors import BudgetExists, BudgetInvalid, NothingToChange
from routing.models import Budget, BudgetNotice, BudgetWindow, UsageDay
from routing.queries.budgets import budgets_for, standing, would_have_stopped
from tests.factories import (
    Cast,
    client_of,
    make_agent,
    make_budget,
    make_call,
    make_cast,
    make_model,
    make_route,
    make_team,
    make_vendor,
)

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 16, 12, tzinfo=UTC)
MONTH = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def pat(cast) -> Actor:
    return Actor.of(cast.pat)


@pytest.fixture
def sam(cast) -> Actor:
    return Actor.of(cast.sam)


def draft(**over: Any) -> BudgetDraft:
    given: dict[str, Any] = {
        "subject_kind": "organisation",
        "measure": "cost",
        "cap": 1_000_000,
    } | over
    return BudgetDraft(**given)


def test_a_budget_is_set_and_on_record(pat):
    budget = set_budget(draft(), actor=pat)
    assert (budget.period, budget.currency, budget.time_zone) == ("month", "USD", "UTC")
    assert Entry.objects.get(subject=str(budget.ref)).verb == "budget.set"


def test_a_new_budget_begins_with_what_the_month_has_cost_already(pat):
    agent = make_agent()
    use = {"agent_id": agent.public_id, "route": "r", "vendor": "v", "model": "m"}
    UsageDay.objects.create(day=MONTH.date(), cost_micros=40, **use)
    UsageDay.objects.create(day=MONTH.date() - timedelta(days=1), cost_micros=500, **use)
    with clock.held_at(NOW):
        found = standing(set_budget(draft(), actor=pat))
    assert (found.spent, found.span.starts_at) == (40, MONTH)


def test_the_same_budget_twice_is_refused_and_may_follow_an_ended_one(pat):
    budget = set_budget(draft(), actor=pat)
    with pytest.raises(BudgetExists):
        set_budget(draft(cap=5), actor=pat)
    end_budget(budget.public_id, actor=pat)
    assert set_budget(draft(cap=5), actor=pat).cap == 5


def test_security_may_lower_and_nobody_else_may_anything(pat, sam, cast):
    budget = set_budget(draft(), actor=sam)
    assert change_budget(budget.public_id, {"cap": 10}, actor=sam).cap == 10
    for change in ({"cap": 11}, {"lets_unpriced": True}):
        with pytest.raises(RoleMissing):
            change_budget(budget.public_id, change, actor=sam)
    with pytest.raises(RoleMissing):
        end_budget(budget.public_id, actor=sam)
    with pytest.raises(RoleMissing):
        set_budget(draft(measure="requests"), actor=Actor.of(cast.alice))
    with pytest.raises(NothingToChange):
        change_budget(budget.public_id, {"cap": 10}, actor=pat)


@pytest.mark.parametrize(
    "wrong",
    [
        {"measure": "hope"},
        {"period": "minute"},
        {"cap": -1},
        {"cap": 2**53},
        {"thresholds": [101]},
        {"currency": "dollars"},
        {"subject_kind": "planet"},
        {"subject_kind": "agent", "subject": "nobody"},
        {"subject": "organisations have no name"},
        {"subject_kind": "team", "subject": "a\x00b"},
    ],
)
def test_what_does_not_hold_together_is_refused(wrong):
    with pytest.raises(BudgetInvalid):
        checked(draft(**wrong))


def test_a_manifests_limits_are_kept_exactly(pat):
    agent = make_agent()
    keep_limits(agent, {"dailyUsd": 2.5, "monthlyUsd": 40, "rpm": 60}, actor=pat)
    kept = {(b.measure, b.period): b.cap for b in Budget.objects.filter(ended_at=None)}
    assert kept == {
        ("cost", "day"): 2_500_000, ("cost", "month"): 40_000_000, ("requests", "minute"): 60,
    }  # fmt: skip
    keep_limits(agent, {"dailyUsd": 3, "tpm": 9}, actor=pat)
    kept = {(b.measure, b.period): b.cap for b in Budget.objects.filter(ended_at=None)}
    assert kept == {("cost", "day"): 3_000_000, ("tokens", "minute"): 9}
    declared = Budget.objects.filter(ended_at=None).first()
    assert declared is not None
    with pytest.raises(BudgetInvalid):
        end_budget(declared.public_id, actor=pat)


def test_who_sees_what(cast, pat):
    mine = make_agent(owner=cast.alice)
    make_budget(subject_kind="agent", subject=mine.public_id)
    make_budget()
    assert budgets_for(pat).count() == 2
    assert [b.subject for b in budgets_for(Actor.of(cast.alice))] == [mine.public_id]
    assert list(budgets_for(Actor.of(cast.bob))) == []


def test_a_standing_says_what_is_left_and_where_it_is_heading(pat):
    with clock.held_at(NOW):
        budget = make_budget(cap=1000)
        BudgetWindow.objects.create(budget=budget, starts_at=MONTH, spent=300, held=100)
        found = standing(budget)
    assert (found.left, found.percent, found.spent) == (600, 40, 300)
    assert found.forecast == int(300 * 30 / 15.5)
    with clock.held_at(NOW + timedelta(days=20)):
        assert standing(budget).spent == 0


def test_a_preview_counts_what_it_would_have_stopped():
    agent = make_agent()
    with clock.held_at(NOW):
        for hour in range(5):
            make_call(agent, cost_micros=10, started_at=NOW - timedelta(hours=hour))
        make_call(agent, cost_micros=10, started_at=NOW - timedelta(days=3))
        assert would_have_stopped(checked(draft(period="day", cap=30)), "UTC") == 2
        assert would_have_stopped(checked(draft(period="day", cap=50)), "UTC") == 0
        of_agent = draft(subject_kind="agent", subject=agent.name, period="month", cap=55)
        assert would_have_stopped(checked(of_agent), "UTC") == 1
        assert would_have_stopped(checked(draft(measure="open_calls", cap=1)), "UTC") is None


def test_a_threshold_is_noticed_once_a_window_and_mailed(cast, settings):
    settings.EMAIL_HOST = "mail.acme.test"
    agent = make_agent(owner=cast.alice)
    sweep = Actor.system("budget-notices")
    with clock.held_at(NOW):
        budget = make_budget(subject_kind="agent", subject=agent.public_id, cap=1000)
        window = BudgetWindow.objects.create(budget=budget, starts_at=MONTH, spent=499)
        assert budget_notices.notice_budgets(actor=sweep) == 0
        BudgetWindow.objects.filter(pk=window.pk).update(spent=800)
        assert [budget_notices.notice_budgets(actor=sweep) for _ in range(2)] == [2, 0]
    assert [sent.to for sent in mail.outbox] == [[cast.alice.email]]
    assert mail.outbox[0].subject.startswith("80% of the budget")
    assert set(BudgetNotice.objects.values_list("mailed_at", flat=True)) == {NOW}
    with clock.held_at(NOW + timedelta(days=20)):
        later = datetime(2026, 12, 1, tzinfo=UTC)
        BudgetWindow.objects.create(budget=budget, starts_at=later, spent=600)
        assert budget_notices.notice_budgets(actor=sweep) == 1


def test_minutes_long_past_are_dropped_and_months_are_kept():
    minute = make_budget(measure="requests", period="minute", currency="", cap=5)
    month = make_budget()
    old = clock.now() - timedelta(hours=4)
    BudgetWindow.objects.create(budget=minute, starts_at=old, spent=5)
    BudgetWindow.objects.create(budget=minute, starts_at=clock.now(), spent=5)
    BudgetWindow.objects.create(budget=month, starts_at=old, spent=5)
    assert budget_notices.drop_old_minutes(actor=Actor.system("x")) == 1
    assert BudgetWindow.objects.count() == 2


def test_budgets_over_rest(cast):
    pat, alice = client_of(cast.pat), client_of(cast.alice)
    wanted = {"subject_kind": "organisation", "measure": "cost", "cap": 5_000_000}
    assert pat.post("/api/v1/budgets/preview", wanted).json() == {
        "would_have_stopped": 0, "days": 30,
    }  # fmt: skip
    made = pat.post("/api/v1/budgets", wanted)
    assert made.status_code == 201
    address = f"/api/v1/budgets/{made.json()['id']}"
    assert (made.json()["left"], made.json()["name"]) == (5_000_000, "Everybody")
    assert pat.put(address, {"cap": 7}).json()["cap"] == 7
    assert [row["cap"] for row in pat.get("/api/v1/budgets").json()["results"]] == [7]
    assert alice.get(address).status_code == 404
    assert alice.post("/api/v1/budgets", wanted).status_code == 403
    assert alice.post("/api/v1/budgets/preview", wanted).status_code == 403
    assert pat.put(address, {"measure": "tokens"}).status_code == 422
    assert pat.delete(address).status_code == 204
    assert pat.get(address).status_code == 404


def test_the_demo_companys_budgets_hold_together():
    make_team("Finance", slug="finance")
    vendor = make_vendor("anthropic")
    make_route("reason", make_model(vendor))
    assert [checked(each).cap for each in BUDGETS] == [each.cap for each in BUDGETS]
