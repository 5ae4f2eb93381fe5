"""A cutover on connections of their own: sweeps, people and ends that meet leave one state."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from django.db import transaction

from fleet.cutovers.actions.going_back import roll_back
from fleet.cutovers.actions.leaving import leave_cutover
from fleet.cutovers.actions.moving import advance_now, pause_cutover
from fleet.cutovers.actions.signing import sign_off, start_without_others
from fleet.cutovers.actions.stepping import step_cutovers
from fleet.cutovers.errors import CutoverMoved
from fleet.cutovers.models import Cutover, CutoverAgent, CutoverEvent
from fleet.cutovers.queries.cutovers import bound_digest
from ledger.models import Entry
from registry.actions.stages import kill_agent
from routing.models import Shift
from tests.effects.proposals.test_races import run_all
from tests.fleet.cutovers.world import SWEEP, World

RACES = int(os.environ.get("UNSPRAWL_SOAK_CUTOVER_RACES", "3"))
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("cutover-races")]


def sweep() -> None:
    step_cutovers(actor=SWEEP)


def kinds(cutover: Cutover) -> list[str]:
    return list(CutoverEvent.objects.filter(cutover=cutover).values_list("kind", flat=True))


def test_of_sweeps_at_once_one_takes_the_step_and_one_the_way_back(world: World) -> None:
    agent = world.agent()
    cutover = world.started(agent)
    world.calls(agent, "source", 40)
    world.calls(agent, "target", 12)
    run_all([sweep] * 5)
    cutover.refresh_from_db()
    assert (cutover.step, kinds(cutover).count("advanced")) == (1, 1)
    assert list(Shift.objects.values_list("percent", "ended_at")) == [(100, None)]
    world.calls(agent, "target", 40, status="error", http_status=500)
    run_all([sweep] * 5)
    cutover.refresh_from_db()
    assert (cutover.state, kinds(cutover).count("rolled_back")) == ("rolled_back", 1)
    assert Entry.objects.filter(verb="cutover.rolled_back").count() == 1
    assert not Shift.objects.filter(ended_at=None).exists()


def test_whoever_rolls_back_while_others_advance_has_the_last_word(world: World) -> None:
    for number in range(RACES):
        agents = [world.agent(f"a-{number}-{each}") for each in range(3)]
        cutover = world.started(*agents)
        name = cutover.public_id

        def advance(name: str = name) -> None:
            advance_now(name, actor=world.pat, reason="Looked at.")

        def back(name: str = name) -> None:
            roll_back(name, actor=world.alice, reason="It answers oddly.")

        def pause(name: str = name) -> None:
            pause_cutover(name, actor=world.pat, reason="Wait.")

        jobs: list[Callable[[], object]] = [advance, back, advance, sweep, pause, back]
        ends = run_all(jobs)
        cutover.refresh_from_db()
        assert cutover.state == "rolled_back", ends
        assert kinds(cutover).count("rolled_back") == 1
        assert not Shift.objects.filter(ended_at=None).exists()
        states = cutover.agents.values_list("state", flat=True).distinct()
        assert list(states) == ["rolled_back"]


def test_an_agent_that_ends_meanwhile_is_left_out_and_one_that_is_killed_stays(
    world: World,
) -> None:
    ended, killed, other = (world.agent(name) for name in ("ended", "killed", "other"))
    name = world.started(ended, killed, other).public_id
    run_all(
        [
            lambda: leave_cutover(name, ended, actor=world.alice),
            lambda: kill_agent("killed", actor=world.alice, reason="It runs wild."),
            lambda: advance_now(name, actor=world.pat, reason="Looked at."),
            lambda: leave_cutover(name, ended, actor=world.pat),
            sweep,
        ]
    )
    rows = CutoverAgent.objects.values_list("agent__name", "state").order_by("agent__name")
    assert list(rows) == [("ended", "left_out"), ("killed", "shifting"), ("other", "shifting")]
    assert list(Shift.objects.filter(ended_at=None).values_list("percent", flat=True)) == [100] * 2
    assert Entry.objects.filter(verb="cutover.left").count() == 1


def test_a_signature_and_a_report_that_changes_under_it_never_both_hold(world: World) -> None:
    """The last signature meets a change of the report: what starts was signed as it is."""
    mine, theirs = world.agent(), world.agent("other", owner=world.cast.bob)
    cutover = world.begin(mine, theirs)
    digest = bound_digest(cutover)
    sign_off(cutover.public_id, digest=digest, actor=world.alice)

    def change() -> None:
        with transaction.atomic():
            row = CutoverAgent.objects.select_for_update().get(cutover=cutover, agent=mine)
            row.evaluation_digest = "sha256:other"
            row.save(update_fields=["evaluation_digest"])

    ends = run_all([change, lambda: sign_off(cutover.public_id, digest=digest, actor=world.bob)])
    cutover.refresh_from_db()
    if bound_digest(cutover) != digest and cutover.state == "signing":
        assert ends["fleet.cutover_signature_void"] == 1
        ends = run_all([lambda: start_without_others(cutover.public_id, actor=world.pat)])
        assert ends["fleet.cutover_signature_void"] == 1
    else:
        assert cutover.state == "running"
    Cutover.objects.filter(pk=cutover.pk).update(state="cancelled", ended_at=cutover.begun_at)
    with pytest.raises(CutoverMoved):
        sign_off(cutover.public_id, digest=digest, actor=world.bob)
