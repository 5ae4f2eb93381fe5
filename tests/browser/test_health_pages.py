"""The pages of health, incidents and notices in a real browser, in both looks and both widths."""

from __future__ import annotations

from datetime import time, timedelta
from functools import partial

import pytest
from django.db import transaction

from fleet.health.actions.attending import attend
from fleet.health.actions.incidents import note_on_incident
from fleet.health.actions.publishing import make_status_link
from fleet.health.actions.restating import restate
from fleet.health.actions.rotas import Turns, set_cover, set_rota
from fleet.health.actions.summing import sum_days
from fleet.health.models import AgentHealth, Check, HealthChange, Incident
from kernel import clock
from registry.actors import Actor
from registry.models import Agent
from tests.browser.looks import LOOKS, faults_here, faults_of
from tests.browser.test_steering_pages import kept, opened
from tests.factories import Cast, actor, make_agent, make_cast, make_person

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


def _on_call_and_outside(cast: Cast) -> str:
    """Set a rota and a cover, and return where the fleet's page outside is."""
    now, carl = clock.now(), make_person("carl", team=cast.finance)
    turns = Turns((cast.alice, cast.bob, carl), "Europe/Berlin", now.date() - timedelta(days=9),
                  time(9), 7, 15)  # fmt: skip
    set_rota(cast.finance, turns, actor=actor(cast.alice))
    set_cover(
        cast.finance, cast.alice, instead_of=carl, actor=actor(cast.alice),
        starts_at=now + timedelta(days=8), ends_at=now + timedelta(days=10),
    )  # fmt: skip
    for number, agent in enumerate(Agent.objects.order_by("name")[:9]):
        HealthChange.objects.bulk_create(
            HealthChange(
                agent=agent, at=now - timedelta(days=back), before="unknown",
                status="down" if (back * 7 + number) % 23 == 0 else "healthy",
            )
            for back in range(80, number, -1)
        )  # fmt: skip
    sum_days(actor=Actor.system("health"))
    made = make_status_link(
        "A screen", team=None, shows_agents=True, days=None, actor=actor(cast.sam)
    )
    return "/status/" + made.url.partition("/status/")[2]


def test_the_pages_are_sound_in_every_look(browser, live_server):
    cast = make_cast()
    _watch(cast)
    incident = Incident.objects.get(agent__name="agent-3")
    note_on_incident(incident, "Restarted it.\nIt came back.", actor=actor(cast.alice))
    page = opened(browser, live_server, cast.pat)
    paths = (
        "health/", "health/incidents/", f"health/incidents/{incident.public_id}/",
        "health/rotas/", "health/rotas/finance/", "health/status-links/",
        "health/agents/agent-3/", "health/mutes/", "notices/",
    )  # fmt: skip
    pages = {"health-public": _on_call_and_outside(cast)}
    for path in paths:
        name = path.strip("/").replace("/", "-").replace(incident.public_id, "one")
        pages[f"health-{name}"] = f"/{path}"
    assert faults_of(page, pages, partial(kept, page), LOOKS) == []
    page.goto("/health/incidents/")
    page.get_by_label("Mark agent-3 is down").check()
    page.get_by_role("button", name="Resolve …").click()
    page.get_by_label("Why are they over?").wait_for()
    assert faults_here(page, "resolving several", LOOKS) == []
    kept(page, "health-together")
    page.context.close()
