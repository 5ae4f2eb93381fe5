"""The sweep: each run once, again when it goes on, out again when it is old."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from fleet.conformance.actions.checking import check_runs
from fleet.conformance.models import CheckedRun, DeviationSum, EdgeSum, ProcessSum, WeekSum
from fleet.conformance.queries.conformity import conformance_of
from kernel import clock
from kernel.refs import new_id
from ledger.entries import Fields
from ledger.record import append
from registry.actors import Actor
from registry.models import Agent, AgentVersion
from routing.models import Run, RunSummary
from tests.factories import make_agent, make_cast, make_manifest, make_run, make_version

pytestmark = pytest.mark.django_db
STEPS: list[dict[str, Any]] = [
    {"name": "look-up", "kind": "deterministic", "uses": ["crm"]},
    {"name": "classify", "kind": "model", "uses": ["default"]},
    {"name": "note", "kind": "deterministic"},
]


@pytest.fixture
def agent() -> Agent:
    manifest = make_manifest("sorter", steps=STEPS, tools=[{"name": "crm"}])
    return make_agent("sorter", owner=make_cast().alice, stage="live", manifest=manifest)


def sweep() -> int:
    return check_runs(actor=Actor.system("test"))


def ran(agent: Agent, *seen: str, ago: timedelta = timedelta(hours=2)) -> Run:
    """Put a run on record in which these were seen: model, or the name of a reported tool."""
    at = clock.now() - ago
    with clock.held_at(at):
        run = make_run(agent, new_id("lbl"))
        for each in seen:
            step(agent, run, each)
    summarise(run, at, len(seen))
    return run


def step(agent: Agent, run: Run, seen: str) -> None:
    is_model = seen == "model"
    facts: dict[str, Any] = {"route": "sandbox"}
    if not is_model:
        facts = {"reported": True, "type": "tool", "name": seen}
    append(
        Fields(
            kind="intent" if is_model else "report",
            verb="call.intended" if is_model else "tool.reported",
            actor=agent.ref,
            subject=agent.ref,
            recorded_at=clock.now(),
            agent_id=agent.public_id,
            facts=facts,
            payload=None,
            entry_id=new_id("ent"),
        ),
        stream=run.run_id,
    )


def summarise(run: Run, at: datetime, tools: int) -> None:
    RunSummary.objects.update_or_create(
        run_id=run.run_id,
        defaults={
            "agent_id": run.agent_id, "label": run.label, "started_at": at, "last_at": at,
            "call_count": 1, "tool_count": tools,
        },
    )  # fmt: skip


def put_in_force(agent: Agent, manifest: dict[str, Any]) -> None:
    """Accept another version, an hour ago; the one before was in force since yesterday."""
    now = clock.now()
    agent.versions.update(settled_at=now - timedelta(days=1))
    version = make_version(agent, manifest)
    AgentVersion.objects.filter(pk=version.pk).update(
        state="accepted", settled_at=now - timedelta(hours=1)
    )
    Agent.objects.filter(pk=agent.pk).update(current_version=version)


def sums(agent: Agent) -> ProcessSum:
    return ProcessSum.objects.get(agent_id=agent.public_id)


def test_a_run_that_does_what_was_declared_fits(agent: Agent) -> None:
    ran(agent, "crm", "model")
    assert sweep() == 1
    found = sums(agent)
    assert (found.runs, found.deviating, found.fitness_permille) == (1, 0, 1000)
    assert found.version == "1.0.0"
    edges = set(EdgeSum.objects.values_list("source", "target", "times"))
    assert edges == {("^", "=look-up", 1), ("=look-up", "=classify", 1), ("=classify", "$", 1)}


def test_what_differs_is_told_with_how_often_and_examples(agent: Agent) -> None:
    ran(agent, "model")
    newest = ran(agent, "crm", "spy", "model", ago=timedelta(hours=1))
    ran(agent, "model", ago=timedelta(hours=3))
    sweep()
    ways = {(row.kind, row.step): row for row in DeviationSum.objects.all()}
    assert ways.keys() == {("missing", "=look-up"), ("unexpected", "tool:spy")}
    assert ways[("missing", "=look-up")].runs == 2
    assert ways[("unexpected", "tool:spy")].examples == [newest.run_id]
    assert sums(agent).deviating == 3


def test_each_run_is_counted_once_and_again_only_when_it_goes_on(agent: Agent) -> None:
    run = ran(agent, "model")
    assert (sweep(), sweep()) == (1, 0)
    step(agent, run, "crm")
    summarise(run, clock.now() - timedelta(minutes=30), 1)
    assert sweep() == 1
    found = sums(agent)
    assert (found.runs, found.deviating) == (1, 1)
    assert not DeviationSum.objects.filter(kind="missing", after="^", runs=2).exists()


def test_a_run_that_may_still_go_on_waits(agent: Agent) -> None:
    ran(agent, "crm", "model", ago=timedelta(minutes=5))
    assert sweep() == 0


def test_what_a_candidate_model_did_is_not_what_the_agent_does(agent: Agent) -> None:
    run = ran(agent, "model")
    RunSummary.objects.filter(run_id=run.run_id).update(call_count=1, own_count=1)
    assert sweep() == 0


def test_after_ninety_days_a_run_is_taken_out_of_every_sum(agent: Agent) -> None:
    ran(agent, "model", ago=timedelta(days=89))
    kept = ran(agent, "crm", "model")
    sweep()
    assert sums(agent).runs == 2
    with clock.held_at(clock.now() + timedelta(days=2)):
        sweep()
    assert (sums(agent).runs, sums(agent).deviating) == (1, 0)
    assert not DeviationSum.objects.exists()
    assert [row.run_id for row in CheckedRun.objects.all()] == [kept.run_id]


def test_without_declared_steps_only_what_is_seen_is_kept() -> None:
    agent = make_agent("free", owner=make_cast().alice, stage="live")
    ran(agent, "crm", "model", "model")
    sweep()
    found = sums(agent)
    assert (found.process, found.runs, found.deviating) == ("", 1, 0)
    assert EdgeSum.objects.filter(source="tool:crm", target="model:default").exists()


def test_a_summary_that_comes_late_is_found_within_a_day(agent: Agent) -> None:
    ran(agent, "crm", "model", ago=timedelta(minutes=30))
    sweep()
    ran(agent, "crm", "model", ago=timedelta(days=3))
    assert sweep() == 0
    with clock.held_at(clock.now() + timedelta(days=1, hours=1)):
        assert sweep() == 1


def test_weeks_are_counted_apart_and_go_with_their_runs(agent: Agent) -> None:
    ran(agent, "model", ago=timedelta(days=88))
    ran(agent, "crm", "model")
    again = ran(agent, "model")
    sweep()
    assert list(WeekSum.objects.order_by("week").values_list("runs", "deviating")) == [
        (1, 1), (2, 1),
    ]  # fmt: skip
    step(agent, again, "crm")
    summarise(again, clock.now() - timedelta(minutes=30), 1)
    with clock.held_at(clock.now() + timedelta(days=3)):
        sweep()
    weeks = list(WeekSum.objects.values_list("runs", "deviating"))
    assert sum(runs for runs, _ in weeks) == ProcessSum.objects.get().runs == 2
    assert sum(off for _, off in weeks) == ProcessSum.objects.get().deviating


def test_a_version_with_other_steps_begins_the_comparison_anew(agent: Agent) -> None:
    ran(agent, "crm", "model")
    ran(agent, "model")
    sweep()
    before = conformance_of(agent)
    assert (before.runs, before.gap.part, before.earlier) == (2, 1, [])

    fewer = make_manifest("sorter", steps=STEPS[1:], tools=[{"name": "crm"}])
    fewer["spec"]["version"] = "2.0.0"
    put_in_force(agent, fewer)
    agent.refresh_from_db()
    began = conformance_of(agent)
    assert (began.runs, began.gap.value, began.weeks) == (0, None, [])
    ran(agent, "model", ago=timedelta(minutes=30))
    sweep()
    after = conformance_of(agent)
    assert (after.process.version, after.runs, after.gap.part) == ("2.0.0", 1, 0)
    # What ran under the version before is held against that version, for ever.
    (earlier,) = after.earlier
    assert (earlier.version, earlier.runs, earlier.deviating) == ("1.0.0", 2, 1)


def test_a_version_with_the_same_steps_goes_on_with_the_same_sums(agent: Agent) -> None:
    ran(agent, "crm", "model")
    sweep()
    same = make_manifest("sorter", steps=STEPS, tools=[{"name": "crm"}])
    same["spec"]["version"] = "1.1.0"
    put_in_force(agent, same)
    ran(agent, "crm", "model", ago=timedelta(minutes=30))
    sweep()
    agent.refresh_from_db()
    found = conformance_of(agent)
    assert (found.runs, found.earlier) == (2, [])
