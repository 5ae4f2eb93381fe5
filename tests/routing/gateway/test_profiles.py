"""Profiles: what a kind of vendor does not take is left out, renamed, bounded or refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from routing.gateway.mapping.losses import CannotTranslate
from routing.gateway.profiles.known import KNOWN, guessed, rules_of
from routing.gateway.profiles.profile import MATERIAL, Does, Rule, fit
from tests.routing.gateway.scripted import answer, chunk_event, stream
from tests.routing.gateway.shapes import MESSAGE

SAY = [{"role": "user", "content": "Hi"}]


def put(agent: Any, profile: str, model: str = "") -> None:
    agent.world.change(
        "UPDATE routing_vendor SET profile = %s WHERE public_id = %s", profile, agent.vendor_id
    )
    if model:
        agent.world.change(
            "UPDATE routing_model SET name = %s WHERE vendor_id ="
            " (SELECT id FROM routing_vendor WHERE public_id = %s)",
            model,
            agent.vendor_id,
        )
    agent.catch_up()


def test_what_would_change_the_meaning_is_never_left_out():
    for profile in KNOWN:
        assert profile.source
        for rule in profile.rules:
            assert rule.member not in MATERIAL or rule.does is Does.REFUSE, profile.name


@pytest.mark.parametrize(
    ("host", "dialect", "name"),
    [
        ("api.openai.com", "openai", "openai"),
        ("api.anthropic.com", "anthropic", "anthropic"),
        ("api.anthropic.com", "openai", "anthropic-openai"),
        ("API.Mistral.ai", "openai", "mistral"),
        ("acme.openai.azure.com", "openai", "azure-v1"),
        ("bedrock-runtime.eu-west-1.amazonaws.com", "openai", "bedrock-openai"),
        ("generativelanguage.googleapis.com", "openai", "gemini-openai"),
        ("127.0.0.1:11434", "openai", "ollama"),
        ("llm.acme.test:8000", "openai", ""),
        ("api.mistral.ai", "anthropic", ""),
    ],
)
def test_a_kind_is_guessed_from_an_address(host, dialect, name):
    assert guessed(f"https://{host}/v1", dialect) == name


def test_only_the_members_listed_are_touched():
    text = '{ "a" : 1.50, "drop":[{"x":"}"}] ,"model":"m","old" : 3,\t"warm": 1.9, "é":"ü"}'
    rules = (
        Rule("drop", Does.DROP),
        Rule("old", Does.RENAME, to="new"),
        Rule("warm", Does.CLAMP, least=0, most=1),
        Rule("absent", Does.REFUSE),
    )
    fitted = fit(text, rules, "A vendor")
    assert fitted is not None
    assert fitted.text == '{ "a" : 1.50, "model":"m","new" : 3,\t"warm": 1, "é":"ü"}'
    assert (fitted.dropped, fitted.changed) == (["drop"], ["old: new", "warm: 1"])
    with pytest.raises(CannotTranslate) as refused:
        fit('{"absent": 1}', rules, "A vendor")
    assert refused.value.facts["param"] == "absent"
    assert fit('{"model": "m", "warm": 0.5}', rules, "A vendor") is None


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from("abcdef"), st.integers() | st.text() | st.none()),
       st.sets(st.sampled_from("abcdef")), st.sampled_from([None, 0, 1]))  # fmt: skip
def test_whatever_is_left_out_the_rest_is_the_same(call, gone, indent):
    rules = tuple(Rule(name, Does.DROP, unknown=True) for name in sorted(gone))
    text = json.dumps(call, indent=indent)
    fitted = fit(text, rules, "A vendor")
    left = json.loads(fitted.text if fitted is not None else text)
    assert left == {name: value for name, value in call.items() if name not in gone}


def test_models_that_reason_are_told_apart_from_those_that_do_not():
    for model in ("o3", "o4-mini-2025-04-16", "gpt-5", "gpt-5-mini", "gpt-5-2025-08-07"):
        assert "temperature" in {rule.member for rule in rules_of("openai", model)["chat"]}, model
    for model in ("gpt-4o", "gpt-5-chat-latest", "gpt-4.1-mini"):
        members = {rule.member for rule in rules_of("openai", model).get("chat", ())}
        assert "temperature" not in members, model
    for model in ("claude-opus-4-7", "claude-sonnet-5-5", "claude-opus-5"):
        assert "messages" in rules_of("anthropic", model), model
    for model in ("claude-sonnet-4-5", "claude-opus-4-6", "claude-3-5-haiku"):
        assert "messages" not in rules_of("anthropic", model), model


def test_a_call_is_fitted_and_that_is_told(agent, vendor):
    put(agent, "openai", "gpt-5-mini")
    asked = {"messages": SAY, "temperature": 0.2, "max_tokens": 50, "unheard_of": 1}
    got = agent.post("/v1/chat/completions", asked)
    assert vendor.seen[0].json == {
        "model": "gpt-5-mini", "messages": SAY, "max_completion_tokens": 50, "unheard_of": 1,
    }  # fmt: skip
    assert got.headers["x-unsprawl-params-dropped"] == "temperature"
    assert got.headers["x-unsprawl-params-changed"] == "max_tokens: max_completion_tokens"
    facts = agent.entries()[0]["facts"]
    assert facts["params_dropped"] == ["temperature"]
    assert facts["params_changed"] == ["max_tokens: max_completion_tokens"]
    assert "translated" not in facts


def test_a_call_that_fits_goes_byte_for_byte(agent, vendor):
    put(agent, "openai", "gpt-5-mini")
    raw = json.dumps({"model": agent.route, "messages": SAY, "x": 1.50}).encode()
    got = agent.chat(raw.replace(b"1.5", b"1.50"))
    assert got.status == 200
    assert "x-unsprawl-params-dropped" not in got.headers
    wanted = raw.replace(b"1.5", b"1.50").replace(agent.route.encode(), b"gpt-5-mini")
    assert vendor.seen[0].body == wanted


def test_what_a_vendor_would_ignore_and_is_not_idle_is_refused(agent, vendor):
    put(agent, "anthropic-openai")
    schema = {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}
    got = agent.post("/v1/chat/completions", {"messages": SAY, "response_format": schema})
    error = got.json["error"]
    assert (got.status, error["code"], error["param"]) == (
        400, "cannot_translate", "response_format",
    )  # fmt: skip
    assert not vendor.seen
    text = {"messages": SAY, "response_format": {"type": "text"}, "temperature": 1.4, "n": 1}
    assert agent.post("/v1/chat/completions", text).status == 200
    assert vendor.seen[0].json["temperature"] == 1


def test_mistral_is_not_asked_for_the_usage_it_tells_anyway(agent, vendor):
    put(agent, "mistral")
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
    ended = [{"index": 0, "delta": {"content": "lo"}, "finish_reason": "stop"}]
    vendor.script = stream(
        [chunk_event("Hel"), chunk_event("", choices=ended, usage=usage), b"data: [DONE]\n\n"]
    )
    got = agent.post(
        "/v1/chat/completions",
        {"messages": SAY, "stream": True, "stream_options": {"include_usage": True}, "seed": 1},
    )
    assert got.status == 200
    assert vendor.seen[0].json == {
        "model": "vendor-model-1", "messages": SAY, "stream": True, "random_seed": 1,
    }  # fmt: skip
    assert agent.post("/v1/chat/completions", {"messages": SAY, "stream": True}).status == 200
    assert "stream_options" not in vendor.seen[1].json
    assert [call["output_tokens"] for call in agent.calls()] == [2, 2]


def test_a_vendor_without_responses_serves_them_by_chat(agent, vendor):
    put(agent, "gemini-openai")
    got = agent.post("/v1/responses", {"input": "Hi", "instructions": "Brief.", "store": False})
    (seen,) = vendor.seen
    assert seen.path == "/v1/chat/completions"
    assert seen.json["messages"] == [{"role": "system", "content": "Brief."}, *SAY]
    assert got.json["output"][0]["content"][0]["text"] == "Hello."
    assert (got.json["object"], got.json["status"]) == ("response", "completed")
    assert got.headers["x-unsprawl-translated"] == "responses->chat"
    vendor.script = stream()
    got = agent.post("/v1/responses", {"input": "Hi", "stream": True})
    assert b"response.completed" in got.body
    vendor.script = answer({"error": {"message": "Too much", "code": "x"}}, 429)
    assert agent.post("/v1/responses", {"input": "Hi"}).json["error"]["message"] == "Too much"


def test_translated_calls_are_fitted_too(make_agent, vendor):
    claude = make_agent(dialect="anthropic")
    put(claude, "anthropic", "claude-opus-4-7")
    vendor.script = answer(MESSAGE)
    got = claude.post("/v1/chat/completions", {"messages": SAY, "temperature": 0.3})
    assert got.status == 200
    assert "temperature" not in vendor.seen[0].json
    assert claude.entries()[0]["facts"]["params_dropped"] == ["temperature"]
