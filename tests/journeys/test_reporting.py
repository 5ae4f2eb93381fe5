"""What an agent does elsewhere, on record through either address and provable like the rest."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests

from tests.journeys.conftest import Service, approved_agent
from tests.routing.gateway.reporting.conftest import batch, in_protobuf, span

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("journeys")]


def test_an_agent_reports_at_both_addresses_and_the_run_shows_it(service: Service) -> None:
    stranger = service.person("mallory@acme.example", "employee")
    owner, held = approved_agent(service, "reporter")
    key = {"authorization": f"Bearer {held}"}
    step = {"type": "tool", "name": "crm.lookup", "idempotency_key": "lookup-1"}
    told = []
    for base in (service.web, service.gateway, service.web):
        got = requests.post(
            f"{base}/api/v1/runs/case 7/entries", json=step, headers=key, timeout=30
        )
        told.append((got.status_code, got.json()))
    assert [status for status, _ in told] == [201, 200, 200]
    assert len({answer["entries"][0]["id"] for _, answer in told}) == 1
    spans = in_protobuf(batch(span("send_mail"), span("GET", said={"http.request.method": "GET"})))
    headers = key | {"content-type": "application/x-protobuf", "x-unsprawl-run": "case 7"}
    sent = requests.post(f"{service.gateway}/v1/traces", spans, headers=headers, timeout=30)
    assert (sent.status_code, sent.content) == (200, b"")

    run = told[0][1]["run"]
    entries: list[dict[str, Any]] = owner.must("GET", f"runs/{run}/entries?kind=report")["results"]
    assert [one["facts"]["name"] for one in entries] == ["crm.lookup", "send_mail"]
    assert all(one["facts"]["reported"] is True for one in entries)
    assert owner.must("GET", f"runs/{run}")["reported_use"]["steps"] == 2
    assert stranger("GET", f"runs/{run}/entries").status_code == 404
    assert service.manage("verify").returncode == 0

    refused = requests.post(
        f"{service.web}/api/v1/runs/r/entries", json=step | {"type": "result"}, headers=key,
        timeout=30,
    )  # fmt: skip
    assert refused.status_code == 400
    assert refused.json()["code"] == "routing.report_unreadable"
    owner.must("POST", "agents/reporter/suspend", {"reason": "It runs wild."})
    for base in (service.web, service.gateway):
        until = time.monotonic() + 60
        while True:
            got = requests.post(f"{base}/api/v1/runs/r/entries", json=step, headers=key, timeout=30)
            if got.status_code in {401, 403}:
                break
            assert time.monotonic() < until, got.status_code
            time.sleep(0.05)
