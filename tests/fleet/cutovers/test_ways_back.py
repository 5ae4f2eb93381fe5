"""Nobody is brought back to a model that is off, and no cutover touches what is another's."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fleet.cutovers.actions.going_back import roll_back
from fleet.cutovers.actions.moving import advance_now, cancel_cutover
from fleet.cutovers.actions.settling import settle_cutover
from fleet.cutovers.actions.signing import sign_off, start_without_others
from fleet.cutovers.actions.stepping import step_cutovers
from fleet.cutovers.errors import AgentPaused, CutoverNotFound, SourceOff
from fleet.cutovers.models import Cutover, CutoverAgent
from fleet.cutovers.queries.cutovers import bound_digest, under_way
from fleet.drift.models import Change, ProbePlan, Watch
from fleet.drift.queries.watches import WatchedDrift
from fleet.evaluations.actions.ending import judge_arm
from fleet.evaluations.criteria import DEFAULTS
from fleet.evaluations.gate.judging import CURRENCIES
from fleet.health.actions.setting import end_mute, set_mute
from fleet.health.models import Incident
from kernel import clock
from registry.actors import Actor, RoleMissing
from registry.models import Agent, Person
from routing.actions.shifting import set_shift
from routing.models import Model, Shift
from tests.factories import actor, make_route, make_vendor
from tests.fleet.cutovers.world import QUICK, SWEEP, World
from tests.fleet.evaluations.rows import make_arm, make_evaluation

pytestmark = pytest.mark.django_db


def again(cutover: Cutover) -> Cutover:
    cutover.refresh_from_db()
    return cutover


def narrowed(person: Person, role: str = "auditor") -> Actor:
    """Act by a token that carries one role and not `employee`."""
    person.roles = sorted({*person.roles, role})
    person.save(update_fields=["roles"])
    return Actor.of(person, [role])


def leads_to(agent: Agent, model: Model) -> list[Model | None]:
    shifts = Shift.objects.filter(agent_id=agent.public_id, source=model, ended_at=None)
    return [shift.target for shift in shifts]


@pytest.mark.parametrize("off", ["model", "vendor", "day"])
def test_agents_stay_with_a_failing_target_whose_source_is_off(world: World, off: str) -> None:
    agent = world.agent()
    cutover = world.started(agent)
    now = clock.now()
    match off:
        case "model":
            Model.objects.filter(pk=world.source.pk).update(disabled_at=now)
        case "day":
            Model.objects.filter(pk=world.source.pk).update(retires_on=now.date())
        case _:
            closed = make_vendor("closed-ai", disabled_at=now)
            Model.objects.filter(pk=world.source.pk).update(vendor=closed)
    world.calls(agent, "target", 30, status="error")
    step_cutovers(actor=SWEEP)
    step_cutovers(actor=SWEEP)
    assert (again(cutover).state, leads_to(agent, world.source)) == ("running", [world.target])
    assert "keeps serving" in cutover.held_because
    incident = Incident.objects.get(kind="cutover")
    assert (incident.owner, "is off" in incident.title) == (world.cast.alice, True)
    with pytest.raises(SourceOff, match="would be refused"):
        roll_back(cutover.public_id, actor=world.alice, reason="It answers oddly.")
    assert leads_to(agent, world.source) == [world.target]


def test_an_owner_does_not_lift_a_pause_of_the_platform_team(world: World) -> None:
    agent = world.agent()
    set_shift([agent], world.source, None, percent=100, reason="It ends.", actor=world.pat)
    with pytest.raises(AgentPaused, match="paused for sorter"):
        world.begin(agent, actor=world.alice)
    cutover = world.begin(agent)
    sign_off(cutover.public_id, digest=bound_digest(cutover), actor=world.alice)
    assert (again(cutover).state, leads_to(agent, world.source)) == ("signing", [None])
    assert "platform team" in cutover.held_because
    start_without_others(cutover.public_id, actor=world.pat)
    assert (again(cutover).state, leads_to(agent, world.source)) == ("running", [world.target])


def test_a_pause_that_comes_after_the_beginning_waits_for_the_platform_team(world: World) -> None:
    agent = world.agent()
    cutover = world.begin(agent, actor=world.alice)
    set_shift([agent], world.source, None, percent=100, reason="It ends.", actor=world.pat)
    sign_off(cutover.public_id, digest=bound_digest(cutover), actor=world.alice)
    assert (again(cutover).state, leads_to(agent, world.source)) == ("signing", [None])


def test_a_step_leaves_out_who_was_paused_on_the_way(world: World) -> None:
    one, other = world.agent("one"), world.agent("other")
    cutover = world.started(one, other)
    set_shift([one], world.source, None, percent=100, reason="Stop.", actor=world.pat)
    advance_now(cutover.public_id, actor=world.pat, reason="Looked at.")
    assert (leads_to(one, world.source), leads_to(other, world.source)) == ([None], [world.target])
    assert [row.agent for row in CutoverAgent.objects.filter(state="left_out")] == [one]
    set_shift([other], world.source, None, percent=100, reason="Stop.", actor=world.pat)
    step_cutovers(actor=SWEEP)
    assert again(cutover).state == "cancelled"
    assert not under_way([one, other], world.source.pk).exists()


def done(world: World, *agents: Agent) -> Cutover:
    cutover = world.started(*agents)
    for _ in QUICK:
        advance_now(cutover.public_id, actor=world.pat, reason="Looked at.")
    return again(cutover)


def test_settling_one_cutover_leaves_the_other_its_way_back(world: World) -> None:
    one, other = world.agent("one"), world.agent("other")
    first, second = done(world, one), done(world, other)
    found = settle_cutover(first.public_id, actor=world.pat)
    assert (found.routes, again(first).state, again(second).state) == (
        ["classify"], "settled", "done",
    )  # fmt: skip
    assert (leads_to(one, world.source), leads_to(other, world.source)) == ([], [world.target])
    roll_back(second.public_id, actor=world.pat, reason="Too dear.")
    # The route leads to the target by now: back is a shift the other way.
    assert again(second).state == "rolled_back"
    assert (leads_to(other, world.target), leads_to(one, world.target)) == ([world.source], [])
    assert leads_to(other, world.source) == []


def test_a_route_waits_for_agents_of_a_cutover_at_its_last_step(world: World) -> None:
    one, other = world.agent("one"), world.agent("other")
    first, second = done(world, one), world.started(other)
    advance_now(second.public_id, actor=world.pat, reason="Looked at.")
    found = settle_cutover(first.public_id, actor=world.pat)
    assert (found.routes, found.waiting) == ([], {"classify": ["other"]})
    assert (again(first).state, leads_to(other, world.source)) == ("done", [world.target])
    roll_back(second.public_id, actor=world.pat, reason="No.")
    assert (leads_to(other, world.source), leads_to(one, world.source)) == ([], [world.target])


def test_an_agent_that_is_half_settled_comes_back_on_both_routes(world: World) -> None:
    make_route("extract", world.source)
    one = world.agent("one", routes=["classify", "extract"])
    world.agent("stranger", passed=False, routes=["extract"])
    cutover = done(world, one)
    found = settle_cutover(cutover.public_id, actor=world.pat)
    assert (found.routes, found.waiting) == (["classify"], {"extract": ["stranger"]})
    roll_back(cutover.public_id, actor=world.pat, reason="Too dear.")
    assert leads_to(one, world.source) == []
    assert leads_to(one, world.target) == [world.source]


def test_a_token_without_employee_neither_signs_nor_steers_nor_rolls_back(world: World) -> None:
    agent = world.agent()
    cutover = world.begin(agent)
    auditor, security = narrowed(world.cast.alice), narrowed(world.cast.alice, "security")
    with pytest.raises(RoleMissing):
        world.begin(agent, actor=auditor)
    for who in (auditor, security):
        with pytest.raises(Exception, match="is yours"):
            sign_off(cutover.public_id, digest=bound_digest(cutover), actor=who)
        with pytest.raises(RoleMissing):
            cancel_cutover(cutover.public_id, actor=who, reason="No.")
    sign_off(cutover.public_id, digest=bound_digest(cutover), actor=world.alice)
    with pytest.raises(RoleMissing):
        roll_back(cutover.public_id, actor=auditor, reason="No.")
    with pytest.raises(CutoverNotFound):
        roll_back(cutover.public_id, actor=actor(world.cast.bob), reason="No.")
    assert again(cutover).state == "running"


def test_a_token_without_employee_mutes_no_team(world: World) -> None:
    now, team = clock.now(), world.cast.finance
    until = now + timedelta(hours=1)
    with pytest.raises(RoleMissing):
        set_mute(starts_at=now, ends_at=until, team=team, actor=narrowed(world.cast.alice))
    mute = set_mute(starts_at=now, ends_at=until, team=team, actor=world.alice)
    with pytest.raises(RoleMissing):
        end_mute(mute, actor=narrowed(world.cast.alice))


def test_golden_cases_of_one_agent_alert_for_that_agent_alone(world: World) -> None:
    mine, other = world.agent("mine"), world.agent("other")
    now, names = clock.now(), [mine.public_id, other.public_id]
    watch = Watch.objects.create(
        public_id="wat_1", route="classify", vendor=world.vendor.name, model=world.target.name,
        first_at=now, last_at=now,
    )  # fmt: skip
    plan = ProbePlan.objects.create(
        public_id="pbp_1", watch=watch, agent=mine, model=world.target, cron="0 6 * * *",
        cap_micros=1, since=now, next_at=now, added_by="person:per_x", added_at=now,
    )  # fmt: skip
    changed = {"watch": watch, "before": 0.0, "after": 1.0, "calls": 3, "score": 4.0}
    Change.objects.create(
        public_id="chg_1", plan=plan, figure="quality", seen_at=clock.now(), **changed
    )
    assert WatchedDrift().since(names, world.target, now) == {mine.public_id: 1}
    Change.objects.create(public_id="chg_2", figure="errors", seen_at=clock.now(), **changed)
    found = WatchedDrift().since(names, world.target, now)
    assert found == {mine.public_id: 2, other.public_id: 1}


def test_a_cutover_that_cannot_be_judged_keeps_no_other_from_it(world: World) -> None:
    one, other = world.agent("one"), world.agent("other")
    bad, good = world.started(one), world.started(other)
    Cutover.objects.filter(pk=bad.pk).update(limits={})
    world.calls(other, "source", 40)
    world.calls(other, "target", 30, status="error")
    step_cutovers(actor=SWEEP)
    assert (again(good).state, again(bad).state) == ("rolled_back", "running")
    assert bad.failed_at is not None
    assert bad.looked_at is None  # what was not judged is not said to have been


def test_costs_in_two_currencies_bring_nobody_back(world: World) -> None:
    Model.objects.filter(pk=world.target.pk).update(currency="CNY")
    agent = world.agent()
    cutover = world.started(agent)
    world.calls(agent, "source", 260)
    world.calls(agent, "target", 60, cost_micros=900)
    step_cutovers(actor=SWEEP)
    assert again(cutover).state == "running"


def test_a_gate_says_that_costs_in_two_currencies_are_not_known(world: World) -> None:
    evaluation = make_evaluation(world.agent(passed=False), world.source)
    arm = make_arm(evaluation, world.target)
    assert judge_arm(evaluation, arm, DEFAULTS).figure("cost").note != CURRENCIES
    world.target.currency = "CNY"
    world.target.save(update_fields=["currency"])
    cost = judge_arm(evaluation, arm, DEFAULTS).figure("cost")
    assert (cost.note, cost.verdict) == (CURRENCIES, "shown")
