"""Days that lie behind us, deadlines that turn out to lie ahead, and pauses by hand."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fleet.campaigns.actions.falling_due import carry_out_rules
from fleet.campaigns.actions.following import follow_changes
from fleet.campaigns.actions.opening import close_campaign, end_settled, open_due
from fleet.campaigns.actions.resuming import pause_move, resume_move
from fleet.campaigns.actions.ruling import set_fallback
from fleet.campaigns.errors import MoveUnderWay, NotPaused
from fleet.campaigns.models import Campaign, Move
from fleet.campaigns.queries.campaigns import falls_due_at
from fleet.telling.models import Copy, Message
from kernel import clock
from registry.actors import RoleMissing
from registry.models import Agent
from routing.models import Model, ModelUse, Shift
from tests.factories import Cast, actor, make_cast, make_model
from tests.fleet.campaigns.made import SWEEP, ending, in_days, move_of, opened, using

pytestmark = pytest.mark.django_db
PRICED = {"input_micros_per_mtok": 1_000_000, "output_micros_per_mtok": 4_000_000}


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def fallen_due(model: Model, one: Agent, two: Agent, to: Model, cast: Cast) -> Campaign:
    """A campaign whose deadline has moved the first agent and paused the second."""
    campaign = opened(model)
    rule = {"rule": "move", "to": to.public_id}
    set_fallback(move_of(campaign, one), rule, actor=actor(cast.alice))
    with clock.held_at(falls_due_at(campaign)):
        assert carry_out_rules(actor=SWEEP) == 2
    return campaign


def test_an_overdue_model_that_is_still_called_has_a_campaign_with_days_of_grace(
    cast: Cast,
) -> None:
    model = ending(days=-10)
    agent = using(model, "sorter", cast.alice)
    assert open_due(actor=SWEEP) == 1
    campaign = Campaign.objects.get()
    assert (campaign.due_on, campaign.source) == (in_days(7), model.lifecycle_source)
    assert follow_changes(actor=SWEEP) == 0
    assert carry_out_rules(actor=SWEEP) == 0
    with clock.held_at(falls_due_at(campaign)):
        assert follow_changes(actor=SWEEP) == 0
        assert carry_out_rules(actor=SWEEP) == 1
    assert move_of(campaign, agent).state == "paused"


def test_an_overdue_model_that_nobody_has_called_since_has_none(cast: Cast) -> None:
    model = ending(days=-10)
    using(model, "sorter", cast.alice)
    ModelUse.objects.update(last_called_at=clock.now() - timedelta(days=11))
    assert open_due(actor=SWEEP) == 0


def test_whoever_ends_a_campaign_after_the_day_is_not_asked_again(cast: Cast) -> None:
    model = ending(days=-1)
    using(model, "sorter", cast.alice)
    assert open_due(actor=SWEEP) == 1
    close_campaign(Campaign.objects.get(), why="The vendor keeps it.", actor=actor(cast.pat))
    assert open_due(actor=SWEEP) == 0


def test_a_model_that_is_called_again_after_its_campaign_has_another(cast: Cast) -> None:
    model = ending(days=-3)
    agent = using(model, "sorter", cast.alice)
    assert open_due(actor=SWEEP) == 1
    campaign = Campaign.objects.get()
    with clock.held_at(falls_due_at(campaign)):
        carry_out_rules(actor=SWEEP)
    with clock.held_at(clock.now() + timedelta(days=8)):
        assert end_settled(actor=SWEEP) == 1
        Model.objects.update(disabled_at=None)
        assert open_due(actor=SWEEP) == 0
        ModelUse.objects.filter(agent_id=agent.public_id).update(
            last_called_at=clock.now() + timedelta(hours=1)
        )
        assert open_due(actor=SWEEP) == 1


def test_a_day_that_moves_past_its_deadline_lets_paused_agents_go_on_and_says_so(
    cast: Cast,
) -> None:
    model = ending(days=19)
    to = make_model(model.vendor, "gpt-6-luna", **PRICED)
    one, two = using(model, "one", cast.alice), using(model, "two", cast.bob)
    campaign = fallen_due(model, one, two, to, cast)
    Model.objects.filter(pk=model.pk).update(retires_on=in_days(90))
    with clock.held_at(falls_due_at(campaign)):
        assert follow_changes(actor=SWEEP) == 1
        assert follow_changes(actor=SWEEP) == 0
        assert carry_out_rules(actor=SWEEP) == 0
    campaign.refresh_from_db()
    model.refresh_from_db()
    assert (campaign.due_on, campaign.fell_due_at, model.disabled_at) == (in_days(90), None, None)
    assert (move_of(campaign, one).state, move_of(campaign, two).state) == ("done", "open")
    in_force = Shift.objects.filter(ended_at__isnull=True)
    assert list(in_force.values_list("agent_id", flat=True)) == [one.public_id]
    told = Message.objects.filter(title__contains="was undone").order_by("title")
    assert [each.title.split(":")[0] for each in told] == [one.title, two.title]
    assert "where its rule moved it" in str(told[0].lines)
    assert Copy.objects.filter(message=told[1], person=cast.bob).exists()
    with clock.held_at(falls_due_at(campaign)):
        assert carry_out_rules(actor=SWEEP) == 1


def test_a_campaign_that_has_ended_is_opened_again_when_its_day_moves(cast: Cast) -> None:
    model = ending(days=19)
    to = make_model(model.vendor, "gpt-6-luna", **PRICED)
    one, two = using(model, "one", cast.alice), using(model, "two", cast.bob)
    campaign = fallen_due(model, one, two, to, cast)
    with clock.held_at(clock.now() + timedelta(days=19)):
        assert end_settled(actor=SWEEP) == 1
        assert follow_changes(actor=SWEEP) == 0
        Model.objects.filter(pk=model.pk).update(retires_on=in_days(60))
        assert follow_changes(actor=SWEEP) == 1
        campaign.refresh_from_db()
        assert (campaign.state, campaign.due_on) == ("open", in_days(60))
    assert move_of(campaign, two).state == "open"


def test_an_end_taken_back_after_the_deadline_enables_the_model_and_ends_the_campaign(
    cast: Cast,
) -> None:
    model = ending(days=19)
    to = make_model(model.vendor, "gpt-6-luna", **PRICED)
    one, two = using(model, "one", cast.alice), using(model, "two", cast.bob)
    campaign = fallen_due(model, one, two, to, cast)
    Model.objects.filter(pk=model.pk).update(retires_on=None)
    assert follow_changes(actor=SWEEP) == 1
    campaign.refresh_from_db()
    model.refresh_from_db()
    assert (campaign.state, model.disabled_at) == ("unneeded", None)
    assert move_of(campaign, two).state == "unneeded"
    assert not Shift.objects.filter(target__isnull=True, ended_at__isnull=True).exists()


def test_what_somebody_else_disabled_stays_disabled(cast: Cast) -> None:
    model = ending(days=19)
    to = make_model(model.vendor, "gpt-6-luna", **PRICED)
    one, two = using(model, "one", cast.alice), using(model, "two", cast.bob)
    campaign = fallen_due(model, one, two, to, cast)
    Model.objects.filter(pk=model.pk).update(
        retires_on=in_days(90), disabled_at=falls_due_at(campaign) + timedelta(hours=1)
    )
    follow_changes(actor=SWEEP)
    model.refresh_from_db()
    assert model.disabled_at is not None


def test_whoever_chose_the_withdrawn_replacement_is_told(cast: Cast) -> None:
    model = ending(replacement="gpt-5.1")
    old = make_model(model.vendor, "gpt-5.1", **PRICED)
    one, two = using(model, "one", cast.alice), using(model, "two", cast.bob)
    campaign = opened(model)
    chosen = {"candidate": old, "chosen_by": str(cast.alice.ref), "chosen_at": clock.now()}
    Move.objects.filter(agent=one).update(state="ready", **chosen)
    Move.objects.filter(agent=two).update(state="shifting", **chosen)
    Model.objects.filter(pk=model.pk).update(replacement="gpt-6-luna")
    follow_changes(actor=SWEEP)
    follow_changes(actor=SWEEP)
    told = {each.title.split(":")[0]: str(each.lines) for each in Message.objects.all()}
    assert "Choose again" in told[one.title]
    assert "goes on" in told[two.title]
    assert Message.objects.count() == 2
    assert move_of(campaign, one).candidate is None


def test_the_platform_pauses_an_agent_and_lets_it_go_on(cast: Cast) -> None:
    model = ending()
    agent = using(model, "one", cast.alice)
    campaign = opened(model)
    move, pat = move_of(campaign, agent), actor(cast.pat)
    with pytest.raises(RoleMissing):
        pause_move(move, "It sends data there.", actor=actor(cast.alice))
    pause_move(move, "It sends data there.", actor=pat)
    assert (move.state, Shift.objects.get().target) == ("paused", None)
    resume_move(move, "It was a mistake.", actor=pat)
    assert (move.state, Shift.objects.get().ended_at is not None) == ("open", True)
    with pytest.raises(NotPaused):
        resume_move(move, "Again.", actor=pat)
    pause_move(move, "Once more.", actor=pat)
    Model.objects.filter(pk=model.pk).update(disabled_at=clock.now())
    with pytest.raises(MoveUnderWay):
        resume_move(move_of(campaign, agent), "Now.", actor=pat)
