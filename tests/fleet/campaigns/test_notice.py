"""Who hears of what in time: days that come too soon, what waits for whom, and who is let go."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction

from fleet.campaigns.actions.advancing import begin_moves
from fleet.campaigns.actions.choosing import answer_contest, choose_candidate, contest_move
from fleet.campaigns.actions.each import take_each
from fleet.campaigns.actions.falling_due import carry_out_rules
from fleet.campaigns.actions.following import follow_changes
from fleet.campaigns.actions.opening import (
    change_campaign,
    close_campaign,
    end_settled,
    open_campaign,
    open_due,
)
from fleet.campaigns.actions.reminding import remind_owners
from fleet.campaigns.actions.resuming import pause_move, resume_move
from fleet.campaigns.errors import CampaignUnusable, NotPaused
from fleet.campaigns.models import Campaign, Move
from fleet.campaigns.queries.campaigns import falls_due_at, left_to_do
from fleet.cutovers.errors import NotEvaluated
from fleet.cutovers.models import Cutover
from fleet.telling.models import Message
from kernel import clock
from registry.actors import RoleMissing
from routing.models import Model, Shift
from tests.factories import Cast, actor, make_cast, make_model
from tests.fleet.campaigns.made import SWEEP, ending, in_days, move_of, opened, using

pytestmark = pytest.mark.django_db
PRICED = {"input_micros_per_mtok": 1_000_000, "output_micros_per_mtok": 4_000_000}


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.mark.parametrize("days", [0, 1, 3])
def test_an_end_that_is_heard_of_late_falls_due_a_week_from_then(cast: Cast, days: int) -> None:
    model = ending(days=days)
    using(model, "one", cast.alice)
    assert open_due(actor=SWEEP) == 1
    campaign = Campaign.objects.get()
    assert campaign.due_on == in_days(7)
    assert carry_out_rules(actor=SWEEP) == 0
    for later in (1, 5):
        with clock.held_at(clock.now() + timedelta(days=later)):
            assert follow_changes(actor=SWEEP) == 0
            assert carry_out_rules(actor=SWEEP) == 0
    assert remind_owners(actor=SWEEP) == 1
    told = str(Message.objects.get(kind="move.due").lines)
    assert f"ends on {in_days(days)}, and is off here from {in_days(7)} on" in told
    close_campaign(campaign, why="It goes on elsewhere.", actor=actor(cast.pat))
    assert open_due(actor=SWEEP) == 0


def test_an_end_that_comes_nearer_leaves_a_week_and_one_that_is_near_is_kept(cast: Cast) -> None:
    model = ending(days=60)
    using(model, "one", cast.alice)
    campaign = opened(model)
    Model.objects.filter(pk=model.pk).update(retires_on=in_days(1))
    follow_changes(actor=SWEEP)
    campaign.refresh_from_db()
    assert campaign.due_on == in_days(7)
    Campaign.objects.update(due_on=in_days(3))
    Model.objects.filter(pk=model.pk).update(retires_on=in_days(5))
    follow_changes(actor=SWEEP)
    campaign.refresh_from_db()
    assert campaign.due_on == in_days(5)
    Model.objects.filter(pk=model.pk).update(retires_on=in_days(2))
    follow_changes(actor=SWEEP)
    campaign.refresh_from_db()
    assert campaign.due_on == in_days(5)


def test_a_day_set_by_hand_leaves_a_day_at_least(cast: Cast) -> None:
    model = ending(days=60)
    using(model, "one", cast.alice)
    pat = actor(cast.pat)
    for days in (0, 1):
        with pytest.raises(CampaignUnusable, match="name "):
            open_campaign(model, due_on=in_days(days), actor=pat)
    assert open_campaign(model, due_on=in_days(0), kind="price", actor=pat).due_on == in_days(0)
    other = ending("large", "mistral", days=60)
    campaign = open_campaign(other, due_on=in_days(9), actor=pat)
    with pytest.raises(CampaignUnusable):
        change_campaign(campaign, due_on=in_days(1), actor=pat)


def test_whoever_is_paused_by_hand_can_be_let_go_after_the_campaign(cast: Cast) -> None:
    model = ending()
    agent = using(model, "one", cast.alice)
    campaign, pat = opened(model), actor(cast.pat)
    pause_move(move_of(campaign, agent), "It sends data there.", actor=pat)
    Model.objects.filter(pk=model.pk).update(retires_on=None)
    follow_changes(actor=SWEEP)
    campaign.refresh_from_db()
    assert campaign.state == "unneeded"
    assert Shift.objects.filter(ended_at=None).count() == 1
    told = Message.objects.get(title__startswith="Still paused")
    assert told.copies.filter(person=cast.pat).exists()
    with pytest.raises(RoleMissing):
        resume_move(move_of(campaign, agent), "Please.", actor=actor(cast.alice))
    resume_move(move_of(campaign, agent), "The vendor keeps it.", actor=pat)
    assert move_of(campaign, agent).state == "unneeded"
    assert not Shift.objects.filter(ended_at=None).exists()
    with pytest.raises(NotPaused):
        resume_move(move_of(campaign, agent), "Again.", actor=pat)


def test_what_is_contested_is_told_and_shown_to_the_platform_team(cast: Cast) -> None:
    model = ending(days=14)
    agent = using(model, "one", cast.alice)
    campaign, pat = opened(model), actor(cast.pat)
    contest_move(move_of(campaign, agent), "That was a test.", actor=actor(cast.alice))
    told = Message.objects.get(kind="move.contested")
    assert told.copies.filter(person=cast.pat).exists()
    assert not told.copies.filter(person=cast.alice).exists()
    assert "a test" not in str(told.lines)
    assert (left_to_do(pat).count(), left_to_do(actor(cast.alice)).count()) == (1, 0)
    assert remind_owners(actor=SWEEP) == 1
    due = Message.objects.get(kind="move.due")
    assert not due.copies.filter(person=cast.alice).exists()
    answer_contest(move_of(campaign, agent), "Agreed.", is_right=True, actor=pat)
    assert left_to_do(pat).count() == 0


def test_what_waits_for_a_signature_is_reminded_of_and_a_broken_rule_is_said(cast: Cast) -> None:
    model = ending(days=14)
    to = make_model(model.vendor, "gpt-6-luna", **PRICED)
    using(model, "one", cast.alice)
    opened(model, fallback={"rule": "move", "to": to.public_id})
    chosen = {"candidate": to, "chosen_by": "person:x", "chosen_at": clock.now()}
    Move.objects.update(state="signing", **chosen)
    Model.objects.filter(pk=to.pk).update(disabled_at=clock.now())
    assert remind_owners(actor=SWEEP) == 1
    told = str(Message.objects.get(kind="move.due").lines)
    assert "waits for signatures" in told
    assert "its rule cannot be kept as things stand" in told
    assert "it is disabled" in told


def test_the_platform_begins_without_a_passed_evaluation_and_says_why(cast: Cast) -> None:
    model = ending()
    to = make_model(model.vendor, "gpt-6-luna", **PRICED)
    agent = using(model, "one", cast.alice)
    campaign = opened(model)
    move = choose_candidate(move_of(campaign, agent), to.public_id, actor=actor(cast.alice))
    with pytest.raises(NotEvaluated):
        begin_moves([move], actor=actor(cast.alice))
    with pytest.raises(RoleMissing):
        begin_moves([move], actor=actor(cast.alice), override_reason="It is small.")
    (name,) = begin_moves([move], actor=actor(cast.pat), override_reason="It is small.")
    assert Cutover.objects.get(public_id=name).needs_security


def test_a_campaign_that_nobody_needs_any_more_ends(cast: Cast) -> None:
    model = ending()
    agent = using(model, "one", cast.alice)
    campaign = opened(model)
    contest_move(move_of(campaign, agent), "That was a test.", actor=actor(cast.alice))
    answer_contest(move_of(campaign, agent), "Agreed.", is_right=True, actor=actor(cast.pat))
    with clock.held_at(falls_due_at(campaign)):
        carry_out_rules(actor=SWEEP)
    with clock.held_at(clock.now() + timedelta(days=19)):
        assert end_settled(actor=SWEEP) == 1
    campaign.refresh_from_db()
    assert (campaign.state, campaign.ended_why) == ("done", "No agent needs it any more.")


def test_one_row_that_cannot_be_taken_keeps_no_other_from_its_turn(cast: Cast) -> None:
    models = [ending("gpt-5"), ending("large", "mistral"), ending("opus", "anthropic")]
    for number, model in enumerate(models):
        using(model, f"agent-{number}", cast.alice)
    keys = {model.pk: model for model in models}

    def open_one(key: int) -> bool:
        opened(keys[key])
        if keys[key] == models[0]:
            raise KeyError(key)
        return True

    assert take_each(keys, transaction.atomic(open_one), what="a model that ends") == 2
    assert set(Campaign.objects.values_list("model__name", flat=True)) == {"large", "opus"}
