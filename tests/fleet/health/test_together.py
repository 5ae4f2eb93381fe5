"""Several incidents at once, in the portal and in the admin: looked at first, then done."""

from __future__ import annotations

import pytest
from django.test import Client

from fleet.health.actions.attending import attend
from fleet.health.models import Incident
from fleet.telling.models import Copy
from ledger.models import Entry
from registry.models import Agent
from tests.factories import Cast, browser_of, client_of, make_cast
from tests.fleet.health.test_incidents import WORKER, sick

pytestmark = pytest.mark.django_db
AT = "/health/incidents/together/"


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def three(cast: Cast) -> list[Incident]:
    for number in range(3):
        sick(cast, f"agent-{number}")
    attend(actor=WORKER)
    return list(Incident.objects.order_by("title"))


def marked(rows: list[Incident], do: str) -> dict[str, object]:
    return {"incident": [row.public_id for row in rows], "do": do}


def sure(rows: list[Incident], do: str, **said: str) -> dict[str, str]:
    ids = ",".join(row.public_id for row in rows)
    return {"incidents": ids, "do": do, "sure": "yes"} | said


def states() -> list[str]:
    return list(Incident.objects.order_by("title").values_list("state", flat=True))


def test_what_would_happen_is_shown_and_nothing_happens_before_one_is_sure(cast: Cast) -> None:
    rows, page = three(cast), browser_of(cast.alice)
    page.post(f"/health/incidents/{rows[0].public_id}/take/")
    listed = page.get("/health/incidents/").content.decode()
    assert listed.count('name="incident"') == 3
    shown = page.post(AT, marked(rows, "take")).content.decode()
    assert "nothing: Alice has taken it" in shown
    assert "Take 2 incidents" in shown
    assert states() == ["acknowledged", "open", "open"]
    assert page.post(AT, sure(rows[1:], "take")).status_code == 302
    assert states() == ["acknowledged"] * 3
    assert Entry.objects.filter(verb="incident.acknowledged").count() == 3


def test_to_resolve_them_one_says_why(cast: Cast) -> None:
    rows, page = three(cast), browser_of(cast.alice)
    assert page.post(AT, sure(rows, "close", why=" ")).status_code == 422
    assert states() == ["open"] * 3
    assert page.post(AT, sure(rows, "close", why="The proxy is back.")).status_code == 302
    assert set(Incident.objects.values_list("resolved_why", flat=True)) == {"The proxy is back."}
    again = page.post(AT, marked(rows, "close")).content.decode()
    assert again.count("nothing: it is over") == 3


def test_they_are_given_to_somebody_who_answers_for_them(cast: Cast) -> None:
    rows, page = three(cast), browser_of(cast.alice)
    assert page.post(AT, sure(rows, "assign")).status_code == 422
    assert page.post(AT, sure(rows, "assign", whom="nobody@acme.test")).status_code == 422
    page.post(AT, sure(rows, "assign", whom=cast.mallory.email))
    assert set(Incident.objects.values_list("owner", flat=True)) == {cast.alice.pk}
    assert page.post(AT, sure(rows, "assign", whom=cast.bob.email)).status_code == 302
    assert set(Incident.objects.values_list("owner", flat=True)) == {cast.bob.pk}
    assert states() == ["open"] * 3  # named is not answered: they go on escalating
    told = Copy.objects.filter(person=cast.bob, message__kind="incident.assigned")
    assert told.count() == 3
    assert Entry.objects.filter(verb="incident.assigned").count() == 3


def test_over_rest_one_is_given_to_somebody(cast: Cast) -> None:
    at = f"/api/v1/incidents/{three(cast)[0].public_id}/assign"
    given = client_of(cast.alice).post(at, {"person": cast.bob.email}, format="json")
    assert given.json()["owner"] == cast.bob.email
    outside = client_of(cast.alice).post(at, {"person": cast.mallory.email}, format="json")
    assert (outside.status_code, outside.json()["code"]) == (422, "fleet.assignee_outside")
    told = {"person": cast.bob.email}
    assert client_of(cast.mallory).post(at, told, format="json").status_code == 404
    assert client_of(cast.ann).post(at, told, format="json").status_code == 403


def test_nobody_acts_on_incidents_of_others_in_a_heap(cast: Cast) -> None:
    rows = three(cast)
    other = sick(cast, "theirs")
    Agent.objects.filter(pk=other.pk).update(
        owner=cast.mallory, backup_owner=None, team=cast.research
    )
    attend(actor=WORKER)
    hers = Incident.objects.get(agent=other)
    outsider = browser_of(cast.mallory)
    outsider.post(AT, sure([*rows, hers], "close", why="Mine now."))
    assert Incident.objects.filter(state="resolved").get() == hers
    auditor = browser_of(cast.ann)
    assert auditor.post(AT, marked(rows, "take")).content.decode().count("nothing: ") == 3
    auditor.post(AT, sure(rows, "take"))
    assert Incident.objects.filter(state="acknowledged").count() == 0


@pytest.mark.parametrize(
    "said",
    [{}, {"do": "take"}, {"do": "burn", "incident": "inc_x"}, {"incident": "\0", "do": "take"}],
)
def test_what_makes_no_sense_leads_back(cast: Cast, said: dict[str, str]) -> None:
    three(cast)
    for more in ({}, {"sure": "yes", "why": "\0", "whom": "\0"}):
        answer = browser_of(cast.pat).post(AT, said | more)
        assert answer["Location"] == "/health/incidents/"
    assert states() == ["open"] * 3


def test_in_the_admin_those_chosen_are_looked_at_first(cast: Cast) -> None:
    rows, page, at = three(cast), Client(), "/admin/health/incident/"
    page.force_login(cast.pat)
    assert "Resolve …" in page.get(at).content.decode()
    keys = [row.pk for row in rows]
    chosen = {"action": "incident_close", "_selected_action": keys, "index": "0"}
    asked = page.post(at, chosen)
    assert asked.status_code == 200
    assert asked.content.decode().count("it is over") == 3
    assert states() == ["open"] * 3
    sent = {"action": "incident_close", "_selected_action": keys, "sure": "yes"}
    assert page.post(at, sent | {"why": ""}).status_code == 422
    assert page.post(at, sent | {"why": "Planned work."}).status_code == 302
    assert states() == ["resolved"] * 3
    page.force_login(cast.mallory)
    assert page.post(at, sent | {"why": "Mine."}).status_code in {302, 403}
