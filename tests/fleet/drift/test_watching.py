"""Calls as gateways recorded them are counted by the hour, and what rises is told once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from fleet.cutovers.ports import drift_alerts
from fleet.drift.actions.watching import watch_calls
from fleet.drift.models import Change, Hour, Watch
from fleet.drift.queries.watches import alerts_for
from fleet.health.models import Incident
from fleet.telling.models import Copy
from kernel import clock
from ledger.models import Entry
from registry.actors import Actor
from registry.models import Agent
from routing.models import Call
from tests.factories import Cast, make_agent, make_call, make_model

SWEEP = Actor.system("drift-watch")
HOUR = timedelta(hours=1)


@pytest.fixture
def now() -> datetime:
    return clock.now().replace(minute=5, second=0, microsecond=0)


def calls(agent: Any, at: datetime, number: int, **over: Any) -> None:
    for _ in range(number):
        make_call(agent, started_at=at, **over)


def test_a_quiet_change_is_seen_told_once_and_over_when_it_is_gone(
    cast: Cast, now: datetime
) -> None:
    agent = make_agent("sorter", owner=cast.alice, stage="live")
    for day in range(2, 8):
        calls(agent, now - timedelta(days=day), 20)
    calls(agent, now - 3 * HOUR, 40)
    with clock.held_at(now):
        assert watch_calls(actor=SWEEP) == 0
    calls(agent, now - HOUR / 2, 30, is_substituted=True, reported_model="acme-mini")
    with clock.held_at(now + HOUR):
        assert watch_calls(actor=SWEEP) == 1
        assert watch_calls(actor=SWEEP) == 0
    change = Change.objects.get()
    assert (change.figure, change.before, change.calls) == ("substituted", 0.0, 70)
    told = Copy.objects.values_list("message__kind", "person__email")
    assert sorted(told) == [
        ("drift.seen", "alice@acme.test"), ("incident.opened", "pat@acme.test"),
    ]  # fmt: skip
    assert Entry.objects.filter(verb="drift.seen").count() == 1
    model = make_model()
    assert list(alerts_for(model)) == [change]
    # Cutovers hear of it, of those of their agents that use the route.
    assert drift_alerts([agent.public_id], model, now) == {agent.public_id: 1}
    assert drift_alerts([agent.public_id], model, now + 2 * HOUR) == {}
    Agent.objects.filter(pk=agent.pk).update(routes=["another"])
    assert drift_alerts([agent.public_id], model, now) == {}
    Call.objects.filter(is_substituted=True).update(is_substituted=False)
    calls(agent, now + HOUR, 10)
    with clock.held_at(now + 2 * HOUR):
        watch_calls(actor=SWEEP)
    change.refresh_from_db()
    assert change.over_at is not None
    assert Incident.objects.get(kind="drift").resolved_at is not None


def test_slow_and_dear_calls_are_measured_by_the_week_before(cast: Cast, now: datetime) -> None:
    agent = make_agent("sorter", owner=cast.alice, stage="live")
    calls(agent, now - timedelta(days=3), 80)
    calls(agent, now - HOUR, 60, duration_ms=900, cost_micros=500)
    with clock.held_at(now):
        assert watch_calls(actor=SWEEP) == 2
    assert set(Change.objects.values_list("figure", flat=True)) == {"slow", "dear"}


def test_an_hour_is_counted_once_and_refusals_say_nothing(cast: Cast, now: datetime) -> None:
    agent = make_agent("sorter", owner=cast.alice, stage="live")
    calls(agent, now - HOUR, 3)
    calls(agent, now - HOUR, 2, status="error")
    calls(agent, now - HOUR, 5, status="denied", vendor="", model="")
    for _ in range(2):
        with clock.held_at(now):
            watch_calls(actor=SWEEP)
    hour = Hour.objects.get()
    assert (hour.calls, hour.failed, hour.tokens) == (5, 2, 75)


@pytest.mark.parametrize("who", ["alice", "mallory", "sam", "pat", "ann"])
def test_everybody_may_look_at_the_watches(cast: Cast, now: datetime, who: str) -> None:
    client = Client()
    client.force_login(getattr(cast, who))
    assert "Nothing to watch yet" in client.get("/drift/").content.decode()
    watch = Watch.objects.create(
        public_id="wat_1", route="sort <it>", vendor="acme", model="m", first_at=now, last_at=now
    )
    Change.objects.create(
        public_id="chg_1", watch=watch, figure="errors", before=0.01, after=0.4, calls=60,
        score=9.0, seen_at=now,
    )  # fmt: skip
    page = client.get("/drift/?search=acme").content.decode()
    assert "sort &lt;it&gt;" in page
    assert "Calls that fail" in page
    assert "None fits" in client.get("/drift/?search=zzz").content.decode()
