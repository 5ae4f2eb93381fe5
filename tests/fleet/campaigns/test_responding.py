"""What a vendor changes besides ends opens campaigns by itself, and never for noise."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from fleet.campaigns.actions.adapting import say_adapted
from fleet.campaigns.actions.joining import look_at
from fleet.campaigns.actions.opening import end_settled, open_due
from fleet.campaigns.actions.reminding import remind_owners
from fleet.campaigns.actions.responding import open_for_changes
from fleet.campaigns.errors import MoveImpossible, NotYourMove, ReasonMissing
from fleet.campaigns.models import Campaign, ConsideredChange, Move
from fleet.campaigns.queries.glance import late_states
from fleet.drift.actions.limiting import count_limit_effects
from fleet.drift.actions.pricing import count_price_effects
from fleet.telling.models import Message
from kernel import clock
from ledger.models import Entry
from registry.models import Agent
from routing.actions.changes import note_limits_change
from routing.actions.vendor_notices import note_vendor_change
from routing.models import LifecycleChange, Model
from tests.factories import (
    Cast,
    actor,
    browser_of,
    client_of,
    make_call,
    make_cast,
    make_model,
    operator,
)
from tests.fleet.campaigns.made import SWEEP, ending, in_days, move_of, opened, using

pytestmark = pytest.mark.django_db
OLD = {"requests_per_minute": 500}


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def model() -> Model:
    return ending(retires_on=None)


@pytest.fixture
def agents(cast: Cast, model: Model) -> list[Agent]:
    return [using(model, "one", cast.alice), using(model, "two", cast.bob)]


def notice(cast: Cast, model: Model, kind: str = "api_version", **over: str) -> None:
    said = {"before": "2023-06-01", "after": "2026-10-21", "source": "their page"} | over
    note_vendor_change(model.vendor.name, kind, **said, actor=actor(cast.pat))


def limited(model: Model, before: dict[str, Any], after: dict[str, int]) -> LifecycleChange:
    made = note_limits_change(model, before, after, source="vendor's answers", actor=operator().ref)
    count_limit_effects()
    return made


def busy(agent: Agent, model: Model, calls: int) -> None:
    at = clock.now().replace(second=0, microsecond=0) - timedelta(days=1)
    for _ in range(calls):
        make_call(agent, vendor=model.vendor.name, model=model.name, started_at=at)


def outcome() -> str:
    return ConsideredChange.objects.latest("change_id").outcome


def test_a_new_api_version_or_address_opens_one_for_each_model_that_agents_call(
    cast: Cast, model: Model, agents: list[Agent]
) -> None:
    make_model(model.vendor, "nobody-calls-it")
    notice(cast, model)
    assert [open_for_changes(actor=SWEEP), open_for_changes(actor=SWEEP)] == [1, 0]
    campaign = Campaign.objects.get()
    assert (campaign.model, campaign.kind, campaign.due_on) == (model, "api_version", in_days(30))
    assert {move.agent.name for move in campaign.moves.all()} == {"one", "two"}
    facts = json.loads(bytes(Entry.objects.get(verb="campaign.opened").header))["facts"]
    change = LifecycleChange.objects.get()
    assert (facts["change"], campaign.change) == (change.public_id, change)
    # Addresses are for those who govern; owners read the note.
    assert campaign.note == "The vendor's API version changes."
    assert late_states(campaign) == ()  # it has just begun
    with clock.held_at(clock.now() + timedelta(days=24)):
        assert late_states(campaign)
    assert remind_owners(actor=SWEEP) == 2
    told = Message.objects.filter(kind="move.due").first()
    assert told is not None
    assert "answer a change of gpt-5" in told.title
    assert "paused" not in str(told.lines)


def test_an_address_that_nobody_depends_on_opens_nothing(cast: Cast, model: Model) -> None:
    notice(cast, model, "endpoint", before="https://a.test", after="https://b.test")
    assert open_for_changes(actor=SWEEP) == 0
    assert outcome() == "nobody"


def test_a_dearer_price_opens_one_above_the_threshold_and_a_cheaper_one_none(
    cast: Cast, model: Model, agents: list[Agent], settings: Any
) -> None:
    price = {"currency": "USD", "input_micros_per_mtok": 1_000_000,
             "output_micros_per_mtok": 4_000_000}  # fmt: skip

    def priced(before: int, after: int) -> None:
        number = LifecycleChange.objects.count()
        LifecycleChange.objects.create(
            public_id=f"lch_{number}", platform="openai", model=model, vendor=model.vendor,
            kind="price", before=price | {"input_micros_per_mtok": before},
            after=price | {"input_micros_per_mtok": after}, seen_at=clock.now(),
        )  # fmt: skip

    dear = 1_000_000_000_000  # 2,000 tokens in a month: 2,000 more
    priced(1_000_000, dear)
    assert open_for_changes(actor=SWEEP) == 0  # what it comes to is not counted yet
    assert not ConsideredChange.objects.exists()
    count_price_effects()
    settings.CAMPAIGN_PRICE = 1_000_000
    priced(dear, 1_000_000)
    count_price_effects()
    assert open_for_changes(actor=SWEEP) == 0
    assert list(ConsideredChange.objects.values_list("outcome", flat=True)) == ["small", "small"]
    settings.CAMPAIGN_PRICE = 100
    priced(1_000_000, dear)
    count_price_effects()
    assert open_for_changes(actor=SWEEP) == 1
    assert Campaign.objects.get().note.startswith("input price 1 a million")
    priced(dear, 1_000_000)
    count_price_effects()
    assert open_for_changes(actor=SWEEP) == 0
    campaign = Campaign.objects.get()
    assert (campaign.state, campaign.ended_why) == ("unneeded", "The vendor has taken it back.")
    assert outcome() == "taken_back"
    # The same again within a month was answered.
    priced(1_000_000, dear)
    count_price_effects()
    assert open_for_changes(actor=SWEEP) == 0
    assert outcome() == "answered"


def test_a_limit_opens_one_when_it_would_have_refused_enough(
    cast: Cast, model: Model, agents: list[Agent], settings: Any
) -> None:
    busy(agents[0], model, 12)
    settings.CAMPAIGN_REFUSED_CALLS = 5
    limited(model, OLD, {"requests_per_minute": 8})
    assert open_for_changes(actor=SWEEP) == 0
    assert outcome() == "small"
    # One that was not known, or became wider, refuses no more than it did before.
    for before, after in (({}, 2), ({"requests_per_minute": None}, 2), (OLD | {"x": 1}, 900)):
        limited(model, before, {"requests_per_minute": after})
    limited(model, {"requests_per_minute": 1}, {"requests_per_minute": 3})
    assert open_for_changes(actor=SWEEP) == 0
    assert set(ConsideredChange.objects.values_list("outcome", flat=True)) == {"small"}
    limited(model, {"requests_per_minute": 8}, {"requests_per_minute": 7})
    assert open_for_changes(actor=SWEEP) == 1
    campaign = Campaign.objects.get()
    assert campaign.kind == "rate_limit"
    assert campaign.note == "requests per minute 8 → 7"


def test_owners_say_that_they_adapted_and_others_may_not(
    cast: Cast, model: Model, agents: list[Agent]
) -> None:
    notice(cast, model)
    open_for_changes(actor=SWEEP)
    campaign = Campaign.objects.get()
    mine, theirs = (move_of(campaign, agent) for agent in agents)
    for person in (cast.mallory, cast.sam, cast.bob):
        with pytest.raises(NotYourMove):
            say_adapted(mine, "so", actor=actor(person))
    with pytest.raises(ReasonMissing):
        say_adapted(mine, " ", actor=actor(cast.alice))
    one = f"/api/v1/campaigns/{campaign.public_id}/moves/{mine.public_id}/adapt"
    assert client_of(cast.mallory).post(one, {"reason": "x"}).status_code in (403, 404)
    done = client_of(cast.alice).post(one, {"reason": "We send no temperature."}).json()
    assert (done["state"], done["adapted_why"]) == ("unneeded", "We send no temperature.")
    entry = Entry.objects.get(verb="move.adapted")
    assert b"temperature" not in bytes(entry.header)
    assert entry.actor == str(cast.alice.ref)
    # It still touches the model, and is not asked again.
    look_at(campaign.pk, actor=SWEEP)
    mine.refresh_from_db()
    assert mine.state == "unneeded"
    assert end_settled(actor=SWEEP) == 0
    page = f"/campaigns/{campaign.public_id}/moves/{theirs.public_id}/"
    bob = browser_of(cast.bob)
    assert "We adapted" in bob.get(page).content.decode()
    assert "At the deadline" not in bob.get(page).content.decode()
    bob.post(f"{page}adapt/", {"reason": "Nothing to do."})
    shown = bob.get(page).content.decode()
    assert "says that it was adapted" in shown
    assert "Nothing to do." in shown
    # Everybody has answered: it is over before its day.
    assert end_settled(actor=SWEEP) == 1
    campaign.refresh_from_db()
    assert (campaign.state, campaign.ended_why) == ("done", "Every agent has adapted or moved.")


def test_a_newer_change_asks_those_again_who_adapted_to_the_one_before(
    cast: Cast, model: Model, agents: list[Agent]
) -> None:
    notice(cast, model)
    open_for_changes(actor=SWEEP)
    campaign = Campaign.objects.get()
    mine = move_of(campaign, agents[0])
    say_adapted(mine, "Done.", actor=actor(cast.alice))
    notice(cast, model, before="2026-10-21", after="2027-01-01")
    assert open_for_changes(actor=SWEEP) == 0
    assert outcome() == "running"
    mine.refresh_from_db()
    assert (mine.state, mine.adapted_by, mine.adapted_why) == ("open", "", "")
    campaign.refresh_from_db()
    assert campaign.change == LifecycleChange.objects.latest("id")


def test_nobody_adapts_to_an_end(cast: Cast) -> None:
    model = ending()
    agent = using(model, "three", cast.alice)
    move = move_of(opened(model), agent)
    with pytest.raises(MoveImpossible):
        say_adapted(move, "We like it.", actor=actor(cast.alice))
    page = browser_of(cast.alice).get(
        f"/campaigns/{move.campaign.public_id}/moves/{move.public_id}/"
    )
    assert "We adapted" not in page.content.decode()


def test_the_campaign_of_an_end_takes_the_place_of_one_for_another_change(
    cast: Cast, model: Model, agents: list[Agent]
) -> None:
    notice(cast, model)
    open_for_changes(actor=SWEEP)
    Model.objects.filter(pk=model.pk).update(retires_on=in_days(40))
    first = Campaign.objects.get()
    Move.objects.filter(campaign=first, agent=agents[0]).update(
        state="shifting", candidate=make_model(model.vendor, "next"), chosen_by="x:y",
        chosen_at=clock.now(),
    )  # fmt: skip
    assert open_due(actor=SWEEP) == 0  # traffic is shifting: it waits
    Move.objects.filter(campaign=first, agent=agents[0]).update(state="ready")
    assert open_due(actor=SWEEP) == 1
    first.refresh_from_db()
    assert first.state == "unneeded"
    assert Campaign.objects.get(state="open").kind == "retirement"
    # Whatever changes besides is answered by moving off.
    notice(cast, model, before="2026-10-21", after="2027-01-01")
    assert open_for_changes(actor=SWEEP) == 0
    assert outcome() == "running"


def test_who_was_found_right_is_not_asked_again(cast: Cast) -> None:
    model = ending()
    agent = using(model, "three", cast.alice)
    campaign = opened(model)
    client = client_of(cast.alice)
    there = f"/api/v1/campaigns/{campaign.public_id}/moves/{move_of(campaign, agent).public_id}"
    client.post(f"{there}/contest", {"reason": "It was a trial."})
    client_of(cast.pat).post(f"{there}/answer", {"reason": "Right.", "is_right": True})
    look_at(campaign.pk, actor=SWEEP)
    assert move_of(campaign, agent).state == "unneeded"
