"""Rotas: who is named and told when an agent of a team fails, who is next, and who sets it."""

from __future__ import annotations

from datetime import datetime, time, timedelta

import pytest

from approvals.models import Absence, NoticePreference
from fleet.health.actions.attending import TOGETHER, attend, escalate
from fleet.health.actions.incidents import acknowledge_incident
from fleet.health.actions.rotas import Turns, end_cover, set_cover, set_rota
from fleet.health.models import Cover, Incident, Rota
from fleet.health.queries.rotas import duty_of
from fleet.telling.models import Copy
from kernel import clock
from kernel.refs import new_id
from ledger.models import Entry
from registry.models import Agent, Person
from tests.factories import Cast, actor, browser_of, client_of, make_cast, make_person
from tests.fleet.health.test_incidents import WORKER, sick

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def turns(*people: Person, days_ago: int = 1, **over: object) -> Turns:
    given = {
        "people": people, "zone": "UTC", "handover": time(0), "length_days": 7, "minutes": 10,
        "starts_on": clock.now().date() - timedelta(days=days_ago),
    }  # fmt: skip
    return Turns(**given | over)  # type: ignore[arg-type]


def told(kind: str, level: int | None = None) -> set[Person]:
    copies = Copy.objects.filter(message__kind=f"incident.{kind}", person__isnull=False)
    if level is not None:
        copies = copies.filter(message__key__endswith=f":{level}")
    return {copy.person for copy in copies.select_related("person") if copy.person is not None}


def in_minutes(begun: datetime, minutes: int) -> datetime:
    return begun + timedelta(minutes=minutes)


def test_who_is_on_call_is_named_and_told_first_then_the_next_then_all(cast: Cast) -> None:
    carl = make_person("carl", team=cast.finance)
    set_rota(cast.finance, turns(cast.bob, carl), actor=actor(cast.alice))
    begun = clock.now()
    with clock.held_at(begun):
        agent = sick(cast)
        attend(actor=WORKER)
    incident = Incident.objects.get()
    assert (incident.called, incident.on_call) == (cast.bob, cast.bob.email)
    assert incident.owner == cast.alice
    assert told("opened") == {cast.bob}  # and not the owner yet
    opened = Entry.objects.get(verb="incident.opened", agent_id=agent.public_id)
    assert cast.bob.public_id.encode() in bytes(opened.header)
    with clock.held_at(in_minutes(begun, 9)):
        assert escalate(actor=WORKER) == 0
    with clock.held_at(in_minutes(begun, 11)):
        assert escalate(actor=WORKER) == 1
    incident.refresh_from_db()
    assert incident.called == carl
    assert told("escalated", 1) == {cast.bob, carl, cast.alice}
    with clock.held_at(in_minutes(begun, 22)):
        assert escalate(actor=WORKER) == 1
    assert told("escalated", 2) == {cast.alice, cast.bob, carl, cast.pat}
    page = browser_of(cast.alice).get(f"/health/incidents/{incident.public_id}/").content.decode()
    assert "Bob is on call (Finance)." in page
    assert "To Carl, next on the rota." in page


def test_what_somebody_took_calls_nobody_else(cast: Cast) -> None:
    set_rota(cast.finance, turns(cast.bob, cast.alice), actor=actor(cast.alice))
    sick(cast)
    attend(actor=WORKER)
    acknowledge_incident(Incident.objects.get(), actor=actor(cast.bob))
    with clock.held_at(clock.now() + timedelta(hours=1)):
        assert escalate(actor=WORKER) == 0
    assert told("acknowledged") == {cast.bob, cast.alice}


def test_an_agent_that_names_somebody_itself_goes_its_own_way(cast: Cast) -> None:
    set_rota(cast.finance, turns(cast.bob), actor=actor(cast.alice))
    agent = sick(cast)
    Agent.objects.filter(pk=agent.pk).update(on_call=cast.sam.email)
    attend(actor=WORKER)
    incident = Incident.objects.get()
    assert (incident.called, incident.on_call) == (None, cast.sam.email)
    assert told("opened") == {cast.alice, cast.sam}


def test_alone_on_a_rota_the_backup_owner_is_next(cast: Cast) -> None:
    set_rota(cast.finance, turns(cast.alice), actor=actor(cast.alice))
    sick(cast)
    attend(actor=WORKER)
    with clock.held_at(clock.now() + timedelta(minutes=11)):
        assert escalate(actor=WORKER) == 1
    assert told("escalated") == {cast.alice, cast.bob}


def test_whoever_cannot_be_called_is_passed_over_and_it_is_said(cast: Cast, settings) -> None:
    settings.EMAIL_HOST = "mail.acme.test"
    left, moved, away, deaf = (
        make_person(name, team=cast.finance) for name in ("left", "moved", "away", "deaf")
    )
    set_rota(cast.finance, turns(left, moved, away, deaf, cast.bob), actor=actor(cast.pat))
    now = clock.now()
    Person.objects.filter(pk=left.pk).update(deactivated_at=now)
    Person.objects.filter(pk=moved.pk).update(team=cast.research)
    Absence.objects.create(
        public_id=new_id("abs"), person=away, stand_in=cast.bob, created_at=now,
        starts_at=now - timedelta(days=1), ends_at=now + timedelta(days=1),
    )  # fmt: skip
    NoticePreference.objects.create(person=deaf, mail="off", changed_at=now)
    sick(cast)
    attend(actor=WORKER)
    assert Incident.objects.get().called == cast.bob
    page = browser_of(cast.alice).get("/health/rotas/finance/").content.decode()
    for said in (
        "Left is passed over: the account is deactivated.",
        "Moved is passed over: not in the team any more.",
        "Away is passed over: away.",
        "Deaf is passed over: takes no mails.",
    ):
        assert said in page
    line = client_of(cast.mallory).get("/api/v1/rotas?search=finance").json()["results"][0]
    assert (line["on_call"], len(line["passed_over"])) == (cast.bob.email, 4)


def test_where_nobody_can_be_called_the_owner_and_the_team_are_told_at_once(cast: Cast) -> None:
    left = make_person("left", team=cast.finance)
    set_rota(cast.finance, turns(left), actor=actor(cast.pat))
    Person.objects.filter(pk=left.pk).update(deactivated_at=clock.now())
    sick(cast)
    attend(actor=WORKER)
    assert Incident.objects.get().called is None
    assert told("opened") == {cast.alice, cast.bob}


def test_without_a_rota_or_before_it_begins_the_owner_is_told(cast: Cast) -> None:
    set_rota(cast.finance, turns(cast.bob, days_ago=-7), actor=actor(cast.alice))
    assert duty_of(cast.finance) is None
    sick(cast)
    attend(actor=WORKER)
    assert told("opened") == {cast.alice}


def test_an_owner_who_has_left_does_not_leave_an_incident_untold(cast: Cast) -> None:
    sick(cast)
    Person.objects.filter(pk=cast.alice.pk).update(deactivated_at=clock.now())
    attend(actor=WORKER)
    assert told("opened") == {cast.pat}


def test_what_one_vendor_does_to_many_reaches_each_team_that_it_touches_once(cast: Cast) -> None:
    set_rota(cast.finance, turns(cast.bob), actor=actor(cast.alice))
    for number in range(TOGETHER):
        sick(cast, f"agent-{number}", "vendor:openai")
    attend(actor=WORKER)
    assert told("opened") == {cast.bob, cast.pat}
    sick(cast, "one-more", "vendor:openai")
    attend(actor=WORKER)
    assert Copy.objects.filter(person=cast.bob, message__kind="incident.opened").count() == 1


def test_a_cover_has_the_duty_until_it_is_ended_and_the_last_one_set_counts(cast: Cast) -> None:
    carl = make_person("carl", team=cast.finance)
    set_rota(cast.finance, turns(cast.bob), actor=actor(cast.alice))
    now = clock.now()
    begins, ends = now - timedelta(hours=1), now + timedelta(days=2)
    set_cover(
        cast.finance, cast.alice, instead_of=cast.bob, actor=actor(cast.bob),
        starts_at=begins, ends_at=ends,
    )  # fmt: skip
    duty = duty_of(cast.finance)
    assert duty is not None
    assert duty.person == cast.alice
    assert duty.after(cast.alice) == cast.bob
    second = set_cover(cast.finance, carl, actor=actor(cast.pat), starts_at=begins, ends_at=ends)
    assert (found := duty_of(cast.finance)) is not None
    assert found.person == carl
    end_cover(second, actor=actor(cast.bob))
    end_cover(second, actor=actor(cast.bob))
    assert (found := duty_of(cast.finance)) is not None
    assert found.person == cast.alice
    assert Entry.objects.filter(verb="cover.ended").count() == 1
    assert Entry.objects.filter(verb="cover.set").count() == 2


def test_a_rota_follows_another_and_replaces_what_was_to_begin_later(cast: Cast) -> None:
    set_rota(cast.finance, turns(cast.bob), actor=actor(cast.alice))
    set_rota(cast.finance, turns(cast.alice, days_ago=-3), actor=actor(cast.alice))
    third = set_rota(cast.finance, turns(cast.bob, days_ago=-2), actor=actor(cast.alice))
    live = Rota.objects.filter(replaced_at__isnull=True).order_by("starts_at")
    assert [each.people for each in live] == [[cast.bob.public_id], [cast.bob.public_id]]
    assert live[1] == third
    assert Entry.objects.filter(verb="rota.set").count() == 3


def form(cast: Cast, **said: str) -> dict[str, str]:
    day = clock.now().date().isoformat()
    return {
        "starts_on": day, "handover": "00:00", "zone": "Europe/Berlin", "every": "1", "unit": "7",
        "minutes": "20", "person_0": cast.bob.public_id, "person_1": cast.alice.public_id,
    } | said  # fmt: skip


def test_its_own_people_set_it_on_the_page_and_others_look(cast: Cast) -> None:
    at, page = "/health/rotas/finance/", browser_of(cast.alice)
    assert "No rota is in force" in page.get(at).content.decode()
    assert page.post(at, form(cast)).status_code == 302
    rota = Rota.objects.get()
    assert (rota.zone, rota.length_days, rota.minutes) == ("Europe/Berlin", 7, 20)
    shown = page.get(at).content.decode()
    assert "<svg" in shown
    assert "Bob" in browser_of(cast.mallory).get("/health/rotas/").content.decode()
    outsider = browser_of(cast.mallory)
    assert "Set the rota" not in outsider.get(at).content.decode()
    assert outsider.post(at, form(cast)).status_code == 403
    assert outsider.post(f"{at}end/").status_code == 403
    for wrong in (
        {"person_0": cast.mallory.public_id}, {"person_0": "", "person_1": ""}, {"every": "0"},
        {"person_1": cast.bob.public_id}, {"starts_on": "1999-01-01"}, {"zone": "Mars/Olympus"},
        {"minutes": "0"}, {"every": "20"},
    ):  # fmt: skip
        assert page.post(at, form(cast, **wrong)).status_code == 422, wrong
    assert Rota.objects.count() == 1
    assert page.post(f"{at}end/").status_code == 302
    assert duty_of(cast.finance) is None
    assert browser_of(cast.pat).post(at, form(cast)).status_code == 302


def test_a_cover_is_set_and_ended_on_the_page(cast: Cast) -> None:
    set_rota(cast.finance, turns(cast.bob), actor=actor(cast.alice))
    at, page = "/health/rotas/finance/covers/", browser_of(cast.alice)
    ends = (clock.now() + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
    said = {
        "cover-person": cast.alice.public_id, "cover-instead_of": "", "cover-starts_at": "",
        "cover-ends_at": ends,
    }  # fmt: skip
    assert page.post(at, said | {"cover-ends_at": "2020-01-01T10:00"}).status_code == 422
    assert page.post(at, said | {"cover-instead_of": cast.alice.public_id}).status_code == 422
    assert browser_of(cast.mallory).post(at, said).status_code == 403
    assert page.post(at, said).status_code == 302
    assert "covers for Bob" in page.get("/health/rotas/finance/").content.decode()
    cover = Cover.objects.get()
    assert browser_of(cast.mallory).post(f"{at}{cover.public_id}/end/").status_code == 403
    assert page.post(f"{at}{cover.public_id}/end/").status_code == 302
    assert page.post(f"{at}{cover.public_id}/end/").status_code == 404


def test_over_rest_a_rota_is_set_read_and_covered(cast: Cast) -> None:
    at, client = "/api/v1/rotas/finance", client_of(cast.bob)
    body = {
        "people": [cast.bob.email, cast.alice.public_id], "zone": "Europe/Berlin",
        "starts_on": clock.now().date().isoformat(), "handover": "00:00", "days": 14,
    }  # fmt: skip
    assert client.put(at, body, format="json").status_code == 200
    told_of = client_of(cast.mallory).get(at).json()
    assert (told_of["days"], told_of["minutes"], told_of["handover"]) == (14, 15, "00:00")
    assert told_of["weeks"][0]["person"] == cast.bob.email
    assert client_of(cast.mallory).put(at, body, format="json").status_code == 403
    wrong = body | {"people": [cast.mallory.email]}
    assert client.put(at, wrong, format="json").status_code == 422
    now = clock.now()
    cover = {
        "person": cast.alice.email, "instead_of": cast.bob.email, "starts_at": now.isoformat(),
        "ends_at": (now + timedelta(days=3)).isoformat(),
    }  # fmt: skip
    made = client.post(f"{at}/covers", cover, format="json")
    assert made.status_code == 201
    assert client.get(at).json()["on_call"] == cast.alice.email
    assert client_of(cast.mallory).delete(f"{at}/covers/{made.json()['id']}").status_code == 403
    assert client.delete(f"{at}/covers/{made.json()['id']}").status_code == 204
    assert client.get(f"{at}/covers").json()["results"] == []
    assert client.put(at, body | {"people": []}, format="json").json()["on_call"] is None
    assert client.get("/api/v1/rotas/nowhere").status_code == 404


def test_rotas_and_covers_are_in_the_admin(cast: Cast) -> None:
    set_rota(cast.finance, turns(cast.bob), actor=actor(cast.alice))
    now = clock.now()
    cover = set_cover(
        cast.finance, cast.alice, starts_at=now, ends_at=now + timedelta(days=1),
        actor=actor(cast.bob),
    )  # fmt: skip
    page = browser_of(cast.pat)
    assert "finance" in page.get("/admin/health/rota/?q=finance").content.decode().lower()
    assert page.get("/admin/health/cover/").status_code == 200
    assert page.post(f"/admin/health/cover/{cover.pk}/end/", {"reason": ""}).status_code == 302
    cover.refresh_from_db()
    assert cover.ended_at is not None
