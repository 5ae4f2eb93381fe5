"""Many checks at once: claimed and applied by few statements; what flaps is one incident."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from fleet.health.actions.attending import attend, escalate
from fleet.health.actions.probing import Done, apply_probes, claim_probes
from fleet.health.models import AgentHealth, Check, Incident
from fleet.health.probing.judging import Judged
from fleet.telling.models import Copy
from kernel import clock
from registry.actors import Actor
from tests.factories import Cast, make_agent, make_cast

MANY = int(os.environ.get("UNSPRAWL_SOAK_CHECKS", "30"))
PROBER, WORKER = Actor.system("prober"), Actor.system("health")
BATCH = 500
pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def watched(cast: Cast, count: int, first: int = 0) -> None:
    now = clock.now()
    for number in range(first, first + count):
        agent = make_agent(f"agent-{number}", owner=cast.alice, stage="live")
        AgentHealth.objects.create(agent=agent, since=now, is_watched=True)
        Check.objects.create(
            agent=agent, source="probe", kind="http", origin="manifest", since=now, due_at=now,
            url=f"https://agent-{number}.acme.test/", host=f"agent-{number}.acme.test",
            interval_seconds=60,
        )  # fmt: skip


def minute(seen: str) -> tuple[int, int]:
    """Probe everything that is due; return how many there were, and how many statements it took."""
    with CaptureQueriesContext(connection) as queries:
        probed = 0
        while due := claim_probes(BATCH, actor=PROBER):
            judged = Judged(seen, f"It is {seen}.", is_proven=seen == "healthy")
            apply_probes([Done(each, judged) for each in due], actor=PROBER)
            probed += len(due)
    return probed, len(queries)


def test_the_statements_of_a_minute_do_not_grow_with_its_checks(cast: Cast) -> None:
    watched(cast, 3)
    few = [minute("healthy")]
    Check.objects.update(due_at=clock.now())
    few.append(minute("healthy"))
    watched(cast, MANY, first=3)
    Check.objects.update(due_at=clock.now())
    probed, changed = minute("healthy")
    batches = -(-probed // BATCH)
    assert probed == MANY + 3
    assert changed <= batches * (few[0][1] + 5)
    Check.objects.update(due_at=clock.now())
    assert minute("healthy")[1] <= batches * (few[1][1] + 5)
    assert AgentHealth.objects.filter(status="healthy").count() == MANY + 3


def test_what_flaps_for_long_is_one_incident_that_each_is_told_of_once(cast: Cast) -> None:
    """Down every other minute: damped, opened once, escalated step by step, over when well."""
    watched(cast, 1)
    begun = clock.now()
    for number in range(36):
        with clock.held_at(begun + timedelta(minutes=number)):
            Check.objects.update(due_at=clock.now())
            minute("down" if number % 2 else "healthy")
            attend(actor=WORKER)
            escalate(actor=WORKER)
    incident = Incident.objects.get()
    assert (incident.resolved_at, incident.level) == (None, 2)
    told = Copy.objects.filter(person=cast.alice).values_list("message__kind", flat=True)
    assert sorted(told) == ["incident.escalated", "incident.escalated", "incident.opened"]
    for number in range(36, 46):
        with clock.held_at(begun + timedelta(minutes=number)):
            Check.objects.update(due_at=clock.now())
            minute("healthy")
            attend(actor=WORKER)
    incident.refresh_from_db()
    assert incident.state == "resolved"
    assert Incident.objects.count() == 1
    assert Copy.objects.filter(person=cast.alice).count() == 4
