from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from registry.models import Person, Team
from tests.factories import Cast, make_agent, make_person, make_team

PEOPLE = "/people/"


def as_(person: Person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def page_of(person: Person, url: str = PEOPLE) -> str:
    response = as_(person).get(url)
    assert response.status_code == 200, response.content.decode()[:300]
    return response.content.decode()


def test_everybody_looks_colleagues_up(cast: Cast) -> None:
    page = page_of(cast.mallory)
    assert "alice@acme.test" in page
    assert "Any role" not in page
    assert "security" not in page.lower()
    assert "Invite" not in page


def test_those_who_govern_see_roles_and_closed_accounts(cast: Cast) -> None:
    gone = make_person("gone", deactivated_at=cast.alice.created_at)
    assert gone.email not in page_of(cast.mallory)
    page = page_of(cast.sam)
    assert gone.email in page
    assert "Deactivated" in page
    assert "sam@acme.test" in page_of(cast.sam, PEOPLE + "?role=security")
    assert "alice@acme.test" not in page_of(cast.sam, PEOPLE + "?role=security")


def test_nobody_learns_a_role_by_filtering(cast: Cast) -> None:
    assert "alice@acme.test" in page_of(cast.mallory, PEOPLE + "?role=security")


@pytest.mark.parametrize(
    ("query", "found", "left_out"),
    [
        ("search=ALI", "alice@", "bob@"),
        ("search=research", "mallory@", "alice@"),
        ("team=finance", "bob@", "mallory@"),
        ("team=nonsense", "mallory@", "nobody-at-all"),
        ("search=%00ali", "alice@", "bob@"),
    ],
)
def test_the_list_is_searched_and_narrowed(
    cast: Cast, query: str, found: str, left_out: str
) -> None:
    page = page_of(cast.alice, f"{PEOPLE}?{query}").partition('id="results"')[2]
    assert found in page
    assert left_out not in page


def test_a_search_that_finds_nobody_says_what_to_do(cast: Cast) -> None:
    assert "Nobody fits" in page_of(cast.alice, PEOPLE + "?search=zzzzz")


def test_the_list_costs_the_same_however_many_there_are(cast: Cast) -> None:
    client = as_(cast.sam)
    client.get(PEOPLE)
    with CaptureQueriesContext(
        connection,
    ) as few:
        client.get(PEOPLE)
    for number in range(35):
        owner = make_person(f"p{number:02}", team=cast.finance)
        make_agent(f"agent-{number}", owner=owner)
    with CaptureQueriesContext(connection) as many:
        page = client.get(PEOPLE).content.decode()
    assert len(few) == len(many)
    following = re.search(r'rel="next" href="([^"]+)"', page)
    assert following is not None
    assert "sue@acme.test" in page_of(cast.sam, PEOPLE + following.group(1).replace("&amp;", "&"))


def test_only_the_platform_invites(cast: Cast) -> None:
    url = reverse("registry:invite")
    for person in (cast.alice, cast.sam, cast.ann):
        assert as_(person).get(url).status_code == 403
        assert as_(person).post(url, {"email": "new@acme.test"}).status_code == 403
    assert not Person.objects.filter(email="new@acme.test").exists()


def test_an_invitation_makes_an_account_and_shows_its_link_once(cast: Cast) -> None:
    given = {
        "email": "New@acme.test", "name": "New", "team": "finance", "roles": ["security"],
    }  # fmt: skip
    response = as_(cast.pat).post(reverse("registry:invite"), given)
    page = response.content.decode()
    link = re.search(r"/enter/[\w-]+/", page)
    assert link is not None
    assert response["Cache-Control"] == "no-store"
    person = Person.objects.get(email="new@acme.test")
    assert (person.roles, person.team) == (["employee", "security"], cast.finance)
    entered = Client()
    assert entered.post(link.group())["Location"] == reverse("registry:welcome")
    assert entered.session["_auth_user_id"] == str(person.pk)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"email": "alice@acme.test"}, "has an account already"),
        ({"email": "no-address"}, "valid email address"),
        ({"email": "x@acme.test", "team": "no-team"}, "Select a valid choice"),
        ({"email": "x@acme.test", "roles": ["root"]}, "Select a valid choice"),
        ({"email": "x@acme.test", "name": "\u200bx"}, "cannot be seen"),
    ],
)
def test_an_invitation_that_is_wrong_says_where_and_loses_nothing(
    cast: Cast, given: dict[str, object], said: str
) -> None:
    response = as_(cast.pat).post(reverse("registry:invite"), given)
    assert response.status_code == 422
    assert said in response.content.decode()
    assert str(given["email"]) in response.content.decode()


def test_a_persons_page_shows_their_agents(cast: Cast) -> None:
    make_agent("invoice-sorter", owner=cast.alice, backup_owner=cast.bob)
    page = page_of(cast.mallory, f"{PEOPLE}{cast.bob.public_id}/")
    assert "Invoice sorter" in page
    assert "backup owner" in page
    assert "Deactivate" not in page
    assert "Roles" not in page


def test_roles_are_changed_by_the_platform_alone(cast: Cast) -> None:
    url = reverse("registry:person-change", args=[cast.alice.public_id])
    given = {"name": "Alice", "team": "finance", "roles": ["security"]}
    for person in (cast.alice, cast.sam, cast.mallory):
        assert as_(person).post(url, given).status_code == 403
    assert as_(cast.pat).post(url, given).status_code == 302
    cast.alice.refresh_from_db()
    assert cast.alice.roles == ["employee", "security"]


def test_the_last_administrator_stays(cast: Cast) -> None:
    url = reverse("registry:person-change", args=[cast.pat.public_id])
    response = as_(cast.pat).post(url, {"name": "Pat", "team": "", "roles": []})
    assert response.status_code == 422
    assert "Give somebody else the platform role first" in response.content.decode()


def test_deactivating_ends_sessions_and_names_what_is_left(cast: Cast) -> None:
    make_agent("orphan", owner=cast.bob)
    bob, url = as_(cast.bob), f"{PEOPLE}{cast.bob.public_id}/"
    assert as_(cast.sam).post(url + "deactivate/").status_code == 403
    done = as_(cast.pat).post(url + "deactivate/", follow=True).content.decode()
    assert "One agent needs another owner" in done
    assert bob.get(PEOPLE).status_code == 302
    as_(cast.pat).post(url + "reactivate/")
    cast.bob.refresh_from_db()
    assert cast.bob.is_active
    assert bob.get(PEOPLE).status_code == 302
    link = as_(cast.pat).post(url + "signin-link/").content.decode()
    assert "/enter/" in link


def test_somebody_who_is_not_there_is_a_page_that_says_so(cast: Cast) -> None:
    response = as_(cast.alice).get(f"{PEOPLE}per_nobody/")
    assert response.status_code == 404
    assert "There is no person" in response.content.decode()


def test_colleagues_are_suggested_by_a_part_of_their_name(cast: Cast) -> None:
    page = page_of(cast.mallory, "/people/suggest/?backup_owner=bo")
    assert 'value="bob@acme.test"' in page
    assert "alice@" not in page


def test_teams_are_listed_and_added_by_the_platform(cast: Cast) -> None:
    make_agent("counted", owner=cast.alice)
    page = page_of(cast.mallory, "/people/teams/")
    assert "Finance" in page
    assert "Add a team" not in page
    add = reverse("registry:team-add")
    assert as_(cast.mallory).post(add, {"name": "Legal"}).status_code == 403
    assert as_(cast.pat).post(add, {"name": "Legal"}).status_code == 302
    twice = as_(cast.pat).post(add, {"name": "legal"})
    assert twice.status_code == 422
    assert "already" in twice.content.decode()
    assert Team.objects.filter(slug="legal").count() == 1


def test_teams_cost_the_same_however_many_there_are(cast: Cast) -> None:
    client = as_(cast.alice)
    client.get("/people/teams/")
    with CaptureQueriesContext(connection) as few:
        client.get("/people/teams/")
    for number in range(35):
        make_team(f"Team {number}")
    with CaptureQueriesContext(connection) as many:
        client.get("/people/teams/")
    assert len(few) == len(many)


def test_nobody_sees_people_without_signing_in(db: None) -> None:
    for url in (PEOPLE, "/people/teams/", "/people/invite/", "/people/suggest/", "/people/x/"):
        assert Client().get(url)["Location"].startswith("/signin/?next=")
