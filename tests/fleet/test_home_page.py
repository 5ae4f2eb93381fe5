"""The home page in a browser's eyes: who sees which fleet, and what needs them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from kernel import clock
from ledger.models import SequencerReport, Suspension
from routing.models import UsageDay, UsageMonth, UsageTotal
from tests.factories import (
    Cast,
    browser_of,
    make_agent,
    make_cast,
    make_model,
    make_person,
    make_route,
)
from tests.ledger.sequenced import sequence_now

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def used(agent, *, days_ago, calls=10, cost=2_000_000):
    day = clock.now().date() - timedelta(days=days_ago)
    sums = {"calls": calls, "cost_micros": cost}
    UsageDay.objects.create(
        day=day, agent_id=agent.public_id, route="r", vendor="v", model="m", **sums
    )
    for row in (
        UsageTotal.objects.get_or_create(day=day)[0],
        UsageMonth.objects.get_or_create(month=day.replace(day=1), agent_id=agent.public_id)[0],
    ):
        row.calls += calls
        row.cost_micros += cost
        row.save(update_fields=["calls", "cost_micros"])


def page_of(person, url="/"):
    answer = browser_of(person).get(url)
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_newcomer_is_shown_how_to_begin(cast):
    make_agent(owner=cast.alice, stage="live")
    page = page_of(cast.mallory)
    assert "Register your first agent" in page
    assert "invoice-sorter" not in page


def test_an_employee_sees_their_own_agents_first(cast):
    agent = make_agent(owner=cast.alice, backup_owner=cast.bob, stage="live")
    used(agent, days_ago=1)
    page = ""
    for person, part in ((cast.alice, "owner"), (cast.bob, "backup")):
        page = page_of(person)
        assert page.index("What you answer for") < page.index("Reviews waiting for you")
        assert "invoice-sorter" in page
        assert f'data-label="You are">{part}<' in page
    assert "What each team spends" not in page


@pytest.mark.parametrize("who", ["pat", "sam", "ann"])
def test_those_who_govern_see_the_whole_fleet(cast, who):
    agent = make_agent(owner=cast.alice, stage="live")
    used(agent, days_ago=0)
    page = page_of(getattr(cast, who))
    assert "What needs a decision today" in page
    assert "What each team spends" in page
    assert "$2.00" in page
    assert "/agents/?stage=live" in page
    assert "/agents/?team=finance" in page


def test_a_retiring_model_is_drawn_with_its_days_and_agents(cast):
    model = make_model(retires_on=clock.now().date() + timedelta(days=12), replacement="acme-2")
    make_route("classify", model)
    make_agent(owner=cast.alice, stage="live", routes=["classify"])
    page = page_of(cast.pat)
    assert "12 days left" in page
    assert "end-calendar" in page
    assert "acme-2" in page
    assert f"/models/{model.public_id}/" in page


def test_what_was_never_called_is_said_apart_from_what_is_unused(cast):
    make_agent("fresh", owner=cast.alice, stage="live")
    assert "May call, and has not yet" in page_of(cast.alice)


def test_an_empty_installation_says_what_to_do(cast):
    page = page_of(cast.pat)
    assert "Nothing is registered yet" in page
    assert "Connect a vendor" in page
    assert "Connect a vendor" not in page_of(cast.ann)


@pytest.mark.parametrize(
    "asked", ["days=7", "days=90", "days=-1", "days=x&team=%00", "team=finance"]
)
def test_the_charts_take_any_wish(cast, asked):
    used(make_agent(owner=cast.alice, stage="live"), days_ago=1)
    browser = browser_of(cast.pat)
    for url in (f"/?{asked}", f"/home/use/?{asked}"):
        assert browser.get(url).status_code == 200


def test_a_team_is_chosen_only_by_those_who_see_the_fleet(cast):
    used(make_agent(owner=cast.alice, stage="live"), days_ago=1, calls=77)
    assert ">77<" in page_of(cast.sam, "/home/use/?team=finance&days=7")
    assert ">77<" not in page_of(cast.sam, "/home/use/?team=research&days=7")
    assert ">77<" not in page_of(cast.mallory, "/home/use/?team=finance&days=7")


def test_text_of_others_stays_text(cast):
    hostile = "<script>alert(1)</script>"
    agent = make_agent("evil", owner=cast.alice, stage="live", title=hostile)
    type(agent).objects.filter(pk=agent.pk).update(
        suspended_at=clock.now(), suspended_reason=hostile, suspended_by="person:per_x"
    )
    make_route("r", make_model(name="<b>m</b>", retires_on=clock.now().date()))
    make_agent("user", owner=cast.alice, stage="live", routes=["r"])
    page = page_of(cast.pat)
    assert hostile not in page
    assert "<b>m</b>" not in page


@pytest.mark.parametrize("who", ["pat", "alice"])
def test_the_number_of_queries_does_not_grow(cast, who):
    def more(begin, end):
        for number in range(begin, end):
            model = make_model(
                name=f"m-{number}", retires_on=clock.now().date() + timedelta(days=number),
                vendor=vendor,
            )  # fmt: skip
            make_route(f"r-{number}", model)
            owner = cast.alice if number % 2 else make_person()
            agent = make_agent(f"a-{number}", owner=owner, stage="live", routes=[f"r-{number}"])
            used(agent, days_ago=number % 30)

    vendor = make_model().vendor
    more(0, 5)
    browser = browser_of(getattr(cast, who))
    browser.get("/")
    with CaptureQueriesContext(connection) as few:
        browser.get("/")
    more(5, 60)
    with CaptureQueriesContext(connection) as many:
        browser.get("/")
    assert len(many) == len(few)
    assert len(many) <= 40


def test_those_who_govern_are_told_that_nothing_is_sequenced_and_others_are_not(cast):
    text = "No sequencer is active"
    browser = browser_of(cast.ann)
    assert text in browser.get("/").content.decode()
    browser = browser_of(cast.alice)
    assert text not in browser.get("/").content.decode()


def test_why_the_sequencer_halted_is_on_the_home_page(cast):
    SequencerReport.objects.create(
        about="sequencer", state="halted", found="the tree was altered", reported_at=clock.now()
    )
    browser = browser_of(cast.sam)
    page = browser.get("/").content.decode()
    assert "The sequencer has halted" in page
    assert "The tree was altered." in page


def test_a_suspended_ledger_is_said_first(cast):
    sequence_now()
    Suspension.objects.create(epoch_id=1, found="a witness saw more.", suspended_at=clock.now())
    browser = browser_of(cast.pat)
    page = browser.get("/").content.decode()
    assert "The ledger is suspended" in page
    assert "A witness saw more." in page
    assert "What was found, and what to do" in page
    page = browser_of(cast.alice).get("/").content.decode()
    assert "nothing is recorded, so no call is made" in page
    assert "What was found" not in page
    assert "No sequencer is active" not in page
