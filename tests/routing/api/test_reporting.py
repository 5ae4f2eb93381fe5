"""Reporting at the portal's address: the gateway takes it, and its answer is handed back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from rest_framework.test import APIClient
from werkzeug import Request, Response

from kernel import clock
from routing.models import ReportedStep
from tests.factories import Cast, client_of, make_agent, make_cast, make_key, make_run

pytestmark = pytest.mark.django_db
STEP = {"type": "tool", "name": "crm.lookup"}


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def agent(cast):
    return make_agent("sorter", owner=cast.alice, backup_owner=cast.bob, stage="live")


@pytest.fixture
def gateway(settings) -> Iterator[HTTPServer]:
    with HTTPServer() as server:
        settings.GATEWAY_INTERNAL_URL = server.url_for("").rstrip("/")
        yield server


def with_key(agent) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {make_key(agent)[1]}")
    return client


def post(client, run="nightly 1", **headers):
    return client.post(
        f"/api/v1/runs/{run}/entries",
        json.dumps(STEP),
        content_type="application/json",
        headers=headers,
    )


def test_a_report_is_handed_over_as_it_came_and_so_is_the_answer(agent, gateway) -> None:
    seen: list[Request] = []

    def take(request: Request) -> Response:
        seen.append(request)
        return Response('{"run": "run_x"}', 201, {"x-unsprawl-run": "run_x"}, "application/json")

    gateway.expect_request("/api/v1/runs/nightly%2F1/entries").respond_with_handler(take)
    gateway.expect_request("/api/v1/runs/nightly/1/entries").respond_with_handler(take)
    got = post(with_key(agent), "nightly/1", **{"Idempotency-Key": "k", "X-Other": "no"})
    assert (got.status_code, got.json(), got["x-unsprawl-run"]) == (201, {"run": "run_x"}, "run_x")
    [request] = seen
    assert json.loads(request.get_data()) == STEP
    assert request.headers["idempotency-key"] == "k"
    assert request.headers["authorization"].startswith("Bearer usp_")
    assert "x-other" not in request.headers


def test_what_the_gateway_refuses_is_refused_here_in_its_words(agent, gateway) -> None:
    problem = {"status": 429, "code": "routing.reports_throttled"}
    headers = {"retry-after": "7", "x-unsprawl-error": "routing.reports_throttled"}
    gateway.expect_request("/api/v1/runs/r/entries").respond_with_json(
        problem, 429, headers, "application/problem+json"
    )
    got = post(with_key(agent), "r")
    assert (got.status_code, got.json(), got["retry-after"]) == (429, problem, "7")


def test_what_is_not_the_gateway_is_not_believed(agent, gateway) -> None:
    gateway.expect_request("/api/v1/runs/r/entries").respond_with_data("<html>", 502)
    got = post(with_key(agent), "r")
    assert (got.status_code, got.json()["code"]) == (503, "routing.gateway_unreachable")


def test_without_a_gateway_nothing_is_taken(agent, settings) -> None:
    settings.GATEWAY_INTERNAL_URL = "http://127.0.0.1:9"
    assert post(with_key(agent), "r").json()["code"] == "routing.gateway_unreachable"


def test_people_do_not_report_and_agents_read_runs_of_their_own_only(agent, cast, gateway) -> None:
    assert post(client_of(cast.alice), "r").status_code == 401
    assert post(APIClient(), "r").status_code == 401
    assert with_key(agent).get("/api/v1/runs/r/entries").status_code == 404


def test_a_body_beyond_the_limit_is_refused_here(agent, gateway) -> None:
    got = with_key(agent).post(
        "/api/v1/runs/r/entries", b"x" * (4 * 1024 * 1024 + 1), content_type="application/json"
    )
    assert (got.status_code, got.json()["code"]) == (413, "kernel.body_too_large")


def test_a_run_says_what_was_reported_in_it_apart(agent, cast) -> None:
    run = make_run(agent, "mixed")
    further: list[dict[str, Any]] = [
        {"input_tokens": 100, "cost_micros": 5}, {"input_tokens": 900, "observed": "ent_x"},
        {"status": "error", "cost_micros": 7, "currency": "EUR"},
    ]  # fmt: skip
    for number, more in enumerate(further):
        ReportedStep.objects.create(
            **{"entry_id": f"ent_{number}", "agent_id": agent.public_id, "run_id": run.run_id,
               "report_key": f"k{number}", "source": "otlp", "type": "model", "name": "n",
               "status": "ok", "recorded_at": clock.now()} | more
        )  # fmt: skip
    told = client_of(cast.alice).get(f"/api/v1/runs/{run.run_id}").json()
    assert told["reported_use"] == {
        "steps": 3, "failed": 1, "observed": 1, "input_tokens": 100, "output_tokens": 0,
        "cost_micros": {"EUR": 7, "USD": 5},
    }  # fmt: skip
    assert (told["cost_micros"], told["input_tokens"]) == (0, 0)
