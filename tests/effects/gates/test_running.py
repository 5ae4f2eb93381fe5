"""Checks in the life of a proposal: fast ones at once, slow ones by the worker, a no denies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from effects.gates.opinion import read_opinion
from effects.gates.running import run_waiting
from effects.models import Gate, Operation, Proposal
from kernel import clock
from ledger.models import Entry
from ledger.payloads import open_recorded
from registry.actors import Actor
from registry.models import AgentKey
from tests.effects.proposals.story import TEXT, Story, make_connection, make_operation
from tests.effects.sinks import HttpSink, http_sink
from tests.factories import make_agent, make_route

WORKER = Actor.system("checks")
SMALL = {
    "name": "small",
    "kind": "json_schema",
    "schema": {"properties": {"amount": {"maximum": 500}}},
    "reason": "more than 500 needs the finance system",
}
OPINION = {
    "name": "tone",
    "kind": "second_opinion",
    "agent": "second-opinion",
    "route": "sandbox",
    "criteria": ["The note threatens somebody."],
}
KNOWN = {
    "name": "known",
    "kind": "reference",
    "operation": "erp.find",
    "arguments": {"customer": "/customer"},
}


def demand(*checks: dict[str, Any]) -> None:
    Operation.objects.filter(name="add-note").update(checks=list(checks))


def again_now() -> None:
    Gate.objects.update(claimed_until=clock.now() - timedelta(seconds=1))


def state_of(made: Proposal) -> tuple[str, str]:
    made.refresh_from_db()
    return made.state, made.decided_how


@pytest.fixture
def sink() -> Iterator[HttpSink]:
    with http_sink() as running:
        yield running


def test_a_fast_check_denies_before_anybody_is_asked(story: Story) -> None:
    demand(SMALL)
    answer = story.propose(arguments={"amount": 501}).json()
    assert (answer["state"], answer["decided_by"]) == ("denied", "check")
    assert answer["reason"] == (
        "The check small did not pass: more than 500 needs the finance system."
    )
    gate = Gate.objects.get()
    assert (gate.state, Entry.objects.get(entry_id=gate.entry).verb) == ("failed", "gate.failed")
    assert "review_url" not in answer


def test_a_fast_check_that_passes_is_on_record_and_people_are_asked(story: Story) -> None:
    demand(SMALL)
    made = story.waiting(arguments={"amount": 500})
    assert Gate.objects.get().state == "passed"
    assert made.review_id != ""


class Opinions:
    """A gateway that answers as a model would; what it was asked is kept."""

    def __init__(self, server: HTTPServer, *contents: str, status: int = 200) -> None:
        body = {"choices": [{"message": {"content": text}} for text in contents]}
        handler = server.expect_request("/v1/chat/completions", method="POST")
        handler.respond_with_json(body, status=status, headers={"x-unsprawl-run": "run_1"})
        self.server = server

    @property
    def asked(self) -> Any:
        return [json.loads(request.data) for request, _ in self.server.log]


@pytest.fixture
def second(story: Story, settings: Any, httpserver: HTTPServer) -> HTTPServer:
    settings.GATEWAY_INTERNAL_URL = httpserver.url_for("").rstrip("/")
    make_route("sandbox")
    make_agent("second-opinion", owner=story.cast.pat, stage="live")
    return httpserver


def test_people_are_asked_once_the_second_opinion_is_yes(story: Story, second: HTTPServer) -> None:
    gateway = Opinions(second, '{"verdict": "pass", "criterion": null, "note": "Polite."}')
    demand(OPINION)
    made = story.waiting()
    assert made.review_id == ""
    assert run_waiting(actor=WORKER) == 1
    assert state_of(made) == ("proposed", "")
    assert made.review_id != ""
    gate = Gate.objects.get()
    assert (gate.state, gate.run_id) == ("passed", "run_1")
    assert json.loads(open_recorded(gate.entry))["note"] == "Polite."
    # The action is data beside a prompt that never changes, and its run is the proposal's.
    [asked] = gateway.asked
    assert "Called back." not in asked["messages"][0]["content"]
    assert json.loads(asked["messages"][1]["content"])["action"]["arguments"]["customer"] == "c-17"
    assert second.log[0][0].headers["x-unsprawl-run"] == made.public_id
    # It had a key for one call.
    assert AgentKey.objects.get(agent__name="second-opinion").revoked_at is not None


def test_a_no_of_the_second_opinion_denies_in_the_words_of_the_check(
    story: Story, second: HTTPServer
) -> None:
    Opinions(second, '{"verdict": "fail", "criterion": 1, "note": "Secret words."}')
    demand(OPINION)
    made = story.waiting()
    run_waiting(actor=WORKER)
    assert state_of(made) == ("denied", "check")
    assert made.reason == "The check tone did not pass: The note threatens somebody."
    assert "Secret words" not in Gate.objects.get().reason


@pytest.mark.parametrize(
    "said",
    [
        "",
        "I think that is fine.",
        '{"verdict": "pass"}',
        '{"verdict": "pass", "criterion": 1, "note": ""}',
        '{"verdict": "fail", "criterion": 9, "note": ""}',
        '{"verdict": "fail", "criterion": true, "note": ""}',
        '{"verdict": "pass", "criterion": null, "note": "", "more": 1}',
        '{"verdict": "pass", "verdict": "fail", "criterion": null, "note": ""}',
        '{"verdict": "pass", "criterion": null, "note": ""} and so on',
    ],
)
def test_what_is_no_clean_answer_is_a_no(said: str) -> None:
    raw = json.dumps({"choices": [{"message": {"content": said}}]}).encode()
    assert (
        read_opinion(raw, {0: "a", 1: "b"}, "").reason == "the second opinion was no clean answer"
    )


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b'{"choices": [{"message": {}}]}', b"\xff"])
def test_what_is_no_answer_of_a_model_is_a_no(raw: bytes) -> None:
    assert read_opinion(raw, {0: "a"}, "").reason != ""


def test_a_gateway_that_is_away_is_asked_three_times_and_then_it_is_a_no(
    story: Story, second: HTTPServer, settings: Any
) -> None:
    settings.GATEWAY_INTERNAL_URL = "http://127.0.0.1:9"
    demand(OPINION)
    made = story.waiting()
    for _ in range(2):
        assert run_waiting(actor=WORKER) == 0
        assert state_of(made) == ("proposed", "")
        assert run_waiting(actor=WORKER) == 0  # not before its time
        again_now()
    assert run_waiting(actor=WORKER) == 1
    assert state_of(made) == ("denied", "check")
    assert made.reason == "The check tone did not pass: it could not be asked."


def test_no_agent_is_its_own_second_opinion(story: Story, second: HTTPServer) -> None:
    demand(OPINION | {"agent": story.agent.name})
    made = story.waiting()
    run_waiting(actor=WORKER)
    assert "own second opinion" in Proposal.objects.get(pk=made.pk).reason
    assert second.log == []


@pytest.mark.parametrize(("known", "ends"), [("c-17", "proposed"), ("c-18", "denied")])
def test_what_the_action_speaks_of_must_be_there(
    story: Story, sink: HttpSink, known: str, ends: str
) -> None:
    sink.keys[known] = 1
    erp = make_connection(
        "erp", adapter="http", settings={"base_url": sink.url}, allow_private=True
    )
    customer = {"$argument": "/customer"}
    make_operation(
        erp, "find", effect="read",
        arguments_schema={"type": "object", "properties": {"customer": TEXT}},
        template={"method": "GET", "path": "/v1/customers"},
        lookup={
            "path": "/v1/customers",
            "query": {"key": customer},
            "done": {"pointer": "/items/0/key", "equals": customer},
        },
    )  # fmt: skip
    demand(KNOWN)
    made = story.waiting()
    assert run_waiting(actor=WORKER) == 1
    assert state_of(made)[0] == ends
    assert bool(made.review_id) is (ends == "proposed")


def test_a_look_up_that_reads_nothing_is_a_no(story: Story) -> None:
    demand(
        KNOWN | {"operation": "crm.find", "arguments": {"customer": "/customer", "note": "/note"}}
    )
    made = story.waiting()
    run_waiting(actor=WORKER)
    assert "no operation that looks something up" in Proposal.objects.get(pk=made.pk).reason


def test_what_was_withdrawn_meanwhile_is_not_judged(story: Story, second: HTTPServer) -> None:
    demand(OPINION)
    made = story.waiting()
    story.api.delete(f"/api/v1/proposals/{made.public_id}")
    assert run_waiting(actor=WORKER) == 1
    assert state_of(made) == ("withdrawn", "agent")
    assert second.log == []


def test_a_check_that_policy_demands_and_nobody_wrote_denies(story: Story) -> None:
    from effects.gates.checks import gates_for
    from effects.gates.errors import CheckUnknown

    operation = Operation.objects.get(name="add-note")
    with pytest.raises(CheckUnknown):
        gates_for(operation, {"checks": ["tone"]})
