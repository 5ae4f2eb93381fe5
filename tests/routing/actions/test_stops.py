"""Who may stop and lift what, and how everything is let go on by two people."""

from __future__ import annotations

import pytest

from approvals.actions.deciding import decide_review
from approvals.errors import OwnMatter, ReviewAlreadyOpen
from approvals.models import Review
from ledger.models import Entry
from registry.actors import Actor
from routing.actions.containing import contain_stop
from routing.actions.stops import lift_stop, place_stop
from routing.errors import (
    LiftNeedsPeople,
    MayNotStop,
    ReasonMissing,
    StopInForce,
    StopLifted,
    SubjectNotFound,
)
from routing.models import Stop
from routing.queries.stops import stops_on_agent
from tests.factories import make_agent, make_cast, make_key, make_model, make_route, make_vendor

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast():
    return make_cast()


@pytest.fixture
def agent(cast):
    return make_agent(owner=cast.alice, backup_owner=cast.bob, stage="live", team=cast.finance)


@pytest.fixture
def subjects(agent):
    model = make_model(make_vendor("acme"), "acme-1")
    make_route("classify", model)
    key, _ = make_key(agent)
    return {
        "key": key.public_id,
        "agent": agent.name,
        "owner": "alice@acme.test",
        "team": "finance",
        "model": "acme/acme-1",
        "vendor": "acme",
        "route": "classify",
        "fleet": "",
    }


@pytest.mark.parametrize("scope", Stop.Scope.values)
@pytest.mark.parametrize("who", ["sam", "pat"])
def test_security_and_platform_stop_anything(cast, subjects, scope, who):
    actor = Actor.of(getattr(cast, who))
    stop = place_stop(scope, subjects[scope], actor=actor, reason="It runs wild.")
    assert (stop.scope, stop.is_in_force, stop.placed_as) == (
        scope, True, "security" if who == "sam" else "platform",
    )  # fmt: skip
    assert Entry.objects.filter(verb="stop.placed", subject=str(stop.ref)).count() == 1


@pytest.mark.parametrize("scope", Stop.Scope.values)
def test_owners_stop_what_is_theirs_and_others_nothing(cast, subjects, scope):
    for who, may in ((cast.alice, {"key", "agent", "owner"}), (cast.mallory, set())):
        actor = Actor.of(who)
        if scope in may:
            stop = place_stop(scope, subjects[scope], actor=actor, reason="Mine.")
            assert stop.placed_as == "owner"
            lift_stop(stop.public_id, actor=actor, reason="Fixed.")
        else:
            with pytest.raises(MayNotStop):
                place_stop(scope, subjects[scope], actor=actor, reason="Not mine.")


def test_a_stop_needs_a_reason_and_something_to_stop(cast, agent):
    sam = Actor.of(cast.sam)
    with pytest.raises(ReasonMissing):
        place_stop("agent", agent.name, actor=sam, reason="  ")
    with pytest.raises(SubjectNotFound):
        place_stop("agent", "nobody", actor=sam, reason="x")
    with pytest.raises(SubjectNotFound):
        place_stop("weather", "rain", actor=sam, reason="x")


def test_the_same_is_stopped_once_and_the_refusal_names_the_stop(cast, agent):
    sam = Actor.of(cast.sam)
    stop = place_stop("agent", agent.name, actor=sam, reason="x")
    with pytest.raises(StopInForce) as refused:
        place_stop("agent", agent.public_id, actor=sam, reason="y")
    assert refused.value.facts["stop"] == stop.public_id


def test_security_takes_the_place_of_an_owners_own_stop(cast, agent):
    mine = place_stop("agent", agent.name, actor=Actor.of(cast.alice), reason="x")
    theirs = place_stop("agent", agent.name, actor=Actor.of(cast.sam), reason="y")
    mine.refresh_from_db()
    assert (mine.is_in_force, theirs.is_in_force) == (False, True)
    with pytest.raises(MayNotStop):
        lift_stop(theirs.public_id, actor=Actor.of(cast.alice), reason="I want it back.")
    lift_stop(theirs.public_id, actor=Actor.of(cast.pat), reason="Looked into.")
    with pytest.raises(StopLifted):
        lift_stop(theirs.public_id, actor=Actor.of(cast.pat), reason="Again.")


def test_an_agents_page_knows_what_holds_it(cast, agent):
    sam = Actor.of(cast.sam)
    placed = {
        place_stop(scope, name, actor=sam, reason="x").public_id
        for scope, name in (
            ("agent", agent.name),
            ("owner", "alice@acme.test"),
            ("team", "finance"),
        )
    }
    place_stop("owner", "mallory@acme.test", actor=sam, reason="x")
    assert {stop.public_id for stop in stops_on_agent(agent)} == placed


# --- everything


def test_everything_goes_on_again_when_another_person_says_so(cast):
    sam, sue = Actor.of(cast.sam), Actor.of(cast.sue)
    stop = place_stop("fleet", "", actor=sam, reason="A leak.")
    asked = lift_stop(stop.public_id, actor=sam, reason="The leak is closed.")
    assert asked.review is not None
    assert asked.stop.is_in_force
    with pytest.raises(OwnMatter):
        decide_review(asked.review.public_id, actor=sam, decision="approve")
    with pytest.raises(ReviewAlreadyOpen):
        lift_stop(stop.public_id, actor=sam, reason="I am in a hurry.")
    decide_review(asked.review.public_id, actor=sue, decision="approve")
    done = lift_stop(stop.public_id, actor=sam, reason="The leak is closed.")
    assert (done.review, done.stop.is_in_force) == (None, False)


def test_who_placed_it_does_not_decide_alone_that_it_is_lifted(cast):
    sam, sue = Actor.of(cast.sam), Actor.of(cast.sue)
    stop = place_stop("fleet", "", actor=sam, reason="A leak.")
    asked = lift_stop(stop.public_id, actor=sue, reason="Enough.")
    assert asked.review is not None
    with pytest.raises(OwnMatter):
        decide_review(asked.review.public_id, actor=sam, decision="approve")


def test_a_yes_to_one_stop_lifts_no_later_one(cast):
    sam, sue = Actor.of(cast.sam), Actor.of(cast.sue)
    first = place_stop("fleet", "", actor=sam, reason="A leak.")
    asked = lift_stop(first.public_id, actor=sam, reason="Closed.")
    assert asked.review is not None
    decide_review(asked.review.public_id, actor=sue, decision="approve")
    lift_stop(first.public_id, actor=sam, reason="Closed.")
    second = place_stop("fleet", "", actor=sam, reason="Another leak.")
    again = lift_stop(second.public_id, actor=sam, reason="Closed.")
    assert again.review is not None
    assert again.stop.is_in_force


def test_no_automation_asks_for_everything_to_go_on(cast):
    operator = Actor.system("operator")
    stop = place_stop("fleet", "", actor=operator, reason="A leak.")
    assert stop.placed_as == "operator"
    with pytest.raises(LiftNeedsPeople):
        lift_stop(stop.public_id, actor=operator, reason="Done.")
    assert Review.objects.count() == 0


def test_without_a_gateway_a_stop_is_contained_and_on_record(cast, agent):
    sam = Actor.of(cast.sam)
    stop = place_stop("agent", agent.name, actor=sam, reason="x")
    found = contain_stop(stop, actor=sam, seconds=0.2)
    assert found.verdict == "contained"
    entry = Entry.objects.get(verb="containment.proven")
    assert entry.agent_id == agent.public_id
    with pytest.raises(MayNotStop):
        contain_stop(stop, actor=Actor.of(cast.mallory), seconds=0.2)
