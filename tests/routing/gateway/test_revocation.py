"""What is taken away is gone within a second, in calls that run as well; raw SQL is enough."""

from __future__ import annotations

import time

import pytest

from tests.routing.gateway.conftest import eventually
from tests.routing.gateway.scripted import STREAM, stream

TAKEN_AWAY = {
    "the key": ("UPDATE registry_agentkey SET revoked_at = now() WHERE agent_id = {agent}", 401, "key_revoked"),
    "the key's row": ("DELETE FROM registry_agentkey WHERE agent_id = {agent}", 401, "key_unknown"),
    "the agent, suspended": ("UPDATE registry_agent SET suspended_at = now() WHERE id = {agent}", 403, "agent_suspended"),
    "the agent, killed": ("UPDATE registry_agent SET killed_at = now(), suspended_at = now() WHERE id = {agent}", 403, "agent_killed"),
    "the vendor": ("UPDATE routing_vendor SET disabled_at = now() WHERE public_id = '{vendor}'", 503, "route_unserved"),
    "the model": ("UPDATE routing_model SET disabled_at = now() WHERE vendor_id = (SELECT id FROM routing_vendor WHERE public_id = '{vendor}')", 503, "route_unserved"),
    "the route": ("UPDATE routing_route SET disabled_at = now() WHERE name = '{route}'", 404, "model_not_found"),
    "the declaration": ("UPDATE registry_agent SET routes = '{{}}' WHERE id = {agent}", 403, "route_not_declared"),
    "the secret": ("UPDATE credentials_secret SET retired_at = now() WHERE holder = 'vendor:{vendor}'", 503, "vendor_not_ready"),
}  # fmt: skip
IN_STREAMS = {
    "the key": "key_revoked",
    "the key's row": "key_unknown",
    "the agent, suspended": "agent_suspended",
    "the agent, killed": "agent_killed",
    "the vendor": "vendor_stopped",
}


def take_away(agent, what):
    statement, status, code = TAKEN_AWAY[what]
    named = {"agent": agent.row.pk, "vendor": agent.vendor_id, "route": agent.route}
    agent.world.change(statement.format(**named))
    return status, code


@pytest.mark.parametrize("what", TAKEN_AWAY)
def test_what_is_taken_away_is_refused_within_a_second(agent, what):
    assert agent.chat().status == 200
    status, code = take_away(agent, what)
    took = eventually(lambda: agent.chat().status == status, 1.0)
    assert agent.chat().code == code
    assert took < 1.0


@pytest.mark.parametrize("what", IN_STREAMS)
def test_an_open_stream_is_cut_within_a_second_and_says_why(agent, vendor, what):
    vendor.script = stream([STREAM[0]], linger=30)
    line, answer = agent.open_stream()
    assert answer.readline() + answer.readline() == STREAM[0]
    took_away = time.monotonic()
    take_away(agent, what)
    rest = answer.read()
    assert time.monotonic() - took_away < 1.0
    assert f'"code":"{IN_STREAMS[what]}"'.encode() in rest
    assert vendor.seen[0].left_early.wait(2)
    line.close()
    (call,) = agent.calls()
    assert (call["status"], call["error_code"]) == ("incomplete", IN_STREAMS[what])
    assert agent.entries()[-1]["verb"] == "call.cut"


def test_other_streams_run_on(agent, make_agent, vendor):
    vendor.script = stream([*STREAM], pause=0.2)
    line, answer = agent.open_stream()
    answer.readline()
    take_away(make_agent(), "the key")
    assert answer.read().endswith(STREAM[-1])
    line.close()


def test_a_change_without_a_bell_is_seen_too(agent, rig):
    with agent.world.connection.transaction():
        agent.world.change("ALTER TABLE registry_agent DISABLE TRIGGER USER")
    agent.world.change("UPDATE registry_agent SET suspended_at = now() WHERE id = %s", agent.row.pk)
    took = eventually(lambda: agent.chat().status == 403, 1.0)
    agent.world.change("ALTER TABLE registry_agent ENABLE TRIGGER USER")
    assert took < 1.0


def test_a_new_secret_is_used_and_the_old_one_is_not(agent, vendor):
    agent.chat()
    agent.world.change(
        "UPDATE credentials_secret SET retired_at = now() WHERE holder = %s",
        f"vendor:{agent.vendor_id}",
    )
    agent.world.add_secret(agent.vendor_id, "sk-the-second-one", version=2)

    def uses_it() -> bool:
        agent.chat()
        return vendor.seen[-1].header("authorization") == "Bearer sk-the-second-one"

    eventually(uses_it, 1.0)
