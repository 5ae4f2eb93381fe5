from __future__ import annotations

import pytest
from django.test import Client


def test_alive_needs_no_database(client: Client) -> None:
    answer = client.get("/healthz")

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.django_db
def test_ready_means_reachable_and_migrated(client: Client) -> None:
    answer = client.get("/readyz")

    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "sequencer": "stopped"}


@pytest.mark.django_db
def test_an_unapplied_migration_is_not_ready(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import connection

    from config import health

    monkeypatch.setattr(health, "_seen_migrated", False)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'sessions'")

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["missing"] == "migrations"


def test_what_is_not_there_is_a_problem_under_the_api_and_a_page_elsewhere(client: Client) -> None:
    problem = client.get("/api/v1/nothing")
    page = client.get("/nothing")

    assert problem.status_code == page.status_code == 404
    assert problem.headers["Content-Type"] == "application/problem+json"
    assert problem.json()["code"] == "kernel.not_found"
    assert page.headers["Content-Type"].startswith("text/html")


def test_every_answer_carries_the_policy_for_browsers(client: Client) -> None:
    answer = client.get("/healthz")

    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["x-request-id"].startswith("req_")


@pytest.mark.django_db
def test_what_is_asked_with_a_credential_is_never_stored(client: Client) -> None:
    answer = client.get("/api/v1/schema/", headers={"Authorization": "Bearer nothing"})

    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.django_db
def test_the_admin_sends_to_the_one_way_in_and_back(client: Client) -> None:
    answer = client.get("/admin/", follow=True)

    assert [step[0] for step in answer.redirect_chain][-1] in {
        "/signin/?next=/admin/",
        "/signin/?next=%2Fadmin%2F",
    }
