from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from ledger.models import Entry
from registry.actions.people import issue_sign_in_link
from registry.actors import Actor
from registry.models import Person
from tests.factories import Cast, make_person

PASSWORD = "a long and winding road"


@pytest.fixture
def alice(cast: Cast) -> Person:
    cast.alice.set_password(PASSWORD)
    cast.alice.save(update_fields=["password"])
    return cast.alice


def sign_in(client: Client, email: str, password: str, **more: str) -> Any:
    given = {"email": email, "password": password} | more
    return client.post(reverse("registry:signin"), given)


def test_the_right_password_lets_somebody_in(client: Client, alice: Person) -> None:
    response = sign_in(client, "Alice@Acme.Test", PASSWORD)
    assert response.status_code == 302
    assert response["Location"] == "/"
    assert client.get(reverse("registry:account")).status_code == 200
    alice.refresh_from_db()
    assert alice.last_login is not None


@pytest.mark.parametrize(("email", "password"), [("alice@acme.test", "x"), ("no@acme.test", "x")])
def test_a_wrong_guess_says_nothing_about_which_half_is_wrong(
    client: Client, alice: Person, email: str, password: str
) -> None:
    response = sign_in(client, email, password)
    assert response.status_code == 401
    assert "E-mail and password do not match an active account" in response.content.decode()
    assert "_auth_user_id" not in client.session


def test_after_too_many_guesses_the_page_says_how_long_to_wait(
    client: Client, alice: Person
) -> None:
    statuses = [sign_in(client, alice.email, "guess").status_code for _ in range(8)]
    assert statuses[0] == 401
    assert statuses[-1] == 429
    response = sign_in(client, alice.email, PASSWORD)
    assert "try again in" in response.content.decode()


def test_a_page_asked_for_comes_after_signing_in(client: Client, alice: Person) -> None:
    asked = client.get("/account/")
    assert asked["Location"] == "/signin/?next=/account/"
    assert sign_in(client, alice.email, PASSWORD, next="/account/")["Location"] == "/account/"


@pytest.mark.parametrize("away", ["https://evil.test/", "//evil.test", "javascript:alert(1)"])
def test_signing_in_never_leads_to_another_site(client: Client, alice: Person, away: str) -> None:
    assert sign_in(client, alice.email, PASSWORD, next=away)["Location"] == "/"


def test_a_link_is_looked_at_without_being_used_up(client: Client, cast: Cast) -> None:
    link = issue_sign_in_link(cast.bob, actor=Actor.system("test"))
    for _ in range(3):
        response = client.get(link.url_path)
        assert response.status_code == 200
        assert "bob@acme.test" in response.content.decode()
        assert response["Referrer-Policy"] == "same-origin"
    entered = client.post(link.url_path)
    assert entered["Location"] == reverse("registry:welcome")
    assert client.session["_auth_user_id"] == str(cast.bob.pk)


def test_a_link_works_once(client: Client, cast: Cast) -> None:
    link = issue_sign_in_link(cast.bob, actor=Actor.system("test"))
    assert client.post(link.url_path).status_code == 302
    again = Client().post(link.url_path)
    assert again.status_code == 401
    assert "does not work any more" in again.content.decode()
    assert Client().get("/enter/half-a-link/").status_code == 401


def test_whoever_came_by_a_link_may_set_a_password(client: Client, cast: Cast) -> None:
    client.post(issue_sign_in_link(cast.bob, actor=Actor.system("test")).url_path)
    page = client.get(reverse("registry:welcome")).content.decode()
    assert "Choose a password" in page
    weak = client.post(reverse("registry:welcome"), {"password": "short", "again": "short"})
    assert weak.status_code == 422
    given = {"password": PASSWORD, "again": PASSWORD}
    assert client.post(reverse("registry:welcome"), given)["Location"] == "/"
    # The session goes on, and the password works.
    assert client.get(reverse("registry:account")).status_code == 200
    assert sign_in(Client(), "bob@acme.test", PASSWORD).status_code == 302


def test_the_welcome_page_is_for_those_who_came_by_a_link(client: Client, alice: Person) -> None:
    client.force_login(alice)
    assert client.get(reverse("registry:welcome"))["Location"] == reverse("registry:account")


def test_signing_out_takes_a_form_and_not_a_link(client: Client, alice: Person) -> None:
    client.force_login(alice)
    assert client.get(reverse("registry:signout")).status_code == 405
    assert client.post(reverse("registry:signout"))["Location"] == reverse("registry:signin")
    assert client.get(reverse("registry:account")).status_code == 302


def test_a_form_without_its_token_changes_nothing(alice: Person) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert sign_in(strict, alice.email, PASSWORD).status_code == 403


def test_a_deactivated_person_is_out_at_once(client: Client, cast: Cast) -> None:
    client.force_login(cast.bob)
    Person.objects.filter(pk=cast.bob.pk).update(deactivated_at=cast.bob.created_at)
    assert client.get(reverse("registry:people")).status_code == 302


def test_the_doors_show_without_an_account(client: Client, db: None) -> None:
    response = client.get(reverse("registry:signin"))
    assert response.status_code == 200
    assert "frame-ancestors 'none'" in response["Content-Security-Policy"]


def test_a_refused_guess_is_on_the_record_without_what_was_typed(
    client: Client, alice: Person
) -> None:
    sign_in(client, "alice@acme.test", "hunter2hunter2")
    entry = Entry.objects.filter(verb="person.sign_in_refused").get()
    assert b"hunter2" not in bytes(entry.header)


def test_an_expired_session_on_a_fragment_sends_the_whole_page_to_sign_in(
    client: Client, db: None
) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/people/?team=x"}
    response = client.get("/people/suggest/", headers=headers)
    assert response["HX-Redirect"].startswith("/signin/?next=/people/")


def test_names_are_written_so_that_they_do_nothing(client: Client, cast: Cast) -> None:
    hostile = make_person("eve")
    Person.objects.filter(pk=hostile.pk).update(name="<script>alert(1)</script>")
    link = issue_sign_in_link(hostile, actor=Actor.system("test"))
    page = client.get(link.url_path).content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
