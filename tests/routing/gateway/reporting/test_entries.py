"""What agents report as JSON: each step once, in a run of their own, marked as their word."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.routing.gateway.conftest import Client, eventually
from tests.routing.gateway.detectors.samples import ANTHROPIC
from tests.routing.gateway.reporting.conftest import STEP, report, reports, steps
from tests.routing.gateway.test_streams import open_payload


def test_a_step_is_on_record_as_the_agents_word(agent, rig):
    got = report(agent, "invoice-7", STEP | {
        "started_at": "2026-11-21T09:30:00+01:00", "ended_at": "2026-11-21T09:30:01.5+01:00",
    })  # fmt: skip
    assert got.status == 201, got.body
    [entry] = reports(agent)
    assert got.json == {"run": entry["stream"], "entries": [{"id": entry["id"], "recorded": True}]}
    assert got.headers["x-unsprawl-run"] == entry["stream"]
    assert (entry["verb"], entry["actor"]) == ("tool.reported", f"agent:{agent.row.public_id}")
    assert entry["subject"] == f"run:{entry['stream']}"
    key = entry["facts"].pop("key")
    assert key.startswith("key_")
    assert entry["facts"] == {
        "reported": True, "type": "tool", "source": "api", "name": "crm.lookup", "status": "ok",
        "started_at": "2026-11-21T08:30:00.000000Z", "ended_at": "2026-11-21T08:30:01.500000Z",
        "duration_ms": 1500,
    }  # fmt: skip
    assert json.loads(open_payload(rig, agent.world, entry)) == {
        "arguments": {"id": 7}, "output": {"name": "Ada"},
    }  # fmt: skip
    [step] = steps(agent)
    assert (step["type"], step["name"], step["duration_ms"]) == ("tool", "crm.lookup", 1500)


def test_a_report_is_in_the_run_of_the_calls_beside_it(agent):
    called = agent.chat(x_unsprawl_run="job 1")
    told = report(agent, "job%201", STEP).json["run"]
    assert told == called.headers["x-unsprawl-run"]
    assert report(agent, told, STEP).json["run"] == told


@pytest.mark.parametrize(
    ("kind", "verb"),
    [
        ("tool", "tool.reported"), ("retrieval", "retrieval.reported"),
        ("model", "model_call.reported"), ("agent", "step.reported"), ("human", "step.reported"),
        ("decision", "decision.reported"), ("step", "step.reported"), ("note", "note.reported"),
    ],
)  # fmt: skip
def test_every_type_has_its_verb(agent, kind, verb):
    assert report(agent, "r", {"type": kind, "name": "n"}).status == 201
    assert reports(agent)[-1]["verb"] == verb


def test_many_steps_come_in_one_request_and_in_their_order(agent):
    named = [{"type": "note", "name": f"step {number}"} for number in range(100)]
    got = report(agent, "many", {"entries": named})
    assert got.status == 201
    assert [one["facts"]["name"] for one in reports(agent)] == [one["name"] for one in named]
    assert [one["id"] for one in got.json["entries"]] == [one["id"] for one in reports(agent)]


def test_a_step_that_comes_again_is_the_same_entry(agent):
    first = report(agent, "r", STEP | {"idempotency_key": "abc"})
    again = report(agent, "r", STEP | {"idempotency_key": "abc"})
    assert (first.status, again.status) == (201, 200)
    assert again.json["entries"] == [{"id": first.json["entries"][0]["id"], "recorded": False}]
    assert len(reports(agent)) == 1
    assert "abc" not in json.dumps(steps(agent))


def test_a_request_with_a_key_of_its_own_may_be_sent_again(agent):
    both = {"entries": [STEP, STEP]}
    first = report(agent, "r", both, idempotency_key="one")
    assert report(agent, "r", both, idempotency_key="one").status == 200
    assert report(agent, "r", both, idempotency_key="two").status == 201
    assert len({one["id"] for one in first.json["entries"]}) == 2
    assert len(reports(agent)) == 4


def test_the_same_key_of_two_agents_is_two_entries(make_agent):
    one, other = make_agent(), make_agent()
    for each in (one, other):
        assert report(each, "r", STEP | {"idempotency_key": "same"}).status == 201


def test_many_who_report_one_step_at_once_make_one_entry(agent):
    at_once = threading.Barrier(8)

    def send(_: int) -> str:
        at_once.wait()
        got = report(agent, "race", STEP | {"idempotency_key": "only"})
        assert got.status in {200, 201}
        return str(got.json["entries"][0]["id"])

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(send, range(8)))) == 1
    assert len(reports(agent)) == 1


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"kind": "intent"}, "kind"), ({"verb": "call.completed"}, "verb"),
        ({"recorded_at": "2020-01-01T00:00:00Z"}, "recorded_at"), ({"actor": "x"}, "actor"),
        ({"reported": False}, "reported"), ({"facts": {}}, "facts"), ({"agent": "a"}, "agent"),
        ({"type": "intent"}, "type"), ({"type": "result"}, "type"), ({"type": ["tool"]}, "type"),
        ({"name": ""}, "name"), ({"name": "n" * 201}, "name"), ({"name": 7}, "name"),
        ({"started_at": "yesterday"}, "started_at"), ({"ended_at": "2026-01-01"}, "ended_at"),
        ({"ended_at": "0001-01-01T00:00:00+23:00"}, "ended_at"), ({"ended_at": 5}, "ended_at"),
        ({"status": "fine"}, "status"), ({"parent": "the first"}, "parent"),
        ({"trace_id": "ab"}, "trace_id"), ({"span_id": "00f067aa0ba902b7"}, "span_id"),
        ({"usage": {"input_tokens": -1}}, "usage.input_tokens"),
        ({"usage": {"input_tokens": 2.5}}, "usage.input_tokens"),
        ({"usage": {"tokens": 1}}, "usage"), ({"cost": {"currency": "USD"}}, "cost.micros"),
        ({"cost": {"micros": True}}, "cost.micros"),
        ({"cost": {"micros": 1, "currency": "usd"}}, "cost.currency"),
    ],
)  # fmt: skip
def test_what_the_shape_does_not_have_is_refused_by_name(agent, wrong, where):
    got = report(agent, "r", STEP | wrong)
    assert (got.status, got.json["code"]) == (400, "routing.report_unreadable")
    assert got.json["param"] == where
    assert got.headers["content-type"] == "application/problem+json"
    assert not reports(agent)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"7", b'"x"', b"null", b'{"entries": []}', b'{"entries": {}}', b"\xff\xfe",
        b'{"entries": [' + b"[" * 100 + b"]" * 100 + b"]}", b'{"type": "note", "type": "tool"}',
        b'{"entries": [' + b'{"type":"note","name":"n"},' * 100 + b'{"type":"note","name":"n"}]}',
        b'{"type": "note", "name": "\\ud800"}', b'{"type": "note", "name": NaN}',
    ],
)  # fmt: skip
def test_what_is_no_report_is_refused_whole(agent, body):
    got = report(agent, "r", body)
    assert got.status == 400
    assert not reports(agent)


def test_one_wrong_step_keeps_all_of_its_request_out(agent):
    got = report(agent, "r", {"entries": [STEP, STEP | {"type": "x"}]})
    assert got.json["detail"].startswith("entries[1]: type")
    assert not reports(agent)


def test_a_body_beyond_the_limit_is_refused(agent):
    got = report(agent, "r", STEP | {"output": "x" * (4 * 1024 * 1024)})
    assert (got.status, got.json["code"]) == (413, "kernel.body_too_large")


def test_a_long_output_is_cut_and_says_so(agent, rig):
    assert report(agent, "r", STEP | {"output": "é" * 600_000}).status == 201
    [entry] = reports(agent)
    assert entry["facts"]["payload_cut"] is True
    kept = json.loads(open_payload(rig, agent.world, entry))
    assert kept["output"].endswith("[cut]")
    assert kept["arguments"] == {"id": 7}


def test_credentials_are_recorded_nowhere(agent, rig):
    said = STEP | {
        "name": f"login {ANTHROPIC}", "error": ANTHROPIC, "arguments": {"key": ANTHROPIC},
        "output": f"it was {agent.key}", "idempotency_key": ANTHROPIC,
    }  # fmt: skip
    assert report(agent, "r", said).status == 201
    [entry] = reports(agent)
    kept = open_payload(rig, agent.world, entry).decode()
    for place in (json.dumps(entry), kept, json.dumps(steps(agent))):
        assert ANTHROPIC not in place
        assert agent.key not in place
    assert entry["facts"]["secrets_removed"] == 2
    assert entry["facts"]["name"] == "login [redacted: secret]"


def test_a_run_of_another_agent_is_no_run_of_ours(make_agent):
    one, other = make_agent(), make_agent()
    theirs = report(other, "theirs", STEP).json["run"]
    got = report(one, theirs, STEP)
    assert (got.status, got.json["code"]) == (404, "routing.reported_run_unknown")
    # By its label it is a run of one's own, of the same name.
    assert report(one, "theirs", STEP).json["run"] != theirs
    assert len(reports(other)) == 1


def test_a_run_must_have_a_name(agent):
    assert report(agent, "%20", STEP).json["code"] == "routing.run_label_unusable"
    assert report(agent, "x" * 201, STEP).status == 400


@pytest.mark.parametrize("key", ["", "usp_wrong", "ust_0000"])
def test_without_an_agents_key_nothing_is_reported(served, key):
    got = report(Client(served.port, key), "r", STEP)
    assert got.status == 401
    assert got.headers["www-authenticate"].startswith("Bearer")
    assert got.json["code"].startswith("routing.key_")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("suspended_at = now(), suspended_reason = 'x'", "routing.agent_suspended"),
        (
            "suspended_at = now(), suspended_reason = 'x', killed_at = now()",
            "routing.agent_killed",
        ),
    ],
)
def test_an_agent_that_may_not_call_may_not_report(make_agent, change, code):
    agent = make_agent()
    agent.world.change(f"UPDATE registry_agent SET {change} WHERE id = %s", agent.row.pk)
    eventually(lambda: report(agent, "r", STEP).status == 403)
    assert report(agent, "r", STEP).json["code"] == code


def test_only_posting_is_taken(agent):
    assert agent.ask("GET", "/api/v1/runs/r/entries").status == 405
    assert agent.ask("POST", "/api/v1/runs//entries", b"{}").status in {404, 400}


def test_a_parent_may_be_an_entry_or_a_span(agent):
    first = report(agent, "r", STEP).json["entries"][0]["id"]
    report(agent, "r", STEP | {"parent": first})
    report(agent, "r", STEP | {"parent": "00f067aa0ba902b7"})
    assert [one["facts"].get("parent") for one in reports(agent)] == [
        None, first, "00f067aa0ba902b7",
    ]  # fmt: skip


def test_times_are_kept_as_told_and_doubted_aloud(agent):
    report(agent, "r", STEP | {
        "started_at": "2026-11-21T10:00:00Z", "ended_at": "2026-11-21T09:00:00Z",
    })  # fmt: skip
    report(agent, "r", STEP | {"started_at": "2199-01-01T00:00:00Z"})
    report(agent, "r", STEP | {"started_at": "1999-01-01T00:00:00Z"})
    facts = [one["facts"] for one in reports(agent)]
    assert [one.get("clock_doubtful") for one in facts] == [True, True, None]
    assert "duration_ms" not in facts[0]
    assert all(one["recorded_at"] > "2026-11-21" for one in reports(agent))


def test_what_a_step_cost_is_theirs_to_say_and_in_no_sum_of_ours(agent):
    agent.chat(x_unsprawl_run="sums")
    report(agent, "sums", {
        "type": "model", "name": "chat elsewhere", "model": "gpt-5", "provider": "openai",
        "usage": {"input_tokens": 1000, "output_tokens": 50}, "cost": {"micros": 777},
    })  # fmt: skip
    assert len(agent.calls()) == 1
    [step] = steps(agent)
    assert (step["input_tokens"], step["cost_micros"], step["observed"]) == (1000, 777, "")
    assert reports(agent)[0]["facts"]["currency"] == "USD"


def test_a_delegated_report_says_for_whom(make_agent):
    giver, doer = make_agent(), make_agent()
    giver.world.change(
        "UPDATE registry_agent SET routes = %s WHERE id = %s", [giver.route, doer.route],
        giver.row.pk,
    )  # fmt: skip
    got = report(doer, "r", STEP, x_unsprawl_acting_for="Ada")
    assert got.status == 201
    assert reports(doer)[0]["facts"]["acting_for_claimed"] == "Ada"
    refused = report(doer, "r", STEP, x_unsprawl_delegation="usd_nonsense")
    assert (refused.status, refused.json["code"]) == (403, "routing.delegation_invalid")
