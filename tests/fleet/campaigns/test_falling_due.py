"""At the deadline each move that nobody finished goes as its rule says, and the model is off."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection

from fleet.campaigns.actions.choosing import choose_candidate
from fleet.campaigns.actions.falling_due import carry_out_rules
from fleet.campaigns.actions.following import follow_changes
from fleet.campaigns.actions.joining import add_moves
from fleet.campaigns.actions.opening import open_due
from fleet.campaigns.actions.ruling import set_fallback
from fleet.campaigns.errors import MoveOver
from fleet.campaigns.models import Campaign, Move
from fleet.campaigns.queries.campaigns import falls_due_at
from kernel import clock
from kernel.errors import DomainError
from routing.models import Model, Shift
from tests.factories import Cast, actor, make_cast, make_model
from tests.fleet.campaigns.made import SWEEP, ending, in_days, move_of, opened, using

PRICED = {"input_micros_per_mtok": 1_000_000, "output_micros_per_mtok": 4_000_000}


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.mark.django_db
def test_by_their_rules_one_is_moved_and_one_is_paused_and_nothing_calls_the_model(
    cast: Cast,
) -> None:
    model = ending(days=19)
    to = make_model(model.vendor, "gpt-6-luna", **PRICED)
    one, two = using(model, "one", cast.alice), using(model, "two", cast.bob)
    shifting = using(model, "three", cast.sue)
    campaign = opened(model)
    set_fallback(
        move_of(campaign, one), {"rule": "move", "to": to.public_id}, actor=actor(cast.alice)
    )
    Move.objects.filter(agent=shifting).update(
        state="shifting", candidate=to, chosen_by="person:x", chosen_at=clock.now()
    )
    with clock.held_at(falls_due_at(campaign) - timedelta(seconds=1)):
        assert carry_out_rules(actor=SWEEP) == 0
    with clock.held_at(falls_due_at(campaign)):
        assert carry_out_rules(actor=SWEEP) == 2
        assert carry_out_rules(actor=SWEEP) == 0
    moved, paused = move_of(campaign, one), move_of(campaign, two)
    assert (moved.state, moved.candidate, moved.ended_why) == (
        "done", to, "Moved at the deadline, by its rule.",
    )  # fmt: skip
    assert (paused.state, paused.cut_over_at is not None) == ("paused", True)
    assert move_of(campaign, shifting).state == "shifting"
    shifts = dict(Shift.objects.values_list("agent_id", "target__name"))
    assert shifts == {one.public_id: "gpt-6-luna", two.public_id: None}
    model.refresh_from_db()
    assert model.disabled_at is not None


@pytest.mark.django_db
def test_what_cannot_be_moved_any_more_is_paused(cast: Cast) -> None:
    model = ending(days=19)
    to = make_model(model.vendor, "gpt-6-luna", **PRICED)
    agent = using(model, "one", cast.alice)
    campaign = opened(model, fallback={"rule": "move", "to": to.public_id})
    Model.objects.filter(pk=to.pk).update(disabled_at=clock.now())
    with clock.held_at(falls_due_at(campaign)):
        assert carry_out_rules(actor=SWEEP) == 1
    assert move_of(campaign, agent).state == "paused"


@pytest.mark.django_db
def test_a_day_that_moved_while_a_cutover_ran_leaves_it_running_and_carries_nothing_out(
    cast: Cast,
) -> None:
    model = ending(days=1)
    to = make_model(model.vendor, "gpt-6-luna", **PRICED)
    using(model, "one", cast.alice)
    campaign = opened(model)
    Move.objects.update(state="shifting", candidate=to, chosen_by="person:x", chosen_at=clock.now())
    moment = falls_due_at(campaign)
    Model.objects.filter(pk=model.pk).update(retires_on=in_days(40))
    follow_changes(actor=SWEEP)
    with clock.held_at(moment):
        assert carry_out_rules(actor=SWEEP) == 0
    assert Move.objects.get().state == "shifting"
    model.refresh_from_db()
    assert model.disabled_at is None


def at_once(*works: Callable[[], object]) -> list[object]:
    def alone(work: Callable[[], object]) -> object:
        try:
            return work()
        except DomainError as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as threads:
        return list(threads.map(alone, works))


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_once_open_one_campaign_with_one_move_each(cast: Cast) -> None:
    model = ending()
    using(model, "one", cast.alice)
    sweep = lambda: open_due(actor=SWEEP)  # noqa: E731  the same work twice
    at_once(sweep, sweep, sweep)
    campaign = Campaign.objects.get()
    assert Move.objects.count() == 1
    assert add_moves(campaign) == []


@pytest.mark.django_db(transaction=True)
def test_of_a_choice_and_the_deadline_at_once_the_deadline_holds(cast: Cast) -> None:
    model = ending(days=0)
    to = make_model(model.vendor, "gpt-6-luna", **PRICED)
    agent = using(model, "one", cast.alice)
    campaign = opened(model)
    chosen = move_of(campaign, agent)
    results = at_once(
        lambda: choose_candidate(chosen, to.public_id, actor=actor(cast.alice)),
        lambda: carry_out_rules(actor=SWEEP),
        lambda: carry_out_rules(actor=SWEEP),
    )
    move = move_of(campaign, agent)
    assert move.state == "paused"
    assert sum(result for result in results if isinstance(result, int)) == 1
    assert all(isinstance(each, Move | int | MoveOver) for each in results)
    assert Shift.objects.filter(ended_at=None).count() == 1
