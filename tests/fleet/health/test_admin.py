"""Incidents, checks and mutes in the admin: read, taken and closed after asking back."""

from __future__ import annotations

import pytest
from django.test import Client

from fleet.health.actions.attending import attend
from fleet.health.models import Check, Incident
from ledger.models import Entry
from tests.factories import make_cast
from tests.fleet.health.test_incidents import WORKER, sick

pytestmark = pytest.mark.django_db


def test_an_incident_is_taken_and_closed_by_buttons_that_ask_back() -> None:
    cast, page = make_cast(), Client()
    agent = sick(cast)
    attend(actor=WORKER)
    incident = Incident.objects.get()
    page.force_login(cast.pat)
    listed = page.get("/admin/health/incident/?q=invoice&state__exact=open").content.decode()
    assert incident.title in listed
    at = f"/admin/health/incident/{incident.pk}"
    assert "It answers 503." in page.get(f"{at}/change/").content.decode()
    assert "escalates no further" in page.get(f"{at}/take/").content.decode()
    assert Incident.objects.get().state == "open"
    assert page.post(f"{at}/take/", {"reason": "Looking."}).status_code == 302
    assert page.post(f"{at}/close/", {"reason": ""}).status_code == 422
    assert page.post(f"{at}/close/", {"reason": "Restarted."}).status_code == 302
    incident.refresh_from_db()
    assert (incident.state, incident.acknowledged_by) == ("resolved", cast.pat)
    assert page.post(f"{at}/close/", {"reason": "Again."}).status_code == 422
    said = Entry.objects.filter(subject=str(incident.ref)).values_list("verb", flat=True)
    assert set(said) == {
        "incident.opened", "incident.noted", "incident.acknowledged", "incident.resolved",
    }  # fmt: skip
    for name in ("check", "mute"):
        assert page.get(f"/admin/health/{name}/").status_code == 200
    check = Check.objects.get(agent=agent)
    assert page.get(f"/admin/health/check/{check.pk}/change/").status_code == 200
    page.force_login(cast.mallory)
    assert page.get("/admin/health/incident/").status_code in {302, 403}
