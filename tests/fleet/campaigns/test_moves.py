"""What owners decide about a move, and how it goes on."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from fleet.campaigns.actions.advancing import advance_moves, begin_moves, end_moved
from fleet.campaigns.actions.choosing import (
    answer_contest,
    choose_candidate,
    choose_for,
    contest_move,
)
from fleet.campaigns.actions.describing import describe_moves
from fleet.campaigns.actions.reminding import remind_owners, stage_at
from fleet.campaigns.actions.ruling import set_fallback
from fleet.campaigns.errors import (
    FallbackUnusable,
    MoveImpossible,
    MoveOver,
    NotContested,
    NotYourMove,
    ReasonMissing,
)
from fleet.campaigns.models import Campaign, Move
from fleet.campaigns.queries.candidates import Candidate, candidates_for
from fleet.evaluations.models import Evaluation
from fleet.telling.models import Message
from kernel import clock
from ledger.models import Entry
from registry.actors import RoleMissing
from registry.models import Agent, Person
from routing.models import Model, Vendor
from rules.actions.shipping import ensure_shipped_bundle
from tests.factories import (
    Cast,
    actor,
    make_call,
    make_cast,
    make_exchange,
    make_model,
    make_route,
    make_run,
    make_vendor,
    operator,
)
from tests.fleet.campaigns.made import SWEEP, ending, in_days, move_of, opened, using

pytestmark = pytest.mark.django_db
PRICED = {"input_micros_per_mtok": 1_000_000, "output_micros_per_mtok": 4_000_000}


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def model() -> Model:
    return ending(replacement="gpt-6-luna")


@pytest.fixture
def luna(model: Model) -> Model:
    return make_model(model.vendor, "gpt-6-luna", context_tokens=400_000, **PRICED)


@pytest.fixture
def move(cast: Cast, model: Model, luna: Model) -> Move:
    agent = using(model, "sorter", cast.alice, backup_owner=cast.bob)
    return move_of(opened(model), agent)


def by_name(move: Move) -> dict[str, Candidate]:
    return {each.model.name: each for each in candidates_for(move)}


def test_the_owner_chooses_and_what_cannot_be_evaluated_is_ready(
    cast: Cast, move: Move, luna: Model
) -> None:
    chosen = choose_candidate(move, luna.public_id, actor=actor(cast.alice))
    assert (chosen.state, chosen.candidate, chosen.chosen_by) == (
        "ready", luna, str(cast.alice.ref),
    )  # fmt: skip
    told = json.loads(bytes(Entry.objects.get(verb="move.chosen").header))["facts"]
    assert told["unevaluated"] == "nothing is recorded that could be asked again"


def test_others_may_not_choose(cast: Cast, move: Move, luna: Model) -> None:
    for person in (cast.mallory, cast.ann, cast.sam):
        with pytest.raises(NotYourMove):
            choose_candidate(move, luna.public_id, actor=actor(person))
    assert choose_candidate(move, luna.public_id, actor=actor(cast.bob)).state == "ready"


def test_recorded_calls_are_evaluated_and_the_verdict_takes_the_move_on(
    cast: Cast, move: Move, luna: Model
) -> None:
    run = make_run(move.agent)
    entry = make_exchange(
        move.agent, run, b'{"messages": [{"role": "user", "content": "x"}]}', vendor="openai",
        model="gpt-5", operation="chat",
    )  # fmt: skip
    make_call(move.agent, intent_id=entry, run_id=run.run_id, vendor="openai", model="gpt-5")
    chosen = choose_candidate(move, luna.public_id, actor=actor(cast.alice))
    assert chosen.state == "evaluating"
    assert advance_moves(actor=SWEEP) == 0
    over = {"digest": "sha256:x", "ended_at": clock.now()}
    Evaluation.objects.update(state="failed", **over)
    assert advance_moves(actor=SWEEP) == 1
    move.refresh_from_db()
    assert (move.state, move.candidate, bool(move.evaluation_id)) == ("open", luna, True)


def test_candidates_are_measured_and_refused_with_reasons(
    cast: Cast, move: Move, luna: Model
) -> None:
    vendor = luna.vendor
    make_model(vendor, "cheap", input_micros_per_mtok=1, output_micros_per_mtok=1)
    make_model(vendor, "gone-first", retires_on=in_days(5), **PRICED)
    make_model(vendor, "short-lived", retires_on=in_days(90), **PRICED)
    make_model(vendor, "tiny", context_tokens=1000, **PRICED)
    make_model(make_vendor("public-only", data_classes=["public"]), "elsewhere", **PRICED)
    Move.objects.update(longest_tokens=50_000, parameters=[], streams=False)
    move.refresh_from_db()
    found = by_name(move)
    refused = {name for name, each in found.items() if each.is_refused}
    assert refused == {"gone-first", "tiny", "elsewhere"}
    assert "before the agent has to be off" in found["gone-first"].why_not
    assert "50000 tokens" in found["tiny"].why_not
    assert "may not receive internal data" in found["elsewhere"].why_not
    order = list(found)
    # Named and known to fit first; what is cheaper but unknown, and what ends soon, after it.
    assert order[0] == "gpt-6-luna"
    assert order.index("cheap") < order.index("short-lived") < order.index("tiny")


def test_money_is_of_the_recorded_tokens_before_and_after(move: Move, luna: Model) -> None:
    Move.objects.update(input_tokens=90_000_000, output_tokens=9_000_000, cost_micros=300_000_000)
    move.refresh_from_db()
    found = by_name(move)["gpt-6-luna"]
    assert found.monthly_micros == (90 * 1_000_000 + 9 * 4_000_000) // 3
    assert (found.before_micros, found.difference_micros) == (100_000_000, -58_000_000)


def test_money_in_another_currency_is_not_compared(move: Move, luna: Model) -> None:
    Move.objects.update(input_tokens=90_000_000, output_tokens=9_000_000, cost_micros=300_000_000)
    Model.objects.filter(pk=luna.pk).update(currency="CNY")
    move.refresh_from_db()
    found = by_name(move)["gpt-6-luna"]
    assert (found.monthly_micros, found.difference_micros) == (None, None)
    (price,) = [each for each in found.reasons if each.about == "price"]
    assert (price.standing, "CNY" in price.text) == ("unknown", True)


def test_parameters_that_differ_are_said_with_their_source(cast: Cast, move: Move) -> None:
    Vendor.objects.filter(name="openai").update(profile="openai")
    anthropic = make_vendor(
        "anthropic", dialect="anthropic", base_url="https://api.anthropic.com/v1"
    )
    make_model(anthropic, "claude-opus-4-7", **PRICED)
    make_model(Vendor.objects.get(name="openai"), "o3", **PRICED)
    Move.objects.update(parameters=["logprobs", "max_tokens", "temperature"], longest_tokens=1)
    move.refresh_from_db()
    found = by_name(move)
    openai = {each.name: each for each in found["o3"].breaking}
    assert openai["max_tokens"].becomes == "renamed by the gateway to max_completion_tokens"
    assert (openai["temperature"].is_broken, openai["logprobs"].is_broken) == (False, True)
    # Anthropic's rejection of sampling of 2026-10-21, where nobody chose the vendor's kind.
    (claude,) = found["claude-opus-4-7"].breaking
    assert (claude.name, claude.is_broken) == ("temperature", True)
    assert "2026-10-21" in claude.source


def test_policy_is_asked_as_the_gateway_asks(cast: Cast, move: Move, luna: Model) -> None:
    ensure_shipped_bundle(actor=operator())
    other = make_model(make_vendor("mistral"), "large", **PRICED)
    make_route("elsewhere", move.campaign.model, constraints={"vendors": ["openai"]})
    found = by_name(move)
    assert not found["gpt-6-luna"].is_refused
    assert "calls." in found["large"].why_not
    with pytest.raises(MoveImpossible):
        choose_candidate(move, other.public_id, actor=actor(cast.alice))


def test_recorded_calls_tell_which_parameters_are_sent_by_name_alone(move: Move) -> None:
    run = make_run(move.agent)
    body = b'{"model": "x", "temperature": 0.2, "messages": [], "secret_thing": 1}'
    entry = make_exchange(move.agent, run, body)
    make_call(
        move.agent, intent_id=entry, vendor="openai", model="gpt-5", streamed=True,
        input_tokens=900, output_tokens=100,
    )  # fmt: skip
    assert describe_moves(actor=SWEEP) == 1
    move.refresh_from_db()
    assert (move.parameters, move.longest_tokens, move.streams) == (["temperature"], 1000, True)
    assert describe_moves(actor=SWEEP) == 0


def test_of_calls_that_cannot_be_read_nothing_is_said_to_be_known(move: Move) -> None:
    make_call(move.agent, intent_id="ent_gone", vendor="openai", model="gpt-5")
    assert describe_moves(actor=SWEEP) == 1
    move.refresh_from_db()
    assert move.parameters is None
    assert move.described_at is not None


def test_a_contested_move_waits_for_the_platforms_answer(cast: Cast, move: Move) -> None:
    alice, pat = actor(cast.alice), actor(cast.pat)
    with pytest.raises(ReasonMissing):
        contest_move(move, "  ", actor=alice)
    with pytest.raises(NotContested):
        answer_contest(move, "No.", is_right=False, actor=pat)
    contest_move(move, "It does not use that model.", actor=alice)
    with pytest.raises(RoleMissing):
        answer_contest(move, "Right.", is_right=True, actor=alice)
    answer_contest(move, "It did, on Friday.", is_right=False, actor=pat)
    assert (move.state, move.answer) == ("open", "It did, on Friday.")
    contest_move(move, "That was a test.", actor=alice)
    answer_contest(move, "Agreed.", is_right=True, actor=pat)
    assert (move.state, move.ended_at is not None) == ("unneeded", True)
    header = bytes(Entry.objects.filter(verb="move.contested").first().header)  # type: ignore[union-attr]
    assert b"does not use" not in header
    with pytest.raises(MoveOver):
        contest_move(move, "Again.", actor=alice)


def test_the_rule_of_the_deadline_is_the_owners_to_set(cast: Cast, move: Move, luna: Model) -> None:
    alice = actor(cast.alice)
    assert move.rule == {"rule": "pause"}
    set_fallback(move, {"rule": "move", "to": luna.public_id}, actor=alice)
    assert move.rule == {"rule": "move", "to": luna.public_id}
    for wrong in ({"rule": "hope"}, {"rule": "move"}, {"rule": "move", "to": "mod_none"}):
        with pytest.raises(FallbackUnusable):
            set_fallback(move, wrong, actor=alice)
    set_fallback(move, None, actor=alice)
    assert move.rule == {"rule": "pause"}


def test_several_moves_are_chosen_for_each_by_itself(cast: Cast, model: Model, luna: Model) -> None:
    one, two = using(model, "one", cast.alice), using(model, "two", cast.bob)
    Agent.objects.filter(pk=two.pk).update(data_classes=["personal"])
    campaign = opened(model)
    moves = [move_of(campaign, one), move_of(campaign, two)]
    outcomes = choose_for(moves, luna.public_id, actor=actor(cast.pat))
    assert [each.refused != "" for each in outcomes] == [False, True]
    assert "personal" in outcomes[1].refused


def test_a_move_is_done_only_when_no_call_went_there_since(
    cast: Cast, move: Move, luna: Model
) -> None:
    choose_candidate(move, luna.public_id, actor=actor(cast.alice))
    since = clock.now() - timedelta(minutes=5)
    late = make_call(move.agent, vendor="openai", model="gpt-5")
    assert not end_moved(move, since=since, actor=SWEEP)
    late.delete()
    assert end_moved(move, since=since, actor=SWEEP)
    assert (move.state, move.ended_why) == (
        "done",
        "It was moved, and has not called the model since.",
    )
    make_call(
        move.agent, vendor="openai", model="gpt-5", started_at=clock.now() + timedelta(seconds=1)
    )
    assert advance_moves(actor=SWEEP) == 1
    move.refresh_from_db()
    assert (move.state, move.ended_at) == ("ready", None)


def test_without_anything_that_shifts_traffic_a_ready_move_stays_ready(
    cast: Cast, move: Move, luna: Model
) -> None:
    with pytest.raises(MoveImpossible):
        begin_moves([move], actor=actor(cast.alice))


def test_reminders_are_sent_once_each_and_after_an_outage_only_the_newest(
    cast: Cast, move: Move
) -> None:
    assert [stage_at(left) for left in (91, 90, 61, 60, 19, 1, 0, -1)] == [
        None, 90, 90, 60, 30, 1, 1, -1,
    ]  # fmt: skip
    assert remind_owners(actor=SWEEP) == 1  # 19 days left: 90 and 60 were never sent
    assert remind_owners(actor=SWEEP) == 0
    with clock.held_at(clock.now() + timedelta(days=6)):
        assert remind_owners(actor=SWEEP) == 1
    stages = [
        json.loads(bytes(row.header))["facts"]["stage"]
        for row in Entry.objects.filter(verb="move.reminded").order_by("id")
    ]
    assert stages == [30, 14]
    told = Message.objects.order_by("id").first()
    assert told is not None
    assert told.title.startswith("Sorter must move from gpt-5 by ")
    people = {copy.person.name for copy in told.copies.all() if copy.person}
    assert people == {"Alice", "Bob"}


def test_when_the_owner_has_left_the_backup_owner_or_the_team_is_told(
    cast: Cast, move: Move
) -> None:
    Campaign.objects.update(due_on=in_days(80))
    Person.objects.filter(pk=cast.alice.pk).update(deactivated_at=clock.now())
    assert remind_owners(actor=SWEEP) == 1
    (told,) = Message.objects.all()
    assert {copy.person.name for copy in told.copies.all() if copy.person} == {"Bob"}
