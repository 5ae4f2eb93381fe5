"""An agent that comes to its end: what its callers read, what they may still do, and what not."""

from __future__ import annotations

import json
import time
from email.utils import parsedate_to_datetime

import openai
import pytest

from tests.routing.gateway.conftest import Agent, eventually
from tests.routing.gateway.scripted import ScriptedVendor

ANNOUNCED = "UPDATE registry_agent SET stage = 'deprecated', stage_changed_at = now()"


def announce(agent: Agent, ends: str = "NULL", successor: object = None) -> None:
    follows = f"{successor}" if successor is not None else "NULL"
    agent.world.change(
        f"{ANNOUNCED}, ends_at = {ends}, successor_id = {follows} WHERE id = {agent.row.pk}"
    )
    eventually(lambda: "x-unsprawl-agent-deprecation" in agent.chat().headers)


def test_an_unchanged_client_reads_the_end_and_the_successor(
    agent: Agent, make_agent: object, vendor: ScriptedVendor
) -> None:
    other = make_agent()  # type: ignore[operator]
    announce(agent, "now() + interval '9 days'", other.row.pk)
    client = openai.OpenAI(base_url=f"http://127.0.0.1:{agent.port}/v1", api_key=agent.key)
    raw = client.chat.completions.with_raw_response.create(
        model=agent.route, messages=[{"role": "user", "content": "Hi"}]
    )
    assert raw.parse().choices
    sunset = parsedate_to_datetime(raw.headers["sunset"]).timestamp()
    assert abs(sunset - time.time() - 9 * 86_400) < 60
    assert raw.headers["deprecation"].startswith("@")
    assert raw.headers["x-unsprawl-agent-sunset"] == raw.headers["sunset"]
    assert raw.headers["x-unsprawl-agent-successor"] == other.row.name
    assert f'</agents/{other.row.name}/>; rel="successor-version"' in raw.headers["link"]
    listed = client.models.with_raw_response.list()
    assert "x-unsprawl-agent-sunset" in listed.headers
    with pytest.raises(openai.NotFoundError) as refused:
        client.chat.completions.create(
            model="nothing", messages=[{"role": "user", "content": "Hi"}]
        )
    assert refused.value.response.headers["x-unsprawl-agent-successor"] == other.row.name
    client.close()


def test_the_earlier_of_two_ends_is_the_one_that_counts(agent: Agent) -> None:
    model = f"(SELECT id FROM routing_vendor WHERE public_id = '{agent.vendor_id}')"
    agent.world.change(
        "UPDATE routing_model SET retires_on = current_date + 2, deprecated_on = '2026-01-05',"
        f" replacement = 'next-1' WHERE vendor_id = {model}"
    )
    announce(agent, "now() + interval '9 days'")
    eventually(lambda: "link" in agent.chat().headers)
    headers = agent.chat().headers
    assert headers["deprecation"] == "@1767571200"
    model_end = parsedate_to_datetime(headers["sunset"]).timestamp()
    own_end = parsedate_to_datetime(headers["x-unsprawl-agent-sunset"]).timestamp()
    assert model_end < own_end
    assert "/v1/models/next-1" in headers["link"]


def test_while_it_drains_what_runs_may_end_and_nothing_begins(agent: Agent) -> None:
    run = {"x_unsprawl_run": "month-end"}
    assert agent.chat(**run).status == 200
    time.sleep(0.05)
    announce(agent, "now()")
    refused = agent.chat()
    assert (refused.status, refused.code) == (403, "agent_draining")
    assert "begins no new run" in refused.body.decode()
    assert agent.chat(x_unsprawl_run="another").code == "agent_draining"
    assert agent.chat(**run).status == 200


def test_a_retired_name_says_so_and_names_what_follows(agent: Agent, make_agent: object) -> None:
    other = make_agent()  # type: ignore[operator]
    pk = agent.row.pk
    agent.world.change(
        "UPDATE registry_agent SET stage = 'retired', retired_at = now(), ends_at = now(),"
        f" successor_id = {other.row.pk} WHERE id = {pk};"
        f" UPDATE registry_agentkey SET revoked_at = now() WHERE agent_id = {pk}"
    )
    eventually(lambda: agent.chat().status == 403)
    refused = agent.chat()
    assert refused.code == "agent_retired"
    assert f"Its successor is agent {other.row.name}." in refused.body.decode()
    wanted = json.dumps({"to": agent.row.name}).encode()
    told = other.ask("POST", "/v1/delegations", wanted)
    assert (told.status, told.code) == (404, "delegate_retired")
