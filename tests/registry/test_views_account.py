from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from registry.models import Person, PersonToken
from tests.factories import Cast, make_token

OLD = "a long and winding road"
NEW = "another long and winding road"


@pytest.fixture
def alice(client: Client, cast: Cast) -> Person:
    cast.alice.set_password(OLD)
    cast.alice.save(update_fields=["password"])
    client.force_login(cast.alice)
    return cast.alice


def test_name_and_time_zone_are_ones_own_to_change(client: Client, alice: Person) -> None:
    given = {"name": "Alice A.", "time_zone": "Europe/Berlin"}
    assert client.post(reverse("registry:account-profile"), given).status_code == 302
    alice.refresh_from_db()
    assert (alice.name, alice.time_zone) == ("Alice A.", "Europe/Berlin")
    page = client.get(reverse("registry:person", args=[alice.public_id])).content.decode()
    assert 'data-zone="Europe/Berlin"' in page
    assert re.search(r"\d\d:\d\d (CET|CEST)", page)


def test_a_name_that_hides_something_is_refused_and_not_lost(client: Client, alice: Person) -> None:
    given = {"name": "Al\u202eice", "time_zone": "UTC"}
    response = client.post(reverse("registry:account-profile"), given)
    assert response.status_code == 422
    assert "cannot be seen" in response.content.decode()


def test_a_new_password_needs_the_old_one_and_ends_other_sessions(
    client: Client, alice: Person
) -> None:
    other = Client()
    other.force_login(alice)
    given = {"current": "wrong", "password": NEW, "again": NEW}
    refused = client.post(reverse("registry:account-password"), given)
    assert refused.status_code == 422
    assert "not right" in refused.content.decode()
    unlike = given | {"current": OLD, "again": "something else"}
    assert client.post(reverse("registry:account-password"), unlike).status_code == 422
    done = client.post(reverse("registry:account-password"), given | {"current": OLD})
    assert done.status_code == 302
    assert client.get(reverse("registry:account")).status_code == 200
    assert other.get(reverse("registry:account")).status_code == 302


def test_a_token_is_shown_once_and_works(client: Client, alice: Person) -> None:
    given = {"token-name": "Pipeline", "token-expires_in_days": "30", "token-roles": ["employee"]}
    response = client.post(reverse("registry:account-tokens"), given)
    text = re.search(r"ust_[A-Za-z0-9_]+", response.content.decode())
    assert text is not None
    assert response["Cache-Control"] == "no-store"
    asked = Client().get("/api/v1/me", headers={"Authorization": f"Bearer {text.group()}"})
    assert asked.json()["email"] == alice.email
    again = client.get(reverse("registry:account")).content.decode()
    assert "Pipeline" in again
    assert text.group() not in again


def test_a_token_never_carries_a_role_that_its_person_lacks(client: Client, alice: Person) -> None:
    given = {"token-name": "Sly", "token-expires_in_days": "30", "token-roles": ["security"]}
    assert client.post(reverse("registry:account-tokens"), given).status_code == 422
    assert not PersonToken.objects.exists()


def test_a_token_is_revoked_by_its_person_alone(client: Client, alice: Person, cast: Cast) -> None:
    mine, _ = make_token(alice)
    theirs, _ = make_token(cast.mallory)
    for token in (mine, theirs):
        client.post(reverse("registry:account-token-revoke", args=[token.public_id]))
        token.refresh_from_db()
    assert mine.revoked_at is not None
    assert theirs.revoked_at is None


def test_an_account_is_nobodys_without_signing_in(db: None) -> None:
    for name in ("account", "account-profile", "account-password", "account-tokens", "welcome"):
        url = reverse(f"registry:{name}")
        assert Client().post(url)["Location"].startswith("/signin/")
