"""A gateway follows the policy in force: at once, and never without a judge between two."""

from __future__ import annotations

import hashlib
import json
import time
from datetime import timedelta

import pytest

from kernel import clock
from kernel.refs import new_id
from policy.bundle import BASE, Bundle, bundle_files, pack_files
from tests.routing.gateway.conftest import Client

SHIPPED = Bundle.load(BASE).digest


def keep_bundle(world, change=lambda files: None):
    files = {path.name: path.read_bytes() for path in bundle_files(BASE)}
    change(files)
    packed = pack_files(files)
    digest = "sha256:" + hashlib.sha256(packed).hexdigest()
    world.change(
        "INSERT INTO rules_bundle (public_id, digest, title, note, origin, packed, tests,"
        " checked, added_by, added_at)"
        " VALUES (%s, %s, 'Ours', '', 'uploaded', %s, '', '{}', 'system:test', now())"
        " ON CONFLICT DO NOTHING",
        new_id("pol"),
        digest,
        packed,
    )
    return digest


def last_bundle(agent):
    facts = [entry["facts"] for entry in agent.entries()]
    return [each["bundle"] for each in facts if "bundle" in each][-1]


def activate(world, digest):
    with world.connection.transaction():
        world.change("UPDATE rules_activation SET ended_at = now() WHERE ended_at IS NULL")
        world.change(
            "INSERT INTO rules_activation (public_id, bundle_id, review_id, reason, activated_by,"
            " activated_at) SELECT %s, id, '', 'A test.', 'system:test', now()"
            " FROM rules_bundle WHERE digest = %s",
            new_id("pac"),
            digest,
        )


@pytest.fixture
def shipped_again(world):
    yield
    activate(world, SHIPPED)


def until(holds, seconds=60.0):
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
    return holds()


def refuse_sandbox(files):
    document = json.loads(files["data.json"])
    document["settings"]["vendors"]["allowed"] = []
    files["data.json"] = json.dumps(document).encode()


def test_the_next_bundle_judges_without_a_call_in_between_unanswered(
    agent, world, served, shipped_again
):
    assert agent.chat().status == 200
    refusing = keep_bundle(world, refuse_sandbox)
    activate(world, refusing)
    codes = []

    def is_refused():
        got = agent.chat()
        codes.append(got.status)
        return got.status == 403 and got.json["error"]["rule"] == "calls.vendor_refused"

    assert until(is_refused)
    assert set(codes) <= {200, 403}
    assert last_bundle(agent) == refusing
    activate(world, SHIPPED)
    assert until(lambda: agent.chat().status == 200)
    assert last_bundle(agent) == SHIPPED


def test_a_bundle_that_does_not_build_leaves_the_old_one_and_raises_an_alarm(
    agent, world, served, shipped_again
):
    def break_it(files):
        files["calls.rego"] += b'\nleak := http.send({"url": "http://x"})\n'

    broken = keep_bundle(world, break_it)
    activate(world, broken)
    metrics = Client(served.port)

    def says(value):
        body = metrics.ask("GET", "/metrics").body.decode()
        return f"policy_fault {value}" in body

    assert until(lambda: says("1"))
    assert agent.chat().status == 200
    assert last_bundle(agent) == SHIPPED
    activate(world, SHIPPED)
    assert until(lambda: says("0"))


def test_without_a_policy_nothing_is_allowed_and_the_gateway_is_not_ready(
    agent, world, served, shipped_again
):
    activate(world, "")
    asked = Client(served.port)
    assert until(lambda: asked.ask("GET", "/readyz").status == 503)
    assert "the policy" in asked.ask("GET", "/readyz").body.decode()
    got = agent.chat()
    assert got.status == 503
    activate(world, SHIPPED)
    assert until(lambda: asked.ask("GET", "/readyz").status == 200)
    assert agent.chat().status == 200


def test_a_grant_answers_what_policy_asks_until_it_ends(make_agent, world):
    agent = make_agent(data_classes=["regulated"])
    world.change(
        "UPDATE routing_vendor SET data_classes = '{regulated}' WHERE public_id = %s",
        agent.vendor_id,
    )
    assert until(lambda: agent.chat().code == "approval_required")
    got = agent.chat()
    vendor = world.connection.execute(
        "SELECT name FROM routing_vendor WHERE public_id = %s", (agent.vendor_id,)
    ).fetchone()[0]
    asked = got.json["error"]["review_url"]
    assert asked.endswith(f"/policies/grants/new?agent={agent.row.name}&vendor={vendor}")

    def grant(seconds, of=vendor):
        world.change(
            "INSERT INTO rules_grant (public_id, agent_id, vendor, data_class, until, state,"
            " review_id, asked_by, asked_at, given_at, ended_by)"
            " SELECT %s, id, %s, 'regulated', %s, 'given', '', 'system:test', now(), now(), ''"
            " FROM registry_agent WHERE public_id = %s",
            new_id("grt"),
            of,
            clock.now() + timedelta(seconds=seconds),
            agent.row.public_id,
        )

    grant(60, of="another")
    assert agent.chat().status == 403
    grant(60)
    assert until(lambda: agent.chat().status == 200)
    world.change("UPDATE rules_grant SET state = 'revoked', ended_at = now()")
    assert until(lambda: agent.chat().status == 403)
    grant(60)
    assert until(lambda: agent.chat().status == 200)
    # Nothing is written when a grant runs out; it is the clock that ends it.
    world.change("UPDATE rules_grant SET until = now() + interval '1 second' WHERE state = 'given'")
    assert until(lambda: agent.chat().status == 403)
