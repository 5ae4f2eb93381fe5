"""An action, end to end: proposed over HTTP, approved by people, done once at a real system.

The processes are those of ``make run``, and so is what kills them. The broker is stopped with
the doorbell in its ear, the web process is killed behind its commit, and everything is started
anew while something waits.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
import requests

from config.places import Places
from tests.effects.sinks import HttpSink, http_sink
from tests.journeys.conftest import Caller, Service, smallest_manifest
from tests.journeys.test_kills import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("journeys")]

SECRET = "tool-canary-1c55e0f2a9d84b71"
STORY = [
    "proposal.made",
    "proposal.judged",
    "proposal.approved",
    "effect.begun",
    "effect.succeeded",
]
DONE_WITHIN = 60.0


@dataclass
class Desk:
    """An agent with a key of its own, its owner, who decides, and the system it acts on."""

    service: Service
    owner: Caller
    guard: Caller
    sink: HttpSink
    key: str = field(repr=False)

    def propose(self, number: int, **over: Any) -> dict[str, Any]:
        action = {"adapter": "http", "target": "desk.add-note", "arguments": {"memo": f"n{number}"}}
        body = {"run": f"errand-{number}", "action": action | over, "idempotency_key": f"k{number}"}
        return dict(Caller(self.service, self.key).must("POST", "proposals", body))

    def stands(self, made: dict[str, Any]) -> dict[str, Any]:
        return dict(Caller(self.service, self.key).must("GET", f"proposals/{made['id']}"))

    def decide(self, made: dict[str, Any], decision: str = "approve", **more: Any) -> Any:
        review = made["review_url"].rstrip("/").rpartition("/")[2]
        said = {"decision": decision, **more}
        return self.guard("POST", f"reviews/{review}/decisions", said)

    def done_with(self, memo: str) -> int:
        return sum(asked.json()["memo"] == memo for asked in self.sink.done)

    def succeeds(self, made: dict[str, Any]) -> None:
        wait_until(
            f"{made['id']} is done", lambda: self.stands(made)["state"] == "succeeded", DONE_WITHIN
        )


@pytest.fixture(scope="module")
def desk(service: Service) -> Iterator[Desk]:
    owner = service.person("owner-of-desk-clerk@acme.example", "employee")
    service.person("backup-of-desk-clerk@acme.example", "employee")
    guard = service.person("sam@acme.example", "security,employee")
    with http_sink() as sink:
        connect(service, sink)
        manifest = smallest_manifest(
            "desk-clerk", "owner-of-desk-clerk@acme.example", "backup-of-desk-clerk@acme.example"
        )
        manifest["spec"]["tools"] = [{"name": "desk.add-note"}]
        owner.must("POST", "agents", manifest)
        review = owner.must("POST", "agents/desk-clerk/submit", {"justification": "Only this."})
        guard.must("POST", f"reviews/{review['id']}/decisions", {"decision": "approve"})
        key = owner.must("POST", "agents/desk-clerk/keys", {})["key"]
        yield Desk(service, owner, guard, sink, key)


def connect(service: Service, sink: HttpSink) -> None:
    text = {"type": "string"}
    schema = {
        "type": "object",
        "properties": {"memo": text},
        "required": ["memo"],
        "additionalProperties": False,
    }
    template = {
        "method": "POST",
        "path": "/notes",
        "json": {"memo": {"$argument": "/memo"}},
        "idempotency_header": "Idempotency-Key",
        "reference": "/id",
    }
    place = {
        "name": "desk",
        "adapter": "http",
        "settings": {"base_url": sink.url},
        "allow_private": True,
        "credential": "static",
        "credential_settings": {"header": "X-Api-Key"},
        "secret": SECRET,
    }
    service.admin.must("POST", "connections", place)
    for name in ("add-note", "drop-note"):
        operation = {
            "name": name,
            "effect": "write",
            "is_reversible": True,
            "idempotency": "native",
            "arguments_schema": schema,
            "template": template,
        }
        service.admin.must("POST", "connections/desk/operations", operation)


def test_what_people_approve_is_done_once_and_is_on_record(desk: Desk) -> None:
    made = desk.propose(1)
    assert made["state"] == "proposed"
    assert not desk.sink.done
    assert desk.decide(made).ok

    desk.succeeds(made)

    sent = desk.sink.done[-1]
    assert (sent.json(), sent.headers["x-api-key"]) == ({"memo": "n1"}, SECRET)
    assert desk.propose(1)["state"] == "succeeded"  # the same request again is answered, not done
    assert desk.done_with("n1") == 1
    entries = desk.owner.must("GET", "runs/errand-1/entries")["results"]
    assert [entry["verb"] for entry in entries] == STORY
    assert desk.service.manage("verify").returncode == 0


def test_what_policy_denies_is_explained_and_not_done(desk: Desk) -> None:
    denied = desk.propose(2, target="desk.drop-note")

    assert (denied["state"], denied["rule"]) == ("denied", "actions.tool_undeclared")
    assert "desk.drop-note" in denied["reason"]
    assert desk.stands(denied)["reason"] == denied["reason"]
    refused = desk.propose(3)
    desk.decide(refused, "reject", comment="Not on a Sunday.")
    told = desk.stands(refused)
    assert (told["state"], told["decided_by"]) == ("denied", "people")
    assert desk.done_with("n2") + desk.done_with("n3") == 0


def approved_in(database: psycopg.Connection[Any], made: dict[str, Any]) -> bool:
    found = database.execute(
        "SELECT state <> 'proposed' FROM effects_proposal WHERE public_id = %s", (made["id"],)
    ).fetchone()
    return found == (True,)


def test_a_web_process_killed_between_commit_and_doorbell_loses_nothing(desk: Desk) -> None:
    made = desk.propose(4)
    places = Places(desk.service.data)
    running = places.read_runtime()
    broker, web = running.pids["broker"][0], running.pids["web"][0]
    cut: list[BaseException] = []

    def approve() -> None:
        try:
            desk.decide(made)
        except requests.RequestException as error:
            cut.append(error)

    os.kill(broker, signal.SIGSTOP)  # it takes no message from here on
    asking = threading.Thread(target=approve)
    asking.start()
    with psycopg.connect(running.database_owner_url, autocommit=True) as database:
        wait_until("it is committed", lambda: approved_in(database, made), 120)
    os.kill(web, signal.SIGKILL)
    os.kill(broker, signal.SIGKILL)  # and what it was told has gone with it
    asking.join(60)

    assert cut, "the answer was lost with the process"
    wait_until("all is back", desk.service._is_ready, 180)
    desk.succeeds(made)
    assert desk.done_with("n4") == 1


def test_what_waits_outlives_a_restart_of_everything(desk: Desk) -> None:
    made = desk.propose(5)
    desk.service.stop()
    desk.service.start()

    assert desk.stands(made)["state"] == "proposed"
    assert desk.decide(made).ok
    desk.succeeds(made)
    assert desk.done_with("n5") == 1
    entries = desk.owner.must("GET", "runs/errand-5/entries")["results"]
    assert [entry["verb"] for entry in entries] == STORY
