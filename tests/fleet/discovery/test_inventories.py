"""Key inventories in the shapes of OpenAI and Anthropic, and what joins their rows."""

from __future__ import annotations

import io
import json
from typing import Any

from fleet.discovery.readers.formats import READERS
from fleet.discovery.readers.tally import Tally
from fleet.discovery.signs import Flag, Sighting

OPENAI_KEY = {
    "object": "organization.project.api_key", "id": "key_7aa1",
    "name": "finance-bot (jana laptop)", "redacted_value": "sk-proj-****9xQ",
    "created_at": 1759300000, "last_used_at": 1795200000, "expires_at": None,
    "owner_project_access": "inactive", "new_field": {"x": 1},
    "owner": {"type": "user", "user": {
        "id": "user_31", "email": "jana@acme.test", "name": "Jana", "role": "member"}},
}  # fmt: skip
OPENAI_USAGE = {
    "object": "page", "has_more": False, "next_page": None,
    "data": [{"object": "bucket", "start_time": 1795100000, "end_time": 1795186400, "results": [
        {"object": "organization.usage.completions.result", "input_tokens": 10,
         "output_tokens": 5, "num_model_requests": 3, "api_key_id": "key_7aa1", "model": "gpt-5"},
        {"object": "organization.usage.completions.result", "num_model_requests": 9,
         "api_key_id": None}]}],
}  # fmt: skip
OPENAI_COST = {
    "object": "organization.costs.result", "amount": {"value": 1.25, "currency": "usd"},
    "api_key_id": "key_7aa1",
}  # fmt: skip
ANTHROPIC = [
    {"data": [{"id": "user_1", "type": "user", "email": "jana@acme.test"}], "has_more": False},
    {"data": [
        {"id": "apikey_1", "type": "api_key", "name": "batch", "partial_key_hint": "sk-ant-…igAA",
         "status": "active", "created_at": "2026-01-01T00:00:00Z", "expires_at": None,
         "created_by": {"id": "user_1", "type": "user"}, "principal": None},
        {"id": "apikey_2", "type": "api_key", "name": "old", "status": "active",
         "created_by": {"id": "user_9", "type": "user"}}]},
    {"data": [{"starting_at": "2026-11-19T00:00:00Z", "ending_at": "2026-11-20T00:00:00Z",
               "results": [{"api_key_id": "apikey_1", "model": "claude-sonnet-4-5",
                            "uncached_input_tokens": 7, "output_tokens": 2}]}]},
    {"amount": "123.45", "currency": "USD", "api_key_id": "apikey_1"},
]  # fmt: skip


def read(kind: str, *documents: Any) -> list[Sighting]:
    raw = "\n".join(json.dumps(each) for each in documents).encode()
    return list(READERS[kind](io.BytesIO(raw), Tally()))


def test_a_key_its_use_and_its_cost_are_one_sighting_in_any_order() -> None:
    found = read("openai", OPENAI_COST, OPENAI_USAGE, {"object": "list", "data": [OPENAI_KEY]})

    assert len(found) == 1
    key = found[0]
    assert (key.calls, key.cost_micros, key.models) == (3, 1_250_000, ("gpt-5",))
    assert {Flag.ORPHANED, Flag.NEVER_EXPIRES, Flag.DIRECT} <= key.flags
    assert key.hints[0].who == "jana@acme.test"
    assert key.tail == "openai:xQ"
    assert "9xQ" not in json.dumps(key.facts) + key.title + key.summary


def test_anthropics_costs_are_cents_and_openais_are_dollars() -> None:
    cents = read("anthropic", ANTHROPIC)
    batch = next(each for each in cents if "batch" in each.title)
    dollars = read("openai", OPENAI_COST | {"amount": {"value": "123.45"}})

    assert batch.cost_micros == 1_234_500
    assert dollars[0].cost_micros == 123_450_000


def test_last_use_is_joined_from_the_usage_report() -> None:
    batch, old = sorted(read("anthropic", ANTHROPIC), key=lambda each: each.title)

    assert batch.facts["last_used"].startswith("2026-11-20")
    assert batch.hints[0].who == "jana@acme.test"
    assert Flag.ORPHANED not in batch.flags
    assert Flag.ORPHANED in old.flags  # whoever made it is in no list of users


def test_spend_logs_are_read_as_json_lines_and_table() -> None:
    row = {
        "request_id": "r1", "api_key": "ab12", "spend": 0.5, "total_tokens": 12,
        "startTime": "2026-11-20T09:00:00Z", "model": "gpt-4o", "custom_llm_provider": "openai",
        "user": "jana@acme.test", "end_user": "customer-7", "requester_ip_address": "10.0.0.9",
        "metadata": {"user_api_key_alias": "nightly", "user_api_key_team_alias": "Finance"},
        "agent_id": None, "status": "success",
    }  # fmt: skip
    table = (
        ",".join(row)
        + "\n"
        + ",".join(
            '"' + json.dumps(value).replace('"', '""') + '"'
            if isinstance(value, dict)
            else str(value)
            for value in row.values()
        )
    )
    for raw in (json.dumps([row, row]), f"{json.dumps(row)}\n{json.dumps(row)}\nnoise", table):
        tally = Tally()
        (found,) = READERS["litellm"](io.BytesIO(raw.encode()), tally)
        assert found.title == ("LiteLLM nightly" if raw != table else "LiteLLM None")
        assert found.cost_micros in {1_000_000, 500_000}
        assert "customer-7" not in repr(found)
        assert "10.0.0.9" not in repr(found)


def test_other_scanners_and_inventories_are_one_source_of_many() -> None:
    scan = {
        "agents": [{
            "fingerprint": "ab" * 8, "name": "Mail helper", "agent_type": "mcp-server",
            "status": "shadow", "confidence": 0.7, "owner": None, "evidence": [
                {"scanner": "config", "detail": "mcp.json", "raw_data": {"env": {"KEY": "v"}}}],
            "first_seen_at": "2026-11-01T00:00:00+00:00"}]
    }  # fmt: skip
    bots = {"data": [{
        "type": "microsoft.copilotstudio/agents", "properties": {
            "displayName": "Help desk", "ownerId": "jana@acme.test", "botId": "b-1",
            "createdIn": "Copilot Studio", "isQuarantined": False}}]}  # fmt: skip

    (mail,) = read("agt", scan)
    (desk,) = read("copilot", bots)

    assert (mail.title, mail.confidence, mail.flags) == (
        "Mail helper",
        0.7,
        frozenset({Flag.SHADOW}),
    )
    assert "KEY" not in repr(mail)
    assert (desk.title, desk.hints[0].who) == ("Help desk", "jana@acme.test")
