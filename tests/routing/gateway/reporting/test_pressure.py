"""Much at once, and a ledger that is down: calls go on, nothing is said that is not so."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from typing import Any

import pytest

from bench.gateway.rig import Rig, World
from tests.rigs import CopiedRig
from tests.routing.gateway.conftest import Client, ServedGateway, eventually
from tests.routing.gateway.reporting.conftest import (
    STEP,
    batch,
    export,
    in_protobuf,
    report,
    reports,
    span,
    steps,
)
from tests.routing.gateway.test_streams import open_payload

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("outages")]


def test_ten_thousand_spans_do_not_keep_calls_waiting(agent) -> None:
    raw = in_protobuf(batch(*(span(f"tool {number}") for number in range(10_000))))
    got: list[Any] = []
    sending = threading.Thread(target=lambda: got.append(export(agent, raw, packed=True)))
    started = time.perf_counter()
    sending.start()
    beside = []
    while sending.is_alive():
        beside.append(timed(agent))
    sending.join()
    took = time.perf_counter() - started
    assert got[0].status == 200, got[0].body
    assert len(steps(agent)) == 10_000
    # Not a benchmark: beside a batch that kept the loop, one call would take as long as it.
    assert len(beside) > 5
    assert max(beside) < 0.8 * took


def timed(agent: Any) -> float:
    started = time.perf_counter()
    assert agent.chat().status == 200
    return time.perf_counter() - started


@contextmanager
def gateway_at(rig: Rig, **over: Any):
    gateway = ServedGateway(rig, **over)
    gateway.start()
    try:
        yield gateway
    finally:
        gateway.stop()


def test_an_agent_that_reports_too_much_is_told_when_to_come_back(rig, make_agent) -> None:
    with gateway_at(rig) as gateway:
        gateway.process.parts().reporting._desk._pace._most = 60.0
        agent, other = make_agent(gateway.port), make_agent(gateway.port)
        document = batch(*(span() for _ in range(100)))
        got = export(agent, document)
        assert (got.status, int(got.headers["retry-after"]) >= 1) == (429, True)
        assert b"routing.reports_throttled" in got.body
        recorded = len(reports(agent))
        assert 60 <= recorded < 100
        assert report(agent, "r", STEP).json["code"] == "routing.reports_throttled"
        assert report(other, "r", STEP).status == 201
        # What is there already costs nothing, and the rest follows when it comes again.
        gateway.process.parts().reporting._desk._pace._left.clear()
        assert export(agent, document).status == 200
        assert len(reports(agent)) == 100


def test_data_protection_holds_for_reports(rig, make_agent, tmp_path) -> None:
    file = tmp_path / "protection.json"
    file.write_text(json.dumps({
        "request": {"card": "redact"}, "response": {"email": "redact", "iban": "block"},
    }))  # fmt: skip
    card, mail, iban = "4111 1111 1111 1111", "ada@example.com", "DE89370400440532013000"
    with gateway_at(rig, protection=file) as gateway:
        agent = make_agent(gateway.port)
        report(agent, "r", STEP | {
            "name": f"pay {card} {iban}", "arguments": {"card": card}, "output": mail,
        })  # fmt: skip
        report(agent, "r", STEP | {"output": f"to {iban}"})
        removed, withheld = reports(agent)
        assert removed["facts"]["name"] == "pay [redacted: card] [redacted: iban]"
        assert set(removed["facts"]["found_in_report"]) == {
            "card:2:redact", "email:1:redact", "iban:1:block",
        }  # fmt: skip
        kept = open_payload(rig, agent.world, removed).decode()
        assert "[redacted: card]" in kept
        assert card not in kept + json.dumps(removed)
        assert mail not in kept
        assert withheld["facts"]["withheld"] is True
        assert withheld["facts"]["found_in_report"] == ["iban:1:block"]
        assert "payload" not in withheld


@pytest.fixture(scope="module")
def own_rig(tmp_path_factory):
    with CopiedRig(tmp_path_factory.mktemp("pressure"), fsync=False) as rig:
        yield rig


def test_without_a_ledger_nothing_is_acknowledged(own_rig) -> None:
    world = World(own_rig)
    seeded = world.add_agent()
    world.close()
    with gateway_at(own_rig) as gateway:
        client = Client(gateway.port, seeded.key)
        eventually(lambda: report(client, "r", STEP).status == 201)
        document = batch(*(span() for _ in range(40)))
        own_rig.postgres.stop()
        try:
            refused = [export(client, document), report(client, "r", STEP)]
            time.sleep(1.2)
            refused += [export(client, document, packed=True), report(client, "r", STEP)]
            assert {got.status for got in refused} == {503}
            assert all(got.headers["retry-after"] for got in refused)
        finally:
            own_rig.spawn()
        eventually(lambda: export(client, document).status == 200)
        assert export(client, document).status == 200
    world = World(own_rig)
    [(count, keys)] = world.query(
        "SELECT count(*), count(DISTINCT report_key) FROM routing_reportedstep"
        " WHERE source = 'otlp'"
    )
    world.close()
    assert (count, keys) == (40, 40)


def test_two_gateways_that_get_one_step_at_once_record_it_once(rig, make_agent) -> None:
    with gateway_at(rig) as one, gateway_at(rig) as two:
        agent = make_agent(one.port)
        other = Client(two.port, agent.key)
        eventually(lambda: other.ask("GET", "/v1/models").status == 200)
        documents = [batch(*(span() for _ in range(20))) for _ in range(5)]
        for document in documents:
            got: list[Any] = []
            both = [
                threading.Thread(target=lambda: got.append(export(agent, document))),  # noqa: B023
                threading.Thread(target=lambda: got.append(export(other, document))),  # noqa: B023
            ]
            for thread in both:
                thread.start()
            for thread in both:
                thread.join()
            assert {answer.status for answer in got} == {200}
            assert {answer.body for answer in got} == {b""}
        assert len(reports(agent)) == 100


def test_an_agent_that_is_suspended_meanwhile_reports_no_more(agent) -> None:
    raw = in_protobuf(batch(*(span() for _ in range(4_000))))
    got: list[Any] = []
    sending = threading.Thread(target=lambda: got.append(export(agent, raw)))
    sending.start()
    eventually(lambda: len(steps(agent)) > 100)
    agent.world.change(
        "UPDATE registry_agent SET suspended_at = now(), suspended_reason = 'x' WHERE id = %s",
        agent.row.pk,
    )
    sending.join()
    assert (got[0].status, b"routing.agent_suspended" in got[0].body) == (403, True)
    assert len(steps(agent)) < 4_000
