"""kill -9 of every process and of PostgreSQL under load: what was acknowledged is on record.

The real service under its real supervisor. Agents call through the gateway, an employee
registers agents, and one process after the other is killed without warning. Afterwards
every acknowledgement is looked up, and the whole ledger, tree and witness included, must
hold. Each is killed once; ``UNSPRAWL_SOAK_KILLS`` says how many in all (`make soak`: 200).
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
import requests

from config.places import Places
from tests.journeys.conftest import (
    Caller,
    Service,
    approved_agent,
    smallest_manifest,
)
from tests.ports import free_port

KILLS: Final = int(os.environ.get("UNSPRAWL_SOAK_KILLS", "0"))  # or each process once
CALLERS: Final = 6
AGAIN_WITHIN: Final = 180.0
CLOSED_WITHIN: Final = 240.0

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("journeys")]


@pytest.fixture(scope="module")
def own_service() -> Iterator[Service]:
    """Yield a service that nobody else minds being killed."""
    with tempfile.TemporaryDirectory(prefix="unsprawl-kills-") as directory:
        running = Service(
            Path(directory), free_port(), free_port(), bootstrap=secrets.token_urlsafe(32)
        )
        running.start()
        try:
            yield running
        finally:
            running.stop()


@dataclass
class Acknowledged:
    """What somebody was told is done."""

    entries: list[str] = field(default_factory=list)
    agents: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    over: threading.Event = field(default_factory=threading.Event)


def call_on(service: Service, key: str, told: Acknowledged, *, streams: bool) -> None:
    """Call as fast as answers come; an answer counts when it was complete."""
    body = {"model": "sandbox", "messages": [{"role": "user", "content": "Go on."}]}
    while not told.over.is_set():
        try:
            with requests.post(
                f"{service.gateway}/v1/chat/completions",
                json=body | ({"stream": True} if streams else {}),
                headers={"Authorization": f"Bearer {key}"},
                timeout=20,
            ) as answer:
                is_whole = not streams or answer.content.rstrip().endswith(b"[DONE]")
                if answer.status_code == 200 and is_whole:
                    told.entries.append(answer.headers["x-unsprawl-entry"])
                    continue
                told.refused[str(answer.status_code)] += 1
        except (requests.RequestException, http.client.HTTPException) as error:
            told.refused[type(error).__name__] += 1
        time.sleep(0.02)


def register_on(owner: Caller, email: str, backup: str, told: Acknowledged) -> None:
    """Register agents; one that was answered with 201 must be there."""
    number = 0
    while not told.over.is_set():
        number += 1
        name = f"survivor-{number}"
        with suppress(requests.RequestException):
            answer = owner("POST", "agents", smallest_manifest(name, email, backup))
            if answer.status_code == 201:
                told.agents.append(name)
        time.sleep(0.1)


def wait_until(what: str, holds: Callable[[], Any], seconds: float) -> float:
    """Return how long it took until something held."""
    started = time.monotonic()
    while not holds():
        assert time.monotonic() - started < seconds, f"{what}: not within {seconds:g} s"
        time.sleep(0.1)
    return time.monotonic() - started


def kill_one(service: Service, name: str) -> float:
    """Kill a process by name; return the seconds until it and both doors are there again."""
    places = Places(service.data)
    pid = places.read_runtime().pids[name][0]
    with suppress(ProcessLookupError):  # it ended with what was killed before
        os.kill(pid, signal.SIGKILL)

    def is_back() -> bool:
        known = places.read_runtime().pids.get(name)
        return known is not None and known[0] != pid and service._is_ready()

    try:
        return wait_until(f"{name} is back", is_back, AGAIN_WITHIN)
    except AssertionError:
        raise AssertionError(f"{name}:\n{service.log.read_text()[-3000:]}") from None


def test_whatever_is_killed_nothing_acknowledged_is_lost(
    own_service: Service, record_property: Callable[[str, object], None]
) -> None:
    service = own_service
    owner, key = approved_agent(service, "steady-caller")
    told = Acknowledged()
    email, backup = "owner-of-steady-caller@acme.example", "backup-of-steady-caller@acme.example"
    working = [
        threading.Thread(
            target=call_on, args=(service, key, told), kwargs={"streams": bool(at % 2)}
        )
        for at in range(CALLERS)
    ]
    working.append(threading.Thread(target=register_on, args=(owner, email, backup, told)))
    for thread in working:
        thread.start()
    names = sorted(Places(service.data).read_runtime().pids)
    kills = KILLS or len(names)
    killed: Counter[str] = Counter()
    slowest: dict[str, float] = {}
    try:
        for number in range(kills):
            name = names[number % len(names)]
            time.sleep(0.3 + secrets.randbelow(700) / 1000)
            took = kill_one(service, name)
            killed[name] += 1
            slowest[name] = max(slowest.get(name, 0.0), round(took, 1))
    finally:
        told.over.set()
        for thread in working:
            thread.join(60)
    assert sum(killed.values()) == kills
    assert killed.keys() >= {"postgresql", "gateway", "web", "worker", "sequencer", "witness"}

    address = Places(service.data).read_runtime().database_owner_url
    with psycopg.connect(address, autocommit=True) as connection:
        wait_until("no intent is open", lambda: nothing_open(connection), CLOSED_WITHIN)
        wait_until("all is sequenced", lambda: all_sequenced(connection), CLOSED_WITHIN)
        lost = connection.execute(
            "SELECT told FROM unnest(%s::text[]) told WHERE NOT EXISTS ("
            " SELECT FROM ledger_entry WHERE kind = 'result' AND intent_id = told)",
            (told.entries,),
        ).fetchall()
        gone = connection.execute(
            "SELECT told FROM unnest(%s::text[]) told WHERE (SELECT count(*) FROM registry_agent a"
            " JOIN ledger_entry e ON e.agent_id = a.public_id AND e.verb = 'agent.registered'"
            " WHERE a.name = told) <> 1",
            (told.agents,),
        ).fetchall()
    checked = service.manage("verify", "--json")
    said = {
        "killed": dict(killed),
        "back within seconds": slowest,
        "calls acknowledged": len(told.entries),
        "agents acknowledged": len(told.agents),
        "not acknowledged": dict(told.refused),
        "lost": len(lost) + len(gone),
    }
    record_property("kills", json.dumps(said))
    assert not lost
    assert not gone
    assert checked.returncode == 0, checked.stdout[-2000:] + checked.stderr[-2000:]
    assert len(told.entries) > 10 * kills
    assert told.agents


def nothing_open(connection: psycopg.Connection[Any]) -> bool:
    row = connection.execute(
        "SELECT count(*) FROM ledger_entry i WHERE kind = 'intent' AND NOT EXISTS ("
        " SELECT FROM ledger_entry r WHERE r.kind = 'result' AND r.intent_id = i.entry_id)"
    ).fetchone()
    return row == (0,)


def all_sequenced(connection: psycopg.Connection[Any]) -> bool:
    row = connection.execute(
        "SELECT (SELECT count(*) FROM ledger_entry) - (SELECT count(*) FROM ledger_leaf),"
        " (SELECT max(size) FROM ledger_checkpointsignature WHERE is_witness)"
        " - (SELECT max(size) FROM ledger_checkpoint)"
    ).fetchone()
    return row == (0, 0)
