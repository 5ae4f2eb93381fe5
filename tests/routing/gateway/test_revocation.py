"""What is taken away is gone, in calls that run as well; raw SQL is enough.

How soon is measured by `make bench`, which reports the second that is promised.
"""

from __future__ import annotations

import pytest

from tests.routing.gateway.conftest import Client, eventually
from tests.routing.gateway.scripted import STREAM, stream

AGENT = "UPDATE registry_agent SET {change} WHERE id = {{agent}}"
OF_VENDOR = "(SELECT id FROM routing_vendor WHERE public_id = '{vendor}')"
STATEMENTS = {
    "the key": "UPDATE registry_agentkey SET revoked_at = now() WHERE agent_id = {agent}",
    "the key's row": "DELETE FROM registry_agentkey WHERE agent_id = {agent}",
    "the agent, suspended": AGENT.format(change="suspended_at = now()"),
    "the agent, killed": AGENT.format(change="suspended_at = now(), killed_at = now()"),
    "the declaration": AGENT.format(change="routes = '{{}}'"),
    "the vendor": "UPDATE routing_vendor SET disabled_at = now() WHERE public_id = '{vendor}'",
    "the model": f"UPDATE routing_model SET disabled_at = now() WHERE vendor_id = {OF_VENDOR}",
    "the route": "UPDATE routing_route SET disabled_at = now() WHERE name = '{route}'",
    "the secret": "UPDATE credentials_secret SET retired_at = now()"
    " WHERE holder = 'vendor:{vendor}'",
}
REFUSED = {
    "the key": (401, "key_revoked"),
    "the key's row": (401, "key_unknown"),
    "the agent, suspended": (403, "agent_suspended"),
    "the agent, killed": (403, "agent_killed"),
    "the declaration": (403, "route_not_declared"),
    "the vendor": (503, "route_unserved"),
    "the model": (503, "route_unserved"),
    "the route": (404, "model_not_found"),
    "the secret": (503, "vendor_not_ready"),
}
IN_STREAMS = {
    "the key": "key_revoked",
    "the key's row": "key_unknown",
    "the agent, suspended": "agent_suspended",
    "the agent, killed": "agent_killed",
    "the vendor": "vendor_stopped",
}


def take_away(agent, what):
    named = {"agent": agent.row.pk, "vendor": agent.vendor_id, "route": agent.route}
    agent.world.change(STATEMENTS[what].format(**named))


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_taken_away_is_refused(agent, what):
    assert agent.chat().status == 200
    status, code = REFUSED[what]
    take_away(agent, what)
    eventually(lambda: agent.chat().status == status)
    assert agent.chat().code == code


@pytest.mark.parametrize("what", IN_STREAMS)
def test_an_open_stream_is_cut_and_says_why(agent, vendor, what):
    vendor.script = stream([STREAM[0]], linger=30)
    line, answer = agent.open_stream()
    assert answer.readline() + answer.readline() == STREAM[0]
    take_away(agent, what)
    rest = answer.read()
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
    eventually(lambda: agent.chat().status == 403)
    agent.world.change("ALTER TABLE registry_agent ENABLE TRIGGER USER")


def test_a_new_secret_is_used_and_the_old_one_is_not(agent, vendor):
    agent.chat()
    agent.world.change(
        "UPDATE credentials_secret SET retired_at = now() WHERE holder = %s",
        f"vendor:{agent.vendor_id}",
    )
    agent.world.add_secret(agent.vendor_id, "sk-the-second-one", version=2)

    def uses_it() -> bool:
        agent.chat()
        return bool(vendor.seen[-1].header("authorization") == "Bearer sk-the-second-one")

    eventually(uses_it)


def test_what_was_just_given_holds_at_once(served, world, vendor):
    for _ in range(8):
        row = world.add_agent()
        assert Client(served.port, row.key).ask("GET", "/v1/models").status == 200


def test_what_was_just_allowed_is_not_refused_on_old_news(agent):
    allowed = AGENT.format(change="suspended_at = NULL").format(agent=agent.row.pk)
    for _ in range(8):
        take_away(agent, "the agent, suspended")
        eventually(lambda: agent.chat().status == 403)
        agent.world.change(allowed)
        assert agent.chat().status == 200
