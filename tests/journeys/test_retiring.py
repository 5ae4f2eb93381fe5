"""The end of an agent, before a gateway that runs: its key opens nothing, its lease is dead.

One agent is retired at once, another on the day that its plan names. What their programs then
get, what the proof says was looked at, and what is still dead when two people bring one back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from html import unescape
from typing import Any, Final
from urllib.parse import parse_qs

import psycopg
import pytest
import requests
from celery import Celery

from config.places import Places
from tests.effects.sinks import Asked, HttpSink, http_sink
from tests.journeys.company import Portal
from tests.journeys.conftest import Caller, Service, smallest_manifest
from tests.journeys.test_kills import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("journeys")]

OWNER, BACKUP = "owner-of-ends@acme.example", "backup-of-ends@acme.example"
SUCCESSOR, AT_ONCE, ON_A_DAY = "ends-next", "ends-at-once", "ends-on-a-day"
PATIENCE: Final = 90.0
TOKEN: Final = "token-of-an-agent-that-ends"


@dataclass
class Desk:
    """A system that lends short tokens, and says which it has taken back."""

    sink: HttpSink
    given: int = 0
    taken_back: list[str] = field(default_factory=list)

    def answer(self, asked: Asked) -> tuple[int, object] | None:
        if asked.path == "/token":
            self.given += 1
            token = f"{TOKEN}-{self.given}"
            return 200, {"access_token": token, "token_type": "Bearer", "expires_in": 3600}
        if asked.path == "/revoke":
            self.taken_back += parse_qs(asked.body.decode())["token"]
            return 200, {}
        return None


@dataclass
class Ending:
    """The agents that end, their people and their keys."""

    service: Service
    desk: Desk
    owner: Caller
    guard: Caller
    portal: Portal
    keys: dict[str, str] = field(repr=False)

    def call(self, name: str, path: str = "chat/completions", **headers: str) -> requests.Response:
        """Ask the gateway as the agent's program does, with the key it always had."""
        body = {
            "model": "sandbox", "max_tokens": 8,
            "messages": [{"role": "user", "content": "Which paper is this?"}],
        }  # fmt: skip
        given = headers or {"authorization": f"Bearer {self.keys[name]}"}
        return requests.post(
            f"{self.service.gateway}/v1/{path}", json=body, headers=given, timeout=60
        )

    def propose(self, name: str, memo: str) -> requests.Response:
        action = {"adapter": "http", "target": "ends.add-note", "arguments": {"memo": memo}}
        body = {"run": f"run-{memo}", "action": action, "idempotency_key": f"{name}-{memo}"}
        answer: requests.Response = Caller(self.service, self.keys[name])("POST", "proposals", body)
        return answer

    def retirement_of(self, name: str) -> dict[str, Any]:
        found = self.owner.must("GET", f"agent-retirements?search={name}")["results"]
        mine = [one for one in found if one["agent"] == name]
        return dict(self.owner.must("GET", f"agent-retirements/{mine[0]['id']}"))

    def until(self, what: str, holds: Callable[[], Any], sweep: str = "retiring.carry_on") -> None:
        """Wait for what the sweeps do, and ring theirs rather than wait for its turn."""
        with Celery(broker=Places(self.service.data).read_runtime().broker_url) as bell:

            def held() -> Any:
                found = holds()
                if not found:
                    bell.send_task(sweep, queue="unsprawl", ignore_result=True)
                return found

            wait_until(what, held, PATIENCE)


@pytest.fixture(scope="module")
def ending(service: Service) -> Iterator[Ending]:
    with ThreadPoolExecutor(3) as threads:  # each is a process of its own
        named = [
            (OWNER, "employee"),
            (BACKUP, "employee"),
            ("sam@acme.example", "security,employee"),
        ]
        owner, _, guard = threads.map(lambda one: service.person(*one), named)
    with http_sink() as sink:
        desk = Desk(sink)
        sink.answer = desk.answer
        _connect(service, desk)
        made = Ending(service, desk, owner, guard, _platform(service), {})
        for name in (SUCCESSOR, AT_ONCE, ON_A_DAY):
            made.keys[name] = _agent(made, name)
        yield made


def _connect(service: Service, desk: Desk) -> None:
    url = desk.sink.url
    admin = service.admin
    lent = {"token_url": f"{url}/token", "revocation_url": f"{url}/revoke", "client_id": "desk"}
    place = {
        "name": "ends", "adapter": "http", "settings": {"base_url": url}, "allow_private": True,
        "credential": "oauth_client", "credential_settings": lent, "secret": "nobody-checks-it",
    }  # fmt: skip
    admin.must("POST", "connections", place)
    memo = {
        "type": "object", "properties": {"memo": {"type": "string"}}, "required": ["memo"],
        "additionalProperties": False,
    }  # fmt: skip
    template = {
        "method": "POST", "path": "/notes", "json": {"memo": {"$argument": "/memo"}},
        "idempotency_header": "Idempotency-Key", "reference": "/id",
    }  # fmt: skip
    operation = {
        "name": "add-note", "effect": "write", "is_reversible": True, "idempotency": "native",
        "arguments_schema": memo, "template": template,
    }  # fmt: skip
    admin.must("POST", "connections/ends/operations", operation)


def _agent(ending: Ending, name: str) -> str:
    manifest = smallest_manifest(name, OWNER, BACKUP)
    manifest["spec"]["tools"] = [{"name": "ends.add-note"}]
    ending.owner.must("POST", "agents", manifest)
    asked = {"justification": "Each has its own papers."}
    review = ending.owner.must("POST", f"agents/{name}/submit", asked)
    _agree(ending.guard, review["id"])
    return str(ending.owner.must("POST", f"agents/{name}/keys", {})["key"])


def _agree(person: Caller, review: str) -> Any:
    said = {"decision": "approve", "comment": "Looked at."}
    return person.must("POST", f"reviews/{review}/decisions", said)


def _lends(ending: Ending, name: str) -> str:
    """Have the agent do something at the desk; return the lease that stays open for it."""
    made = ending.propose(name, f"done-by-{name}")
    assert made.ok, made.text
    _agree(ending.guard, made.json()["review_url"].rstrip("/").rpartition("/")[2])
    one = Caller(ending.service, ending.keys[name])
    ending.until(
        "it is done",
        lambda: one.must("GET", f"proposals/{made.json()['id']}")["state"] == "succeeded",
        "effects.carry_out_waiting",
    )
    (lease,) = ending.owner.must("GET", f"leases?agent={name}")["results"]
    assert lease["state"] == "active"
    return str(lease["id"])


def _is_dead(ending: Ending, name: str) -> None:
    """Its key is refused by every door, with the words that the docs promise."""
    key = ending.keys[name]
    for refused in (
        ending.call(name),
        ending.call(name, **{"x-api-key": key}),
        ending.call(name, "messages", **{"x-api-key": key}),
    ):
        assert refused.status_code == 403, refused.text
        assert "agent_retired" in refused.text
        assert f"Its successor is agent {SUCCESSOR}." in refused.text
    said = ending.call(name).json()["error"]
    assert said["code"] == "agent_retired", said
    assert ending.propose(name, "too-late").status_code in {401, 403}


def _is_proven(ending: Ending, name: str, lease: str) -> str:
    """The tombstone says what was looked at, and it is so; return its id."""
    ending.until("it is proven dead", lambda: ending.retirement_of(name)["proof"].get("contained"))
    row = ending.retirement_of(name)
    paths = {one["path"]: one for one in row["proof"]["paths"]}
    (gateway,) = [path for path in paths if path.startswith("gateway ")]
    assert {paths[gateway]["state"], paths["leases"]["state"]} == {"contained"}, row["proof"]
    assert [
        one["name"] for one in row["steps"] if not one["done_at"] and one["name"] != "data"
    ] == []

    ending.until(
        "its lease is dead",
        lambda: ending.owner.must("GET", f"leases/{lease}")["state"] == "revoked",
        "credentials.end_leases",
    )
    assert len(ending.desk.taken_back) == len(set(ending.desk.taken_back))
    keys = ending.owner.must("GET", f"agents/{name}/keys")["results"]
    assert all(one["revoked_at"] for one in keys)

    page = _words(ending, f"/retirements-of-agents/{row['id']}/")
    assert "Proven dead in" in page
    for path, found in paths.items():
        assert f"{path} : closed" in page or f"{path}: closed" in page, (path, found, page)
    return str(row["id"])


def _platform(service: Service) -> Portal:
    pat = {"email": "pat-of-ends@acme.example", "roles": ["platform", "employee"]}
    person = service.admin.must("POST", "people", pat)["id"]
    return Portal(service, service.admin.must("POST", f"people/{person}/signin-link", {})["url"])


def _words(ending: Ending, path: str) -> str:
    """Return what a page of the portal says to the platform team."""
    text = unescape(ending.portal.read(path).text)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def test_a_key_of_an_agent_retired_at_once_opens_nothing_and_two_people_bring_it_back(
    ending: Ending,
) -> None:
    name = AT_ONCE
    assert ending.call(name).status_code == 200
    lease = _lends(ending, name)
    waiting = ending.propose(name, "never-decided").json()
    taken = len(ending.desk.taken_back)

    ending.owner.must(
        "POST", f"agents/{name}/retire", {"reason": "Replaced.", "successor": SUCCESSOR}
    )

    wait_until("its key opens nothing", lambda: ending.call(name).status_code == 403, PATIENCE)
    _is_dead(ending, name)
    retirement = _is_proven(ending, name, lease)
    assert len(ending.desk.taken_back) == taken + 1
    assert ending.owner.must("GET", f"proposals/{waiting['id']}")["state"] == "withdrawn"
    assert ending.call(SUCCESSOR).status_code == 200

    asked = ending.owner.must(
        "POST", f"agent-retirements/{retirement}/restore", {"reason": "Still needed."}
    )
    own = ending.owner("POST", f"reviews/{asked['review']}/decisions", {"decision": "approve"})
    assert own.status_code == 403, own.text
    _agree(ending.guard, asked["review"])

    back = ending.owner.must("GET", f"agents/{name}")
    assert back["stage"] == "soft_launch"
    wait_until("it is known to be back", lambda: "retired" not in ending.call(name).text, PATIENCE)
    refused = ending.call(name)
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "key_revoked")
    ending.keys[name] = ending.owner.must("POST", f"agents/{name}/keys", {})["key"]
    wait_until("a new key opens", lambda: ending.call(name).status_code == 200, PATIENCE)
    assert ending.owner.must("GET", f"leases/{lease}")["state"] == "revoked"


def test_on_its_day_an_agent_drains_and_then_its_key_opens_nothing(ending: Ending) -> None:
    name = ON_A_DAY
    run = {"authorization": f"Bearer {ending.keys[name]}", "x-unsprawl-run": "month-end"}
    assert ending.call(name, **run).status_code == 200
    lease = _lends(ending, name)
    planned = {"reason": "Replaced.", "on": "2099-01-01", "successor": SUCCESSOR}
    late = ending.owner("POST", f"agents/{name}/deprecate", planned)
    assert late.json()["code"] == "fleet.plan_unusable"
    _plan(ending, name, planned)
    wait_until(
        "its callers read the day", lambda: "x-unsprawl-agent-sunset" in ending.call(name).headers,
        PATIENCE,
    )  # fmt: skip

    _let_the_day_come(ending, name, drained=False)
    wait_until("no run begins", lambda: ending.call(name).status_code == 403, PATIENCE)
    assert ending.call(name).json()["error"]["code"] == "agent_draining"
    assert ending.call(name, **run).status_code == 200, "what ran may end"

    _let_the_day_come(ending, name, drained=True)
    ending.until("it is retired", lambda: ending.retirement_of(name)["state"] == "retired")
    wait_until("its run is over", lambda: ending.call(name, **run).status_code == 403, PATIENCE)
    _is_dead(ending, name)
    _is_proven(ending, name, lease)


def _plan(ending: Ending, name: str, planned: dict[str, Any]) -> None:
    tomorrow = _in_database(ending, "SELECT (current_date + 2)::text")
    ending.owner.must("POST", f"agents/{name}/deprecate", planned | {"on": tomorrow})


def _let_the_day_come(ending: Ending, name: str, *, drained: bool) -> None:
    """Move the day that was planned to the past, as waiting for it would."""
    ago = "2 hours" if drained else "0 seconds"
    _in_database(
        ending,
        f"UPDATE retiring_retirement SET drains_at = now() - interval '{ago}', again_at = NULL"
        f" FROM registry_agent a WHERE a.id = agent_id AND a.name = '{name}';"
        f" UPDATE registry_agent SET ends_at = now() - interval '{ago}' WHERE name = '{name}'"
        " RETURNING name",
    )


def _in_database(ending: Ending, statement: str) -> str:
    place = Places(ending.service.data).read_runtime().database_owner_url
    with psycopg.connect(place, autocommit=True) as database:
        cursor = database.execute(statement.encode())
        while cursor.nextset():
            pass
        row = cursor.fetchone()
    assert row is not None, json.dumps(statement)
    return str(row[0])
