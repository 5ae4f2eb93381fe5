"""What one agent writes or points at stops nobody else from being watched or told."""

from __future__ import annotations

import pytest

from fleet.health.actions.attending import TOGETHER, attend
from fleet.health.actions.beating import take_heartbeat
from fleet.health.actions.following import follow_registry
from fleet.health.expected import LONGEST_INTERVAL
from fleet.health.models import Check, Incident
from fleet.health.schedules import seconds_of
from fleet.telling.models import Copy
from registry.actors import Actor
from registry.manifest.schema import check_shape
from registry.models import Agent
from tests.factories import Cast, browser_of, make_agent, make_cast, make_manifest
from tests.fleet.health.test_incidents import WORKER, sick

POISON = (
    {"health": {"kind": "heartbeat", "interval": "999999w"}},
    {"health": {"kind": "heartbeat", "interval": "5m", "grace": "999999w"}},
    {"health": {"kind": "a2a-card"}, "interfaces": [{"protocol": "a2a", "url": "https://["}]},
    {"health": {"kind": "http", "url": "https://a]b/", "interval": "999999d"}},
)


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


@pytest.mark.parametrize("spec", POISON)
def test_a_manifest_that_the_schema_takes_does_not_stop_the_others(
    cast: Cast, spec: dict[str, object]
) -> None:
    manifest = make_manifest("first", **spec)
    assert check_shape(manifest, {}) == []
    poison = make_agent("first", owner=cast.mallory, stage="live", manifest=manifest)
    beats = {"health": {"kind": "heartbeat", "interval": "5m"}}
    other = make_agent(
        "second", owner=cast.alice, stage="live", manifest=make_manifest("second", **beats)
    )
    assert follow_registry(actor=WORKER) == 2
    assert Check.objects.get(agent=other).interval_seconds == 300
    check = Check.objects.get(agent=poison)
    assert 0 < check.interval_seconds <= LONGEST_INTERVAL
    assert check.grace_seconds <= LONGEST_INTERVAL
    assert follow_registry(actor=WORKER) == 0
    taken = take_heartbeat(poison, status="ok", actor=Actor.agent(poison.ref))
    assert taken.status == "healthy"


@pytest.mark.parametrize("text", ["", "m", "²m", "5", "5x", "٣m", "-5m", "5 m", "1e3s"])
def test_what_is_no_duration_is_the_usual_one(text: str) -> None:
    assert seconds_of(text, 7) == 7


def test_a_number_that_is_no_number_is_refused_on_the_page(cast: Cast) -> None:
    agent = make_agent("one", owner=cast.alice, stage="live")
    said = {"kind": "heartbeat", "interval": "²m", "grace": "", "cron": "", "zone": "", "url": ""}
    assert browser_of(cast.alice).post(f"/health/agents/{agent.name}/", said).status_code == 422


def test_agents_that_fail_at_a_host_do_not_hide_another_that_fails_there(cast: Cast) -> None:
    bad = [sick(cast, f"bad-{number}", "host:agents.acme.test") for number in range(TOGETHER)]
    Agent.objects.filter(pk__in=[each.pk for each in bad]).update(
        owner=cast.mallory, team=cast.research
    )
    attend(actor=WORKER)
    sick(cast, "invoice-sorter", "host:agents.acme.test")
    attend(actor=WORKER)
    assert Incident.objects.filter(resolved_at__isnull=True).count() == 1
    told = Copy.objects.filter(person=cast.alice, message__kind="incident.opened")
    assert told.count() == 1
    assert Copy.objects.filter(person=cast.mallory).count() == 1  # once, and not for each agent
