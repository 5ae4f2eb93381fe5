"""The pages of health, incidents and notices in a real browser, in both looks and both widths."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
from django.db import transaction

from fleet.health.actions.attending import attend
from fleet.health.actions.incidents import note_on_incident
from fleet.health.actions.restating import restate
from fleet.health.models import AgentHealth, Check, Incident
from kernel import clock
from registry.actors import Actor
from tests.browser.looks import LOOKS, faults_of
from tests.browser.test_steering_pages import kept, opened
from tests.factories import Cast, actor, make_agent, make_cast

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]
_STATUSES = ("healthy", "healthy", "degraded", "down", "unknown", "healthy")


def _watch(cast: Cast) -> None:
    now = clock.now()
    for number in range(18):
        owner = cast.alice if number % 2 else cast.mallory
        agent = make_agent(f"agent-{number}", owner=owner, stage="live")
        AgentHealth.objects.create(agent=agent, since=now - timedelta(days=3), is_watched=True)
        status = _STATUSES[number % len(_STATUSES)]
        Check.objects.create(
            agent=agent, source="probe", kind="http", origin="manifest", since=now,
            url="https://agents.acme.test/healthz", interval_seconds=60, status=status,
            reason="It answers 503." if status == "down" else "It answers the probe.",
            said="queue is full", seen_at=now,
        )  # fmt: skip
    with transaction.atomic():
        restate(list(AgentHealth.objects.values_list("agent_id", flat=True)))
    attend(actor=Actor.system("health"))


def test_the_pages_are_sound_in_every_look(browser, live_server):
    cast = make_cast()
    _watch(cast)
    incident = Incident.objects.get(agent__name="agent-3")
    note_on_incident(incident, "Restarted it.\nIt came back.", actor=actor(cast.alice))
    page = opened(browser, live_server, cast.alice)
    paths = (
        "health/", "health/incidents/", f"health/incidents/{incident.public_id}/",
        "health/agents/agent-3/", "health/mutes/", "notices/",
    )  # fmt: skip
    pages = {}
    for path in paths:
        name = path.strip("/").replace("/", "-").replace(incident.public_id, "one")
        pages[f"health-{name}"] = f"/{path}"
    assert faults_of(page, pages, partial(kept, page), LOOKS) == []
    page.context.close()
