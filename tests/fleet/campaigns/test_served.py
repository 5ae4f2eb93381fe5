"""Whom another model serves already is left alone, and what waits ends with its move."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fleet.campaigns.actions.advancing import advance_moves, begin_moves
from fleet.campaigns.actions.choosing import answer_contest, contest_move
from fleet.campaigns.actions.falling_due import carry_out_rules
from fleet.campaigns.actions.joining import look_at
from fleet.campaigns.actions.opening import close_campaign
from fleet.campaigns.actions.resuming import pause_move
from fleet.campaigns.models import Campaign, Move
from fleet.campaigns.queries.campaigns import falls_due_at
from fleet.cutovers.actions.beginning import begin_cutover
from fleet.cutovers.actions.signing import sign_off
from fleet.cutovers.models import Cutover
from fleet.cutovers.queries.cutovers import bound_digest
from fleet.telling.models import Message
from kernel import clock
from registry.models import Agent
from routing.actions.shifting import end_shift, set_shift
from routing.models import Model, ModelUse, Shift
from tests.factories import Cast, actor, make_call, make_cast, make_model, make_route
from tests.fleet.campaigns.made import SWEEP, ending, move_of, opened, using
from tests.fleet.evaluations.rows import make_arm, make_evaluation

pytestmark = pytest.mark.django_db
PRICED = {"input_micros_per_mtok": 1_000_000, "output_micros_per_mtok": 4_000_000}
ONE_STEP = [{"percent": 100, "hold_seconds": 0, "least_calls": 10}]


class World:
    """Alice's and Bob's agents call a model that ends; another one passed for both."""

    def __init__(self) -> None:
        self.cast: Cast = make_cast()
        self.source = ending()
        self.target = make_model(self.source.vendor, "gpt-6-luna", **PRICED)
        self.one, self.two = (
            self._passed("one", "alice"),
            self._passed("two", "bob"),
        )
        self.campaign = opened(self.source)
        self.alice, self.pat = actor(self.cast.alice), actor(self.cast.pat)

    def _passed(self, name: str, owner: str) -> Agent:
        agent = using(self.source, name, getattr(self.cast, owner))
        evaluation = make_evaluation(
            agent, self.source, state="passed", digest="sha256:aa", ended_at=clock.now()
        )
        make_arm(evaluation, self.target, verdict="passed")
        return agent

    def move(self, agent: Agent) -> Move:
        return move_of(self.campaign, agent)

    def ready(self, agent: Agent) -> Move:
        chosen = {"candidate": self.target, "chosen_at": clock.now(), "chosen_by": "person:x"}
        Move.objects.filter(agent=agent).update(state="ready", **chosen)
        return self.move(agent)

    def begun(self, *agents: Agent) -> Cutover:
        """A cutover that was begun on the page of cutovers, not from a move."""
        return begin_cutover(
            agents=agents, source=self.source, target=self.target, evaluations={}, subject=None,
            steps=ONE_STEP, actor=self.pat,
        )  # fmt: skip

    def signed(self, agent: Agent) -> Cutover:
        cutover = self.begun(agent)
        return sign_off(cutover.public_id, digest=bound_digest(cutover), actor=self.alice)

    def done(self, agent: Agent) -> Cutover:
        cutover = self.signed(agent)
        Cutover.objects.update(state="done", done_at=clock.now())
        cutover.agents.update(state="done")
        return cutover

    def shifted(self, agent: Agent) -> None:
        set_shift([agent], self.source, self.target, percent=100, reason="x", actor=SWEEP)

    def fall_due(self) -> int:
        with clock.held_at(falls_due_at(self.campaign)):
            return carry_out_rules(actor=SWEEP)

    def serves(self, agent: Agent) -> str:
        shift = Shift.objects.get(agent_id=agent.public_id, ended_at=None)
        return shift.target.name if shift.target else "paused"


@pytest.fixture
def world() -> World:
    return World()


def test_a_call_that_falls_back_behind_its_target_opens_no_move_again(world: World) -> None:
    world.ready(world.one)
    world.shifted(world.one)
    now = clock.now()
    Move.objects.filter(agent=world.one).update(
        state="done", cut_over_at=now, ended_at=now - timedelta(minutes=1), ended_why="It was moved"
    )
    make_call(world.one, vendor="openai", model="gpt-5", arm="behind")
    advance_moves(actor=SWEEP)
    assert world.move(world.one).state == "done"
    Model.objects.filter(pk=world.target.pk).update(disabled_at=now)
    advance_moves(actor=SWEEP)
    assert world.move(world.one).state == "ready"


@pytest.mark.parametrize("state", ["open", "ready", "contested", "evaluating"])
def test_the_deadline_leaves_whom_another_model_serves(world: World, state: str) -> None:
    world.ready(world.one)
    world.shifted(world.one)
    why = {"contested_by": "person:x", "contested_why": "x"} if state == "contested" else {}
    Move.objects.filter(agent=world.one).update(state=state, **why)
    assert world.fall_due() == 2
    assert (world.serves(world.one), world.serves(world.two)) == ("gpt-6-luna", "paused")
    assert (world.move(world.one).state, world.move(world.two).state) == ("done", "paused")
    assert "Another model served it" in world.move(world.one).ended_why


def test_a_shift_to_a_model_that_is_off_serves_nobody(world: World) -> None:
    world.shifted(world.one)
    Model.objects.filter(pk=world.target.pk).update(disabled_at=clock.now())
    world.fall_due()
    assert world.serves(world.one) == "paused"


def test_a_cutover_that_was_begun_elsewhere_takes_the_move_along(world: World) -> None:
    cutover = world.begun(world.one)
    advance_moves(actor=SWEEP)
    moved = world.move(world.one)
    assert (moved.state, moved.cutover_id, moved.candidate) == (
        "signing", cutover.public_id, world.target,
    )  # fmt: skip
    sign_off(cutover.public_id, digest=bound_digest(cutover), actor=world.alice)
    advance_moves(actor=SWEEP)
    assert world.move(world.one).state == "shifting"
    assert world.fall_due() == 1
    assert world.serves(world.one) == "gpt-6-luna"


def test_one_that_was_done_before_anybody_looked_is_done_for_the_move(world: World) -> None:
    world.done(world.one)
    for _ in range(3):
        advance_moves(actor=SWEEP)
    assert world.move(world.one).state == "done"


def test_a_signature_after_the_deadline_starts_nothing(world: World) -> None:
    (name,) = begin_moves([world.ready(world.one)], actor=world.alice)
    elsewhere = world.begun(world.two)
    assert world.fall_due() == 2
    states = set(Cutover.objects.values_list("state", flat=True))
    assert states == {"cancelled"}
    assert {name, elsewhere.public_id} == set(Cutover.objects.values_list("public_id", flat=True))
    assert (world.serves(world.one), world.serves(world.two)) == ("paused", "paused")


def test_a_campaign_that_ends_and_a_pause_by_hand_end_what_waits(world: World) -> None:
    both = world.begun(world.one, world.two)
    advance_moves(actor=SWEEP)
    pause_move(world.move(world.two), "It sends data there.", actor=world.pat)
    both.refresh_from_db()
    assert both.state == "signing"
    close_campaign(world.campaign, why="The vendor keeps it.", actor=world.pat)
    both.refresh_from_db()
    assert both.state == "cancelled"


def test_what_comes_back_or_joins_after_the_deadline_goes_by_its_rule(world: World) -> None:
    cutover = world.signed(world.one)
    advance_moves(actor=SWEEP)
    Campaign.objects.update(fallback={"rule": "move", "to": world.target.public_id})
    assert world.fall_due() == 1
    end_shift([world.one], world.source, reason="x", actor=SWEEP)
    cutover.agents.update(state="rolled_back")
    Cutover.objects.update(state="rolled_back", ended_at=clock.now(), ended_reason="x")
    advance_moves(actor=SWEEP)
    assert world.move(world.one).state == "ready"
    late = using(world.source, "late", world.cast.alice)
    look_at(world.campaign.pk, actor=SWEEP)
    assert world.fall_due() == 2
    assert {world.serves(each) for each in (world.one, late)} == {"gpt-6-luna"}
    # Whoever enables the model again has decided that it may be called.
    Model.objects.filter(pk=world.source.pk).update(disabled_at=None)
    using(world.source, "later", world.cast.alice)
    look_at(world.campaign.pk, actor=SWEEP)
    assert world.fall_due() == 0


def test_owners_hear_what_the_deadline_did_and_why_a_rule_could_not_be_kept(world: World) -> None:
    Campaign.objects.update(fallback={"rule": "move", "to": world.target.public_id})
    Agent.objects.filter(pk=world.two.pk).update(data_classes=["regulated"])
    make_route("elsewhere", world.source)  # where policy cannot be asked, gateways still ask it
    assert world.fall_due() == 2
    one, two = Message.objects.filter(kind="move.changed").order_by("id")
    assert "was moved to gpt-6-luna: the deadline of gpt-5" in one.title
    assert "is paused: the deadline of gpt-5" in two.title
    assert "may not receive regulated data" in str(two.lines)
    assert one.is_urgent
    assert two.copies.filter(person=world.cast.bob).exists()


def test_what_was_agreed_not_to_be_needed_stays_so_until_it_calls_again(world: World) -> None:
    contest_move(world.move(world.one), "That was a test.", actor=world.alice)
    answer_contest(world.move(world.one), "Agreed.", is_right=True, actor=world.pat)
    look_at(world.campaign.pk, actor=SWEEP)
    assert world.move(world.one).state == "unneeded"
    later = clock.now() + timedelta(hours=1)
    ModelUse.objects.filter(agent_id=world.one.public_id).update(last_called_at=later)
    look_at(world.campaign.pk, actor=SWEEP)
    assert world.move(world.one).state == "open"
