"""The admin: it shows, it never edits, and its buttons call the real actions."""

from __future__ import annotations

import pytest
from auditlog.models import LogEntry
from django.contrib import admin
from django.test import Client

from ledger.models import Entry
from registry.models import Agent, Person
from tests.factories import Cast, make_agent, make_key, make_token

GOVERNED = [model._meta.label_lower.replace(".", "/") for model in admin.site._registry]


@pytest.fixture
def pat(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.pat)
    return client


@pytest.fixture
def agent(cast: Cast) -> Agent:
    made = make_agent("invoice-sorter", owner=cast.alice, backup_owner=cast.bob, stage="live")
    make_key(made)
    return made


@pytest.mark.parametrize("place", GOVERNED)
def test_every_list_shows_and_offers_no_way_to_add(
    pat: Client, agent: Agent, cast: Cast, place: str
) -> None:
    pat.post(f"/admin/registry/agent/{agent.pk}/suspend/", {"reason": "To have an entry."})
    assert pat.get(f"/admin/{place}/").status_code == 200
    assert pat.get(f"/admin/{place}/?q=sorter").status_code == 200
    assert pat.get(f"/admin/{place}/add/").status_code == 403


def test_a_row_is_shown_and_cannot_be_changed_or_deleted(
    pat: Client, agent: Agent, cast: Cast
) -> None:
    token, _ = make_token(cast.alice)
    pages = {
        "registry/agent": agent, "registry/person": cast.alice, "registry/team": cast.finance,
        "registry/agentkey": agent.keys.get(), "registry/persontoken": token,
        "registry/agentversion": agent.versions.get(),
    }  # fmt: skip
    for place, row in pages.items():
        url = f"/admin/{place}/{row.pk}"
        assert pat.get(f"{url}/change/").status_code == 200
        assert pat.post(f"{url}/change/", {"name": "Changed"}).status_code == 403
        assert pat.post(f"{url}/delete/", {"post": "yes"}).status_code == 403


def test_a_key_shows_no_digest(pat: Client, agent: Agent) -> None:
    page = pat.get(f"/admin/registry/agentkey/{agent.keys.get().pk}/change/").content.decode()
    assert "igest" not in page


@pytest.mark.parametrize("who", ["alice", "sam", "ann", "mallory"])
def test_the_admin_is_for_the_platform_role(cast: Cast, agent: Agent, who: str) -> None:
    client = Client()
    client.force_login(getattr(cast, who))
    for path in ("", "registry/agent/", f"registry/agent/{agent.pk}/suspend/", "ledger/entry/"):
        assert client.post(f"/admin/{path}", {"reason": "x"}).status_code == 302
    agent.refresh_from_db()
    assert agent.suspended_at is None


def test_a_step_asks_why_before_it_is_taken(pat: Client, agent: Agent, cast: Cast) -> None:
    url = f"/admin/registry/agent/{agent.pk}/suspend/"
    asked = pat.get(url)
    assert "Every call is refused" in asked.content.decode()
    refused = pat.post(url, {"reason": "  "})
    assert refused.status_code == 422
    agent.refresh_from_db()
    assert agent.suspended_at is None
    done = pat.post(url, {"reason": "Odd traffic."})
    assert done["Location"] == f"/admin/registry/agent/{agent.pk}/change/"
    agent.refresh_from_db()
    assert agent.suspended_reason == "Odd traffic."
    entry = Entry.objects.filter(verb="agent.suspended").get()
    assert entry.actor == str(cast.pat.ref)


def test_a_step_that_is_not_possible_says_why(pat: Client, agent: Agent) -> None:
    response = pat.post(f"/admin/registry/agent/{agent.pk}/resume/", {"reason": "x"})
    assert response.status_code == 422
    assert "cannot be resumed" in response.content.decode()


def test_an_agent_is_killed_and_its_key_revoked_by_the_real_action(
    pat: Client, agent: Agent
) -> None:
    pat.post(f"/admin/registry/agent/{agent.pk}/kill/", {"reason": "Leaked."})
    agent.refresh_from_db()
    assert agent.killed_at is not None
    assert agent.keys.get().revoked_at is not None


def test_a_key_and_a_token_are_revoked(pat: Client, agent: Agent, cast: Cast) -> None:
    key, (token, _) = agent.keys.get(), make_token(cast.alice)
    pat.post(f"/admin/registry/agentkey/{key.pk}/revoke/", {"reason": "Lost."})
    pat.post(f"/admin/registry/persontoken/{token.pk}/revoke/")
    key.refresh_from_db()
    token.refresh_from_db()
    assert key.revoked_reason == "Lost."
    assert token.revoked_at is not None


def test_an_account_is_closed_and_opened(pat: Client, cast: Cast) -> None:
    pat.post(f"/admin/registry/person/{cast.bob.pk}/deactivate/")
    assert not Person.objects.get(pk=cast.bob.pk).is_active
    pat.post(f"/admin/registry/person/{cast.bob.pk}/reactivate/")
    assert Person.objects.get(pk=cast.bob.pk).is_active
    last = pat.post(f"/admin/registry/person/{cast.pat.pk}/deactivate/")
    assert "Give somebody else the platform role first" in last.content.decode()


def test_the_history_shows_what_changed_field_by_field(pat: Client, cast: Cast) -> None:
    client = Client()
    client.force_login(cast.alice)
    client.post("/account/profile/", {"name": "Alice Renamed", "time_zone": "UTC"})
    entry = LogEntry.objects.get_for_object(cast.alice).latest("timestamp")
    assert entry.changes == {"name": ["Alice", "Alice Renamed"]}
    assert entry.actor == cast.alice
    page = pat.get(f"/admin/registry/person/{cast.alice.pk}/history/").content.decode()
    assert "Alice Renamed" in page


def test_no_password_reaches_the_history(cast: Cast) -> None:
    cast.alice.set_password("a long and winding road")
    cast.alice.save(update_fields=["password"])
    assert not LogEntry.objects.filter(changes__has_key="password").exists()
