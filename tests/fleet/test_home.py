"""The home page: the right figures for the right people, by a constant number of questions."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fleet.queries.home import home_for
from kernel import clock
from routing.models import ModelUse, UsageDay, UsageMonth, UsageRecent, UsageTotal
from tests.factories import (
    Cast,
    actor,
    client_of,
    make_agent,
    make_cast,
    make_key,
    make_manifest,
    make_model,
    make_person,
    make_route,
    make_vendor,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def used(agent, *, days_ago: int = 0, calls: int = 10, errors: int = 0, cost: int = 100) -> None:
    """Write what the count would have written for one agent and day."""
    day = clock.now().date() - timedelta(days=days_ago)
    sums = {"calls": calls, "errors": errors, "cost_micros": cost}
    key = {"agent_id": agent.public_id}
    UsageDay.objects.create(day=day, route="r", vendor="v", model="m", **key, **sums)
    total, _ = UsageTotal.objects.get_or_create(day=day)
    month, _ = UsageMonth.objects.get_or_create(month=day.replace(day=1), **key)
    for row in (total, month):
        for name, value in sums.items():
            setattr(row, name, getattr(row, name) + value)
        row.save(update_fields=list(sums))
    if days_ago < UsageRecent.CALLS_DAYS:
        recent, _ = UsageRecent.objects.get_or_create(**key)
        recent.calls_week += calls
        recent.errors_week += errors
        recent.save(update_fields=["calls_week", "errors_week"])


def called(agent, model, *, days_ago: int = 1, route: str = "direct") -> None:
    moment = clock.now() - timedelta(days=days_ago)
    ModelUse.objects.create(
        agent_id=agent.public_id,
        route=route,
        vendor=model.vendor.name,
        model=model.name,
        calls=1,
        first_called_at=moment,
        last_called_at=moment,
    )


def kinds(home) -> dict[str, int]:
    return {concern.kind: concern.count for concern in home.concerns}


def test_agents_are_counted_by_stage_and_team(cast):
    make_agent("a", owner=cast.alice, stage="live")
    make_agent("b", owner=cast.alice, stage="live", suspended_at=clock.now())
    make_agent("c", owner=cast.mallory)
    make_agent("d", owner=cast.pat, stage="soft_launch")
    home = home_for(actor(cast.pat))
    assert (home.agents, home.suspended, home.is_whole_fleet) == (4, 1, True)
    assert home.stages == {
        "draft": 1, "in_review": 0, "soft_launch": 1, "live": 2, "deprecated": 0, "retired": 0,
    }  # fmt: skip
    assert [(team.name, team.agents) for team in home.teams] == [
        ("Finance", 2),
        ("No team", 1),
        ("Research", 1),
    ]


@pytest.mark.parametrize(("who", "agents"), [("alice", 1), ("bob", 1), ("mallory", 0), ("sam", 1)])
def test_everybody_sees_what_they_answer_for_and_those_who_govern_everything(cast, who, agents):
    mine = make_agent("a", owner=cast.alice, backup_owner=cast.bob, stage="live")
    used(mine, cost=500)
    home = home_for(actor(getattr(cast, who)))
    assert (home.agents, home.total.cost_micros) == (agents, 500 * agents)
    assert [row.name for row in home.dearest] == ["a"] * agents


def test_spend_calls_and_errors_are_given_for_each_day_of_the_period(cast):
    agent = make_agent("a", owner=cast.alice, stage="live")
    used(agent, calls=10, errors=2, cost=70)
    used(agent, days_ago=6, cost=30)
    used(agent, days_ago=29, cost=1)
    used(agent, days_ago=89, cost=1000)
    for who in (cast.alice, cast.pat):
        for days, cost in ((7, 100), (30, 101), (90, 1101)):
            shown = home_for(actor(who), days=days)
            assert (len(shown.days), shown.total.cost_micros) == (days, cost)
        home = home_for(actor(who), days=90)
        assert (home.days[-1].used.errors, home.days[-2].used.calls) == (2, 0)
        assert home.until == clock.now().date()


def test_a_period_that_is_not_offered_is_a_month(cast):
    assert len(home_for(actor(cast.pat), days=5000).days) == 30


def test_a_retiring_model_names_agents_by_route_and_by_calls(cast):
    vendor = make_vendor(platform="openai")
    soon = clock.now().date() + timedelta(days=20)
    model = make_model(vendor, "old-1", retires_on=soon, replacement="new-1")
    make_model(vendor, "unused-1", retires_on=soon)
    make_model(vendor, "later-1", retires_on=soon + timedelta(days=300))
    make_route("classify", model)
    declared = make_manifest("by-route", models=[{"alias": "default", "route": "classify"}])
    make_agent("by-route", owner=cast.alice, stage="live", manifest=declared)
    called(make_agent("by-call", owner=cast.mallory, stage="live"), model)
    called(make_agent("long-ago", owner=cast.mallory, stage="live"), model, days_ago=91)
    called(make_agent("gone", owner=cast.mallory, stage="retired"), model)
    (found,) = home_for(actor(cast.sam)).retiring
    assert (found.model, found.days_left, found.replacement) == ("old-1", 20, "new-1")
    assert (found.agents, found.calling, found.names) == (2, 1, ["by-call", "by-route"])
    (hers,) = home_for(actor(cast.alice)).retiring
    assert hers.names == ["by-route"]
    assert home_for(actor(cast.bob)).retiring == []
    assert home_for(actor(cast.sam), within_days=10).retiring == []


def test_a_model_behind_a_stopped_route_or_stopped_itself_concerns_nobody(cast):
    soon = clock.now().date() + timedelta(days=20)
    make_route("sandbox", make_model(retires_on=soon), disabled_at=clock.now())
    make_agent("a", owner=cast.alice, stage="live")
    assert home_for(actor(cast.sam)).retiring == []


def test_what_concerns_agents_is_counted_and_named(cast):
    long_ago = clock.now() - timedelta(days=40)
    stopped = make_agent(
        "stopped", owner=cast.alice, stage="live", suspended_at=clock.now(),
        suspended_reason="leaks", stage_changed_at=long_ago,
    )  # fmt: skip
    key_ends = make_agent("key-ends", owner=cast.alice, stage="live")
    make_key(key_ends, expires_at=clock.now() + timedelta(days=3))
    make_key(make_agent("key-fine", owner=cast.alice, stage="live"))
    failing = make_agent("failing", owner=cast.alice, stage="live")
    used(failing, calls=40, errors=10)
    used(make_agent("rarely", owner=cast.alice, stage="live"), calls=400, errors=1)
    used(make_agent("new", owner=cast.alice, stage="live"), calls=5, errors=5)
    make_agent("unused", owner=cast.alice, stage="live", stage_changed_at=long_ago)
    busy = make_agent("busy", owner=cast.alice, stage="live", stage_changed_at=long_ago)
    called(busy, make_model())
    home = home_for(actor(cast.pat))
    assert kinds(home) == {"suspended": 1, "key_expiring": 1, "failing": 1, "unused": 1}
    named = {concern.kind: concern.agents[0] for concern in home.concerns}
    assert (named["suspended"].name, named["suspended"].detail) == (stopped.name, "leaks")
    assert named["key_expiring"].name == "key-ends"
    assert named["failing"].detail == "25 % of calls failed in 7 days"
    assert named["unused"].name == "unused"
    assert kinds(home_for(actor(cast.mallory))) == {}


def test_a_rotated_revoked_or_expired_key_does_not_alarm(cast):
    agent = make_agent("a", owner=cast.alice, stage="live")
    now = clock.now()
    soon = now + timedelta(days=2)
    fresh, _ = make_key(agent)
    make_key(agent, expires_at=soon, rotated_to=fresh)
    make_key(agent, expires_at=soon, revoked_at=now, revoked_by="x", revoked_reason="y")
    make_key(agent, created_at=now - timedelta(days=9), expires_at=now - timedelta(days=1))
    assert kinds(home_for(actor(cast.pat))) == {}


def test_only_reviews_that_one_may_decide_are_waiting(cast):
    from approvals.models import Review

    Review.objects.create(
        public_id="rev_1",
        kind="registration",
        subject="agent:agt_1",
        subject_name="a",
        digest="sha256:x",
        question="May a run?",
        requester=cast.alice,
        audience=["role:security"],
        created_at=clock.now(),
        expires_at=clock.now() + timedelta(days=3),
    )
    assert home_for(actor(cast.sam)).reviews_waiting == 1
    assert home_for(actor(cast.sam)).reviews[0].public_id == "rev_1"
    for who in (cast.alice, cast.mallory, cast.pat, cast.ann):
        assert home_for(actor(who)).reviews_waiting == 0


def test_the_number_of_questions_does_not_grow_with_the_fleet(
    cast, django_assert_num_queries, django_assert_max_num_queries
):
    for number in range(3):
        used(make_agent(f"a{number}", owner=cast.alice, stage="live"), calls=30, errors=10)
    with django_assert_max_num_queries(22) as few:
        home_for(actor(cast.pat))
    vendor = make_vendor()
    for number in range(12):
        soon = clock.now().date() + timedelta(days=number)
        model = make_model(vendor, f"m{number}", retires_on=soon)
        person = make_person(f"p{number}")
        agent = make_agent(f"b{number}", owner=person, stage="live", suspended_at=clock.now())
        called(agent, model)
        used(agent, calls=30, errors=20)
        make_key(agent, expires_at=clock.now() + timedelta(days=2))
    with django_assert_num_queries(len(few.captured_queries)):
        home = home_for(actor(cast.pat))
    assert len(home.retiring) == 12


def test_the_summary_over_rest_is_the_home_page(cast):
    used(make_agent("a", owner=cast.alice, stage="live"), cost=500)
    document = client_of(cast.alice).get("/api/v1/fleet/summary?days=7").json()
    assert (document["agents"], document["total"]["cost_micros"]) == (1, 500)
    assert (document["whole_fleet"], len(document["days"])) == (False, 7)
    assert document["dearest_this_month"][0]["name"] == "a"
    assert client_of(cast.alice).get("/api/v1/fleet/summary?days=8").status_code == 422
    assert client_of(cast.mallory).get("/api/v1/fleet/summary").json()["agents"] == 0
    assert client_of().get("/api/v1/fleet/summary").status_code == 401
