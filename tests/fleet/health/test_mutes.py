"""Mutes of agents and teams: set with an end and a reason, seen by whom they concern, ended."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fleet.health.actions.attending import attend
from fleet.health.models import Incident, Mute
from kernel import clock
from ledger.models import Entry
from tests.factories import Cast, browser_of, client_of, make_cast
from tests.fleet.health.test_incidents import WORKER, sick

pytestmark = pytest.mark.django_db
PAGE = "/health/mutes/"


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def form(**said: str) -> dict[str, str]:
    ends = (clock.now() + timedelta(hours=4)).strftime("%Y-%m-%dT%H:%M")
    return {"agent": "", "team": "", "starts_at": "", "ends_at": ends, "reason": "Moving."} | said


def test_a_team_is_quiet_until_its_mute_is_ended(cast: Cast) -> None:
    agent = sick(cast)
    assert agent.team is not None
    page = browser_of(cast.alice)
    assert page.post(PAGE, form(team=agent.team.slug)).status_code == 302
    mute = Mute.objects.get()
    assert (mute.team, mute.reason) == (agent.team, "Moving.")
    assert b"Moving." not in bytes(Entry.objects.get(verb="mute.set").header)
    assert attend(actor=WORKER) == 0
    assert "Moving." in page.get(PAGE).content.decode()
    assert page.post(f"{PAGE}{mute.public_id}/end/").status_code == 302
    assert attend(actor=WORKER) == 1
    assert Incident.objects.get().agent == agent
    assert "Nothing is quiet" in page.get(PAGE).content.decode()


def test_nobody_silences_another_team_or_forever(cast: Cast) -> None:
    agent = sick(cast)
    assert agent.team is not None
    outsider = browser_of(cast.mallory)
    assert outsider.post(PAGE, form(team=agent.team.slug)).status_code == 422  # not offered
    assert outsider.post(PAGE, form(agent=agent.name)).status_code == 403
    owner = browser_of(cast.alice)
    assert owner.post(PAGE, form(agent=agent.name, ends_at="2020-01-01T10:00")).status_code == 422
    assert owner.post(PAGE, form(agent=agent.name, reason="")).status_code == 422
    assert owner.post(PAGE, form()).status_code == 422
    assert Mute.objects.count() == 0
    assert "Nothing is quiet" in outsider.get(PAGE).content.decode()


def test_over_rest_a_team_is_muted_with_a_reason(cast: Cast) -> None:
    agent, now = sick(cast), clock.now()
    assert agent.team is not None
    body = {
        "team": agent.team.slug, "reason": "Moving.", "starts_at": now.isoformat(),
        "ends_at": (now + timedelta(hours=1)).isoformat(),
    }  # fmt: skip
    made = client_of(cast.alice).post("/api/v1/mutes", body, format="json")
    assert (made.status_code, made.json()["reason"]) == (201, "Moving.")
    both = body | {"agent": agent.name}
    assert client_of(cast.alice).post("/api/v1/mutes", both, format="json").status_code == 422
    assert client_of(cast.mallory).post("/api/v1/mutes", body, format="json").status_code == 403
    assert client_of(cast.mallory).get("/api/v1/mutes").json()["results"] == []
