"""A person whose data a call carries has keys of their own, and those can be destroyed."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from bench.gateway.rig import GatewayChild
from kernel import clock
from kernel.opening import PrivateRing
from kernel.refs import Ref
from ledger import datakeys
from ledger.datakeys import DataKeySource, identity
from ledger.entries import (
    GENESIS,
    DataKeyInUse,
    Fields,
    PayloadDigest,
    link,
    open_payload,
)
from ledger.subjects import SubjectTags
from tests.ports import free_port
from tests.routing.gateway.conftest import Client, eventually
from tests.routing.gateway.scripted import answer

PERSON = "pseudonym-31337"


def keys_of(agent: Any) -> Any:
    return agent.world.query(
        "SELECT dek_id, scope, state FROM ledger_datakey WHERE scope LIKE %s"
        " ORDER BY created_at, dek_id",
        f"{agent.row.public_id}%",
    )


def shred(agent: Any, *, tells: bool = True) -> None:
    agent.world.change(
        "UPDATE ledger_datakey SET state = 'shredded', wrapped_key = NULL, shredded_at = now(),"
        " shredded_by = 'ent_x' WHERE scope LIKE %s AND state = 'active'",
        f"{agent.row.public_id}%",
    )
    if tells:
        agent.world.change(
            "SELECT pg_notify('unsprawl_shred', scope) FROM ledger_datakey WHERE scope LIKE %s",
            f"{agent.row.public_id}%",
        )


def readable(agent: Any, rig: Any) -> list[bytes]:
    """Return every payload of the agent that can still be opened."""
    ring = PrivateRing.load(rig.keys_dir, "payload")
    found = []
    for header, nonce, ciphertext, dek, scope, class_, ring_key, wrapped in agent.world.query(
        "SELECT e.header, p.nonce, p.ciphertext, k.dek_id, k.scope, k.data_class, k.ring_key_id,"
        " k.wrapped_key FROM ledger_entry e JOIN ledger_payload p USING (entry_id, recorded_at)"
        " JOIN ledger_datakey k USING (dek_id) WHERE e.agent_id = %s AND k.state = 'active'"
        " ORDER BY e.id",
        agent.row.public_id,
    ):
        key = ring.unwrap(ring_key, bytes(wrapped), identity(dek, scope, class_))
        said = json.loads(bytes(header))
        digest = PayloadDigest(
            dek, said["payload"]["ciphertext_sha256"], said["payload"]["commitment"],
            said["payload"]["size"],
        )  # fmt: skip
        whole = open_payload(
            digest, bytes(nonce), bytes(ciphertext), DataKeyInUse(dek, key), said["id"]
        )
        found.append(whole)
    return found


def test_what_is_said_of_a_person_lies_under_keys_of_their_own(agent, vendor, rig):
    tag = SubjectTags(rig.keys_dir).tag(PERSON)
    assert agent.chat().status == 200
    assert agent.chat(x_unsprawl_subject=PERSON).status == 200
    assert agent.chat(x_unsprawl_subject=f" {PERSON} ").status == 200
    scopes = [scope for _, scope, _ in keys_of(agent)]
    assert scopes == [agent.row.public_id, f"{agent.row.public_id}/{tag}"]
    assert len(readable(agent, rig)) == 6
    assert b"x-unsprawl-subject" not in str(vendor.seen[-1].headers).lower().encode()


def test_the_id_itself_is_recorded_nowhere(agent, rig):
    agent.chat(x_unsprawl_subject=PERSON)
    for table in ("ledger_entry", "ledger_datakey", "routing_run", "routing_call"):
        rows = agent.world.query(
            f"SELECT count(*) FROM {table} t WHERE t::text LIKE %s"
            f" OR t::text LIKE '%%' || encode(%s::bytea, 'hex') || '%%'",
            f"%{PERSON}%",
            PERSON.encode(),
        )
        assert rows == [(0,)]


@pytest.mark.parametrize("named", ["", " ", "x" * 201, "a\xadb"])
def test_an_id_that_is_none_is_refused_and_not_repeated(agent, named: str):
    got = agent.chat(x_unsprawl_subject=named)
    assert (got.status, got.code) == (400, "data_subject_unusable")
    assert agent.entries() == []


def test_a_key_destroyed_in_mid_call_costs_the_agent_nothing(agent, vendor, rig):
    async def script(seen: Any, writer: Any) -> None:
        shred(agent, tells=False)
        await answer()(seen, writer)

    vendor.script = script
    assert agent.chat(x_unsprawl_subject=PERSON).status == 200
    vendor.script = answer()
    (first, second) = keys_of(agent)
    assert (first[2], second[2]) == ("shredded", "active")
    (result,) = readable(agent, rig)  # what was asked is gone; what came later is kept
    assert b"choices" in result
    (entry,) = [entry for entry in agent.entries() if entry["kind"] == "result"]
    assert entry["payload"]["dek"] == second[0]
    assert "withheld" not in entry["facts"]


def test_a_gateway_forgets_a_destroyed_key(agent, served, rig):
    agent.chat(x_unsprawl_subject=PERSON)
    (place,) = [at for at in served.process._keys._kept if at[0].startswith(agent.row.public_id)]
    shred(agent)
    eventually(lambda: place not in served.process._keys._kept)
    assert agent.chat(x_unsprawl_subject=PERSON).status == 200
    assert [state for _, _, state in keys_of(agent)] == ["shredded", "active"]


def test_a_person_who_comes_again_gets_a_new_key(agent, rig):
    agent.chat(x_unsprawl_subject=PERSON)
    shred(agent)
    agent.chat(x_unsprawl_subject=PERSON)
    (old, new) = keys_of(agent)
    assert old[0] != new[0]
    assert old[1] == new[1]


def test_no_agent_makes_keys_without_end(agent, served, monkeypatch):
    monkeypatch.setattr(datakeys, "TAGS", 2)
    statuses = [agent.chat(x_unsprawl_subject=f"p-{n}").status for n in range(3)]
    assert statuses == [200, 200, 429]
    assert agent.chat(x_unsprawl_subject="p-0").status == 200
    assert agent.chat().status == 200


def test_tags_are_keyed_and_the_same_everywhere(rig, tmp_path):
    tags = SubjectTags(rig.keys_dir)
    assert tags.tag("a") == SubjectTags(rig.keys_dir).tag("a") != tags.tag("b")
    (tmp_path / "subject.key").write_text("00" * 32)
    assert SubjectTags(tmp_path).tag("a") == "sub_" + SubjectTags(tmp_path).tag("a")[4:]
    assert SubjectTags(tmp_path).tag("a") != tags.tag("a")
    assert len(tags.tag("a")) == 30


def test_a_source_admits_whom_it_knows(rig):
    source = DataKeySource(lambda: pytest.fail("no key is made"))
    assert source.admits("agt_1", "internal")
    assert source.admits("agt_1/sub_1", "internal")


def test_destruction_against_two_writing_gateways_loses_nothing_silently(
    rig, agent, vendor, tmp_path
):
    """Calls go on in two processes while their keys are destroyed again and again."""
    vendor.script = answer()
    child = GatewayChild(rig, free_port(), tmp_path / "gateway.log")
    acknowledged: list[str] = []
    over = threading.Event()

    def call_on(port: int) -> None:
        client = Client(port, agent.key)
        body = {"model": agent.route, "messages": []}
        while not over.is_set():
            got = client.chat(body, x_unsprawl_subject=PERSON)
            assert got.status == 200, got.body
            acknowledged.append(got.headers["x-unsprawl-entry"])

    try:
        child.wait_ready()
        counted: dict[str, int] = {}
        with ThreadPoolExecutor(4) as callers:
            calling = [callers.submit(call_on, port) for port in (child.port, agent.port) * 2]
            try:
                for n in range(8):
                    already = len(acknowledged)
                    eventually(lambda: len(acknowledged) > already + 4)  # noqa: B023
                    counted |= _destroy(rig, agent, n)
            finally:
                over.set()
            for each in calling:
                each.result()
    finally:
        child.kill()
    assert len(acknowledged) > 20
    assert len(counted) >= 8
    # No payload came under a key after it was destroyed, and each call has both of its own.
    now = dict(
        agent.world.query(
            "SELECT dek_id, count(*) FROM ledger_payload GROUP BY 1",
        )
    )
    assert {dek: now[dek] for dek in counted} == counted
    whole = agent.world.query(
        "SELECT count(*) FROM ledger_entry i JOIN ledger_entry r ON r.intent_id = i.entry_id"
        " JOIN ledger_payload p ON p.entry_id = i.entry_id"
        " JOIN ledger_payload q ON q.entry_id = r.entry_id WHERE i.entry_id = ANY(%s)",
        acknowledged,
    )
    assert whole == [(len(acknowledged),)]
    assert len(readable(agent, rig)) < 2 * len(acknowledged)


def _destroy(rig: Any, agent: Any, n: int) -> dict[str, int]:
    """Destroy the agent's keys as the application's role may; return what lay under them."""
    with psycopg.connect(rig.login) as line:
        keys = [
            row[0]
            for row in line.execute(
                "SELECT dek_id FROM ledger_datakey WHERE state = 'active' AND scope LIKE %s",
                [f"{agent.row.public_id}%"],
            )
        ]
        found = line.execute("SELECT ledger_shreddable(%s, 'request')", [keys]).fetchall()
        keys = [row[0] for row in found]
        if not keys:
            return {}
        name = f"{agent.row.public_id}_{n}"
        line.execute(
            "SELECT ledger_shred(%s, %s, 'request', %s, %s, 'x')",
            [f"shr_{name}", f"ent_{name}", keys, n + 1],
        )
        tombstone = link(
            Fields(
                "change", "datakey.shredded", Ref("system", "test"), Ref("erasure", name),
                clock.now(), facts={"deks": sorted(keys)}, entry_id=f"ent_{name}",
            ),
            stream=f"erasure:{name}", writer="app", seq=1, prev_hash=GENESIS,
        )  # fmt: skip
        line.execute(
            "INSERT INTO ledger_entry (entry_id, stream, writer, seq, prev_hash, header, leaf_hash,"
            " kind, verb, actor, subject, agent_id, recorded_at) VALUES (%s, %s, 'app', 1, %s, %s,"
            " %s, 'change', 'datakey.shredded', 'system:test', %s, '', %s)",
            [
                tombstone.entry_id, tombstone.stream, GENESIS, tombstone.header,
                tombstone.leaf_hash, f"erasure:{name}", tombstone.fields.recorded_at,
            ],
        )  # fmt: skip
        line.execute(
            "INSERT INTO ledger_chainhead (stream, writer, seq, leaf_hash)"
            " VALUES (%s, 'app', 1, %s)",
            [tombstone.stream, tombstone.leaf_hash],
        )
        rows = line.execute(
            "SELECT dek_id, count(*) FROM ledger_payload WHERE dek_id = ANY(%s) GROUP BY 1", [keys]
        ).fetchall()
    return dict(rows)
