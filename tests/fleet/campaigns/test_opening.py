"""A model that ends has a campaign, and the campaign follows what is said of it."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from fleet.campaigns.actions.falling_due import carry_out_rules
from fleet.campaigns.actions.following import follow_changes
from fleet.campaigns.actions.joining import look_at
from fleet.campaigns.actions.opening import (
    change_campaign,
    close_campaign,
    end_settled,
    open_campaign,
    open_due,
)
from fleet.campaigns.errors import CampaignOpen, CampaignOver, CampaignUnusable
from fleet.campaigns.models import Campaign, Move
from fleet.campaigns.queries.campaigns import campaigns_for, falls_due_at, moves_for, progress_of
from kernel import clock
from ledger.models import Entry
from registry.actors import Actor, RoleMissing
from registry.models import Agent
from routing.actions.catalogue import load_shipped_catalogue
from routing.actions.linking import relink
from routing.models import Model, ModelUse
from tests.factories import Cast, actor, make_cast, make_model, make_vendor, operator
from tests.fleet.campaigns.made import SWEEP, ending, in_days, move_of, opened, using

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def verbs() -> list[str]:
    rows = Entry.objects.filter(verb__startswith="campaign.").order_by("id")
    return list(rows.values_list("verb", flat=True))


def test_a_model_in_use_that_ends_within_the_horizon_has_a_campaign(cast: Cast) -> None:
    soon, later = ending(), ending("far", "far-ai", days=181)
    unused = ending("unused", "quiet-ai")
    agent = using(soon, "sorter", cast.alice)
    using(later, "other", cast.alice)
    assert open_due(actor=SWEEP) == 1
    campaign = Campaign.objects.get()
    assert (campaign.model, campaign.due_on, campaign.source) == (
        soon, soon.retires_on, soon.lifecycle_source,
    )  # fmt: skip
    move = move_of(campaign, agent)
    assert (move.state, move.ways, move.calls, move.cost_micros) == ("open", ["route"], 1, 1400)
    assert open_due(actor=SWEEP) == 0
    assert not Campaign.objects.filter(model=unused).exists()
    assert verbs() == ["campaign.opened"]


def test_the_shipped_catalogue_opens_what_ends_around_now(cast: Cast) -> None:
    load_shipped_catalogue(actor=operator())
    models = [
        make_model(make_vendor("openai", platform="openai"), "gpt-5-2025-08-07"),
        make_model(make_vendor("anthropic", platform="anthropic"), "claude-sonnet-4-5"),
    ]
    relink(models, actor=operator().ref)
    using(models[0], "one", cast.alice)
    using(models[1], "two", cast.bob)
    with clock.held_at(clock.now().replace(year=2026, month=11, day=22)):
        assert open_due(actor=SWEEP) == 2
    dates = dict(Campaign.objects.values_list("model__name", "due_on"))
    assert dates == {
        "gpt-5-2025-08-07": date(2026, 12, 11),
        "claude-sonnet-4-5": date(2026, 11, 30),
    }


def test_a_date_that_moves_moves_the_campaign_and_says_both(cast: Cast) -> None:
    model = ending()
    using(model, "sorter", cast.alice)
    campaign = opened(model)
    Move.objects.update(reminded_days=30)
    Model.objects.filter(pk=model.pk).update(retires_on=in_days(60), replacement="gpt-6-luna")
    assert follow_changes(actor=SWEEP) == 1
    campaign.refresh_from_db()
    assert (campaign.due_on, campaign.replacement) == (in_days(60), "gpt-6-luna")
    assert Move.objects.get().reminded_days is None
    assert follow_changes(actor=SWEEP) == 0
    assert verbs() == ["campaign.opened", "campaign.changed"]


def test_a_replacement_changed_in_mid_notice_asks_those_again_who_chose_the_old_one(
    cast: Cast,
) -> None:
    model = ending(replacement="gpt-5.1")
    old = make_model(model.vendor, "gpt-5.1")
    one, two = using(model, "one", cast.alice), using(model, "two", cast.bob)
    campaign = opened(model)
    chosen = {"candidate": old, "chosen_by": str(cast.alice.ref), "chosen_at": clock.now()}
    Move.objects.filter(agent=one).update(state="ready", **chosen)
    Move.objects.filter(agent=two).update(state="shifting", **chosen)
    Model.objects.filter(pk=model.pk).update(replacement="gpt-6-luna")
    assert follow_changes(actor=SWEEP) == 1
    again = move_of(campaign, one)
    assert (again.state, again.candidate_id, again.chosen_by) == ("open", None, "")
    assert move_of(campaign, two).state == "shifting"


def test_a_date_that_is_taken_back_ends_the_campaign_as_unneeded(cast: Cast) -> None:
    model = ending()
    agent = using(model, "sorter", cast.alice)
    campaign = opened(model)
    Model.objects.filter(pk=model.pk).update(retires_on=None)
    assert follow_changes(actor=SWEEP) == 1
    campaign.refresh_from_db()
    assert (campaign.state, move_of(campaign, agent).state) == ("unneeded", "unneeded")
    assert "taken its end back" in campaign.ended_why
    Model.objects.filter(pk=model.pk).update(retires_on=in_days(40))
    assert open_due(actor=SWEEP) == 1


def test_one_campaign_is_open_for_a_model(cast: Cast) -> None:
    model = ending()
    opened(model)
    with pytest.raises(CampaignOpen):
        opened(model)


def test_the_platform_opens_one_by_hand_for_any_change_and_sets_its_day(cast: Cast) -> None:
    model = make_model()
    pat, alice = actor(cast.pat), actor(cast.alice)
    with pytest.raises(RoleMissing):
        open_campaign(model, due_on=in_days(30), kind="price", actor=alice)
    with pytest.raises(CampaignUnusable):
        open_campaign(model, due_on=in_days(-1), kind="price", actor=pat)
    campaign = open_campaign(
        model, due_on=in_days(30), kind="price", note="It costs twice as much.", actor=pat
    )
    assert follow_changes(actor=SWEEP) == 0
    changed = change_campaign(campaign, due_on=in_days(60), actor=pat)
    assert changed.due_on == in_days(60)
    close_campaign(changed, why="We stay.", actor=pat)
    with pytest.raises(CampaignOver):
        change_campaign(campaign, due_on=in_days(90), actor=pat)


def test_the_day_of_a_dated_campaign_is_the_models(cast: Cast) -> None:
    campaign = opened(ending())
    with pytest.raises(CampaignUnusable):
        change_campaign(campaign, due_on=in_days(60), actor=actor(cast.pat))


def test_agents_join_when_they_begin_and_leave_when_they_stop(cast: Cast) -> None:
    model = ending()
    stops = using(model, "stops", cast.alice)
    campaign = opened(model)
    starts = using(model, "starts", cast.bob)
    ModelUse.objects.filter(agent_id=stops.public_id).update(
        last_called_at=clock.now() - timedelta(days=91)
    )
    looked = look_at(campaign.pk, actor=SWEEP)
    assert looked is not None
    assert (looked.joined, looked.left) == (1, 1)
    assert move_of(campaign, starts).state == "open"
    assert move_of(campaign, stops).state == "unneeded"
    ModelUse.objects.update(last_called_at=clock.now())
    look_at(campaign.pk, actor=SWEEP)
    assert move_of(campaign, stops).state == "open"
    Agent.objects.filter(pk=stops.pk).update(stage="retired", retired_at=clock.now())
    look_at(campaign.pk, actor=SWEEP)
    assert move_of(campaign, stops).state == "unneeded"


def test_a_move_under_way_is_not_taken_out(cast: Cast) -> None:
    model = ending()
    agent = using(model, "sorter", cast.alice)
    campaign = opened(model)
    Move.objects.update(
        state="shifting", candidate=make_model(model.vendor, "next"), chosen_by="person:x",
        chosen_at=clock.now(),
    )  # fmt: skip
    ModelUse.objects.all().delete()
    look_at(campaign.pk, actor=SWEEP)
    assert move_of(campaign, agent).state == "shifting"


def test_a_campaign_ends_when_every_agent_has_moved_and_the_day_has_come(cast: Cast) -> None:
    model = ending(days=0)
    using(model, "sorter", cast.alice)
    campaign = opened(model)
    assert end_settled(actor=SWEEP) == 0
    now = clock.now()
    Move.objects.update(state="paused", cut_over_at=now, ended_at=now, ended_why="By its rule.")
    # Whichever sweep comes first: it is not over before the model is off.
    assert end_settled(actor=SWEEP) == 0
    carry_out_rules(actor=SWEEP)
    model.refresh_from_db()
    assert model.disabled_at
    assert end_settled(actor=SWEEP) == 1
    campaign.refresh_from_db()
    assert campaign.state == "done"


def test_owners_see_campaigns_with_a_move_of_theirs_and_mallory_none(cast: Cast) -> None:
    model = ending()
    using(model, "one", cast.alice, backup_owner=cast.bob)
    using(model, "two", cast.sue)
    campaign = opened(model)
    seen = {
        who.name: (campaigns_for(actor(who)).count(), moves_for(actor(who)).count())
        for who in (cast.alice, cast.bob, cast.mallory, cast.sam, cast.pat, cast.ann)
    }
    assert seen == {
        "Alice": (1, 1), "Bob": (1, 1), "Mallory": (0, 0), "Sam": (1, 2), "Pat": (1, 2),
        "Ann": (1, 2),
    }  # fmt: skip
    assert progress_of(actor(cast.sam), [campaign])[campaign.pk].waiting == 2
    assert progress_of(Actor.of(cast.alice), [campaign])[campaign.pk].moves == 1


def test_the_deadline_is_before_the_day_begins_anywhere(cast: Cast) -> None:
    campaign = opened(ending())
    moment = falls_due_at(campaign)
    assert moment.date() == campaign.due_on - timedelta(days=1)
    assert moment.hour == 10
