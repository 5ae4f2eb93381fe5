"""A stop holds for everything it covers, in calls that run as well, and says who to ask."""

from __future__ import annotations

import json
import os
import time

import pytest

from kernel import clock
from kernel.refs import new_id
from routing.door import DoorShut, knock
from routing.internal import InternalKeys
from tests.routing.gateway.conftest import eventually
from tests.routing.gateway.scripted import STREAM, answer, stream

SCOPES = ("key", "agent", "owner", "team", "model", "vendor", "route", "fleet")
SUBJECTS = {
    "key": "SELECT public_id FROM registry_agentkey WHERE agent_id = %s",
    "agent": "SELECT public_id FROM registry_agent WHERE id = %s",
    "owner": "SELECT p.public_id FROM registry_agent a JOIN registry_person p"
    " ON p.id = a.owner_id WHERE a.id = %s",
    "team": "SELECT t.public_id FROM registry_agent a JOIN registry_team t"
    " ON t.id = a.team_id WHERE a.id = %s",
    "route": "SELECT public_id FROM routing_route WHERE name = %s",
    "model": "SELECT m.public_id FROM routing_model m JOIN routing_vendor v"
    " ON v.id = m.vendor_id WHERE v.public_id = %s",
}


@pytest.fixture
def place(world):
    """Yield what stops something with plain SQL; all is let go afterwards."""

    def stop(scope: str, agent) -> str:
        public_id = new_id("stp")
        world.insert(
            "routing_stop", public_id=public_id, scope=scope, subject_name="it",
            subject=subject_of(world, scope, agent),
            reason="A secret reason.", placed_by="system:test",
            placed_as="security", placed_at=clock.now(),
        )  # fmt: skip
        return public_id

    yield stop
    world.change("DELETE FROM routing_stop")


def subject_of(world, scope, agent):
    if scope == "fleet":
        return "all"
    if scope == "vendor":
        return agent.vendor_id
    named = {"route": agent.route, "model": agent.vendor_id}.get(scope, agent.row.pk)
    return world.query(SUBJECTS[scope], named)[0][0]


@pytest.fixture
def member(agent, world):
    """Yield an agent that belongs to a team."""
    team = world.insert(
        "registry_team",
        public_id=new_id("team"),
        slug=new_id("t"),
        name="T",
        created_at=clock.now(),
    )
    world.change("UPDATE registry_agent SET team_id = %s WHERE id = %s", team, agent.row.pk)
    return agent


@pytest.mark.parametrize("scope", SCOPES)
def test_what_is_stopped_is_refused_and_not_to_be_tried_again(scope, member, place):
    assert member.chat().status == 200
    stop = place(scope, member)
    eventually(lambda: member.chat().status == 403)
    got = member.chat()
    assert (got.status, got.code) == (403, "stopped")
    assert got.headers["x-unsprawl-error"] == "routing.stopped"
    message = got.json["error"]["message"]
    assert stop in message
    assert "security" in message
    assert "secret reason" not in message
    assert "retry-after" not in got.headers


@pytest.mark.parametrize("scope", SCOPES)
def test_an_open_stream_of_what_is_stopped_is_cut_and_says_so(scope, member, place, vendor):
    vendor.script = stream([STREAM[0]], linger=60)
    line, got = member.open_stream()
    assert got.readline() + got.readline() == STREAM[0]
    began = time.monotonic()
    place(scope, member)
    rest = got.read()
    assert time.monotonic() - began < 20  # the vendor would hold it for 60 s
    assert b'"code":"stopped"' in rest
    assert b"[DONE]" not in rest
    line.close()
    (call,) = member.calls()
    assert (call["status"], call["error_code"]) == ("incomplete", "stopped")


def test_lifting_a_stop_opens_at_once(agent, place, world):
    place("agent", agent)
    eventually(lambda: agent.chat().status == 403)
    world.change("UPDATE routing_stop SET lifted_at = now(), lifted_by = 'system:test'")
    assert agent.chat().status == 200


def test_others_go_on(agent, make_agent, place):
    other = make_agent()
    place("agent", agent)
    eventually(lambda: agent.chat().status == 403)
    assert other.chat().status == 200


def test_a_stopped_vendor_gives_way_to_another_target(make_agent, world, place, vendor):
    agent = make_agent()
    pk, other = world.add_vendor(vendor.base_url)
    world.insert(
        "routing_routetarget",
        route_id=world.query("SELECT id FROM routing_route WHERE name = %s", agent.route)[0][0],
        model_id=world.add_model(pk), region="", weight=100, priority=9,
    )  # fmt: skip
    place("vendor", agent)
    name = other.replace("_", "-")
    eventually(lambda: agent.chat().headers.get("x-unsprawl-vendor") == name)
    agent.chat()
    told = [e["facts"] for e in agent.entries() if e["verb"] == "call.intended"]
    assert any("routing.stopped" in json.dumps(facts.get("passed_over", "")) for facts in told)


def test_a_call_decided_before_and_sent_after_a_stop_is_not_sent(agent, served, vendor, place):
    vendor.script = answer()
    calls = served.process._open_calls
    agent.chat()
    seen = len(vendor.seen)
    decider = served.process._parts.pipeline.decider
    decide = decider.decide

    async def slowly(facts):
        found = await decide(facts)
        place("agent", agent)
        await served.process._snapshots.look_again()
        return found

    decider.decide = slowly
    try:
        got = agent.chat()
    finally:
        decider.decide = decide
    assert (got.status, got.code) == (403, "stopped")
    assert len(vendor.seen) == seen
    assert len(calls) == 0


# --- the door


def ask(rig, world, question):
    return knock(own_door(world), question, InternalKeys.load(rig.keys_dir), 3.0)


def own_door(world):
    """The door of the gateway in this process: others of the cluster may have been killed."""
    (door,) = world.query(
        "SELECT door FROM routing_livegateway WHERE left_at IS NULL AND pid = %s"
        " ORDER BY id DESC LIMIT 1",
        os.getpid(),
    )
    return door[0]


def test_a_gateway_announces_itself_and_answers_at_its_door(agent, rig, world, place, vendor):
    vendor.script = stream([STREAM[0]], linger=30)
    line, got = agent.open_stream()
    got.readline()
    question = {"scope": "agent", "subject": agent.row.public_id}
    before = ask(rig, world, question)
    assert (before["holds"], before["governed"], before["open"]) == (False, True, 1)
    place("agent", agent)
    after = ask(rig, world, question | {"cut": True})
    assert after["holds"]
    got.read()
    line.close()
    eventually(lambda: ask(rig, world, question | {"cut": True})["open"] == 0)


def test_a_door_believes_nobody_without_the_key_of_the_installation(agent, rig, world, tmp_path):
    from kernel.sealing import ensure_key_rings

    ensure_key_rings(tmp_path / "keys")
    with pytest.raises(DoorShut):
        knock(own_door(world), {"scope": "fleet"}, InternalKeys.load(tmp_path / "keys"), 2.0)


def test_what_is_not_there_is_refused_and_said_to_be(agent, rig, world):
    assert agent.chat().status == 200
    assert ask(rig, world, {"scope": "vendor", "subject": "ven_unknown"})["holds"]
    assert ask(rig, world, {"scope": "weather", "subject": "rain"})["error"] == "unknown_scope"
