"""Agents judged by their calls: held against their habit, damped, once a minute, by one sweep."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from fleet.health.actions.following import follow_registry
from fleet.health.actions.judging import judge_calls
from fleet.health.models import AgentHealth, CallWindow, Check
from kernel import clock
from registry.actors import Actor, RoleMissing
from registry.models import Agent
from tests.effects.proposals.test_races import run_all
from tests.factories import actor, make_agent, make_call, make_cast
from tests.transactions import wait_for_open_transactions

WORKER = Actor.system("health")
pytestmark = pytest.mark.django_db


@pytest.fixture
def agent() -> Agent:
    made = make_agent(owner=make_cast().alice, stage="live")
    follow_registry(actor=WORKER)
    return made


def calls(agent: Agent, at: datetime, count: int, failed: int, minutes: int = 5) -> None:
    """Write down how many calls a window had, as counting does."""
    width = timedelta(minutes=minutes)
    begins = datetime.fromtimestamp(at.timestamp() // width.seconds * width.seconds, at.tzinfo)
    window, _ = CallWindow.objects.get_or_create(
        minutes=minutes, starts_at=begins, agent_id=agent.public_id, vendor="acme-ai",
        defaults={"calls": 0, "errors": 0},
    )  # fmt: skip
    window.calls, window.errors = window.calls + count, window.errors + failed
    window.save(update_fields=["calls", "errors"])


def judged(begun: datetime, minutes: int) -> list[str]:
    """Judge once a minute; return the agent's status after each."""
    said = []
    for minute in range(minutes):
        with clock.held_at(begun + timedelta(minutes=minute)):
            judge_calls(actor=WORKER)
        said.append(AgentHealth.objects.get().status)
    return said


def test_two_bad_minutes_of_three_make_it_worse_and_three_good_ones_well(agent: Agent) -> None:
    begun = clock.now()
    calls(agent, begun, 20, 0)
    assert judged(begun, 2)[-1] == "healthy"
    calls(agent, begun, 20, 20)
    assert judged(begun + timedelta(minutes=2), 2) == ["healthy", "down"]
    check = Check.objects.get(source="gateway")
    assert (check.cause, "20 of 40 calls failed" in check.reason) == ("vendor:acme-ai", True)
    CallWindow.objects.update(errors=0)
    assert judged(begun + timedelta(minutes=4), 3) == ["down", "down", "healthy"]


def test_what_always_fails_a_little_is_not_degraded_by_it(agent: Agent) -> None:
    begun = clock.now()
    calls(agent, begun - timedelta(days=2), 1000, 150, minutes=60)
    calls(agent, begun, 40, 8)
    assert judged(begun, 4)[-1] == "healthy"
    calls(agent, begun, 60, 60)
    assert judged(begun + timedelta(minutes=4), 2)[-1] == "down"


def test_an_agent_that_falls_silent_in_its_usual_hours_is_degraded(agent: Agent) -> None:
    begun = clock.now().replace(minute=10)
    for week in (1, 2):
        calls(agent, begun - timedelta(weeks=week, hours=2), 50, 0, minutes=60)
    assert judged(begun, 2)[-1] == "degraded"
    assert "50 are usual" in Check.objects.get(source="gateway").reason
    calls(agent, begun, 6, 0)
    assert judged(begun + timedelta(minutes=2), 3)[-1] == "healthy"


def test_twice_in_one_minute_counts_once_and_few_calls_say_nothing(agent: Agent) -> None:
    begun = clock.now()
    calls(agent, begun, 4, 4)
    assert judged(begun, 3)[-1] == "unknown"
    calls(agent, begun, 10, 10)
    for _ in range(5):
        with clock.held_at(begun + timedelta(minutes=4)):
            judge_calls(actor=WORKER)
    assert Check.objects.get(source="gateway").recent == "d"


def test_somebody_without_the_platform_role_judges_nobody(agent: Agent) -> None:
    with pytest.raises(RoleMissing):
        judge_calls(actor=actor(agent.owner))


@pytest.mark.django_db(transaction=True)
@pytest.mark.xdist_group("health-races")
def test_sweeps_at_once_count_each_call_once_and_judge_once(agent: Agent) -> None:
    for number in range(30):
        make_call(agent, status="error" if number % 2 else "ok")
    make_call(agent, status="denied")
    wait_for_open_transactions()
    run_all([lambda: judge_calls(actor=WORKER)] * 4)
    window = CallWindow.objects.get(minutes=5)
    assert (window.calls, window.errors) == (30, 15)
    assert Check.objects.get(source="gateway").recent == "d"
