"""A move from the button to its end: signature, steps, and what counts as moved."""

from __future__ import annotations

import pytest
from django.urls import reverse

from fleet.campaigns.actions.advancing import advance_moves, begin_moves
from fleet.campaigns.errors import MoveImpossible
from fleet.campaigns.models import Move
from fleet.cutovers.actions.going_back import roll_back
from fleet.cutovers.actions.signing import sign_off
from fleet.cutovers.actions.stepping import step_cutovers
from fleet.cutovers.models import Cutover
from fleet.cutovers.queries.cutovers import bound_digest
from kernel import clock
from registry.actors import Actor
from routing.models import Shift
from tests.factories import actor, browser_of, make_call, make_cast, make_model, make_route
from tests.fleet.campaigns.made import SWEEP, ending, move_of, opened, using
from tests.fleet.evaluations.rows import make_arm, make_evaluation
from tests.transactions import wait_for_open_transactions

pytestmark = pytest.mark.django_db


class World:
    """Alice's agent calls a model that ends; another one passed its evaluation."""

    def __init__(self) -> None:
        self.cast = make_cast()
        self.source = ending()
        self.target = make_model(self.source.vendor, "gpt-6-luna")
        make_route("elsewhere", self.source)
        self.agent = using(self.source, "sorter", self.cast.alice)
        self.move = move_of(opened(self.source), self.agent)
        evaluation = make_evaluation(
            self.agent, self.source, state="passed", digest="sha256:aa", ended_at=clock.now()
        )
        make_arm(evaluation, self.target, verdict="passed")
        Move.objects.filter(pk=self.move.pk).update(
            state="ready",
            candidate=self.target,
            evaluation_id=evaluation.public_id,
            chosen_at=clock.now(),
            chosen_by="person:x",
        )
        self.move.refresh_from_db()
        self.alice = actor(self.cast.alice)

    def begun(self) -> Cutover:
        (public_id,) = begin_moves([self.move], actor=self.alice)
        return Cutover.objects.get(public_id=public_id)

    def step(self, arm: str = "target", calls: int = 300) -> None:
        shift = Shift.objects.get(agent_id=self.agent.public_id, ended_at=None)
        vendor, model = self.target.vendor.name, self.target.name
        for _ in range(calls):
            make_call(self.agent, shift=shift.public_id, arm=arm, vendor=vendor, model=model)
        wait_for_open_transactions()
        step_cutovers(actor=Actor.system("cutover"))

    def state(self) -> str:
        advance_moves(actor=SWEEP)
        self.move.refresh_from_db()
        return str(self.move.state)


@pytest.fixture
def world() -> World:
    return World()


def test_a_move_is_signed_shifted_and_done(world: World) -> None:
    cutover = world.begun()
    assert world.state() == "signing"
    sign_off(cutover.public_id, digest=bound_digest(cutover), actor=world.alice)
    assert world.state() == "shifting"
    Cutover.objects.update(steps=[{"percent": 100, "hold_seconds": 0, "least_calls": 10}], step=0)
    world.step()
    cutover.refresh_from_db()
    assert cutover.state == "done"
    world.state()
    assert world.state() == "done"
    assert world.move.ended_why


def test_a_move_that_was_rolled_back_is_ready_again(world: World) -> None:
    cutover = world.begun()
    sign_off(cutover.public_id, digest=bound_digest(cutover), actor=world.alice)
    assert world.state() == "shifting"
    roll_back(cutover.public_id, actor=world.alice, reason="It writes too much.")
    assert world.state() == "ready"
    assert world.move.cutover_id == ""


def test_the_button_leads_to_the_signature(world: World) -> None:
    browser = browser_of(world.cast.alice)
    named = [world.move.campaign.public_id, world.move.public_id]
    page = reverse("campaigns:move", args=named)
    assert b"Sign and move" in browser.get(page).content
    answer = browser.post(reverse("campaigns:begin", args=named))
    cutover = Cutover.objects.get()
    assert answer["Location"] == reverse("cutovers:cutover", args=[cutover.public_id])
    shown = browser.get(page).content.decode()
    assert "It waits for signatures." in shown
    assert reverse("cutovers:cutover", args=[cutover.public_id]) in shown


def test_what_was_not_chosen_is_not_moved(world: World) -> None:
    Move.objects.filter(pk=world.move.pk).update(
        state="open", candidate=None, chosen_at=None, chosen_by=""
    )
    world.move.refresh_from_db()
    with pytest.raises(MoveImpossible):
        begin_moves([world.move], actor=world.alice)
    assert not Cutover.objects.exists()
