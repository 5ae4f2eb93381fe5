"""Screens and stages: what they hand on is what is sent, delivered and recorded."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from kernel.errors import Denied
from routing.gateway.app import Parts
from routing.gateway.relay import Asked, Passage, Relay, Relays, Stage, Withheld
from routing.gateway.sse import Event
from routing.gateway.wires.chat import Chat
from routing.gateway.wires.messages import Messages
from tests.routing.gateway.conftest import ServedGateway
from tests.routing.gateway.scripted import DONE, STREAM, USAGE_EVENT, answer, chunk_event, stream
from tests.routing.gateway.test_streams import open_payload

Bind = Callable[[Relays], None]


class Forbidden(Denied):
    code = "routing.test_forbidden"
    title = "A test does not want this"


class Shout(Stage):
    """Says everything in capitals, and holds every event until the next one comes."""

    def __init__(self) -> None:
        self._held: list[Event] = []

    def whole(self, status: int, body: bytes) -> Awaitable[bytes]:
        async def later() -> bytes:
            return body.replace(b"Hello", b"HELLO").replace(b"refused", b"REFUSED")

        return later()

    def take(self, event: Event) -> list[Event]:
        if event.data == b"[DONE]":
            return [Event(b": the end\n\n", b""), event]
        given, self._held = self._held, [Event(event.raw.replace(b"Hel", b"HEL"), None)]
        return given

    def finish(self) -> list[Event]:
        given, self._held = self._held, []
        return given

    def facts(self) -> dict[str, Any]:
        return {"shouted": True}


class Refuse(Stage):
    """Lets nothing with a forbidden word pass."""

    def whole(self, status: int, body: bytes) -> bytes:
        if b"Hello" in body:
            raise Forbidden
        return body

    def take(self, event: Event) -> list[Event]:
        if b'"lo"' in event.raw:
            raise Forbidden
        return [event]


@pytest.fixture
def bind(served: ServedGateway) -> Iterator[Bind]:
    process = served.process
    before: Parts = process._parts

    def put(relays: Relays) -> None:
        process._parts = replace(before, pipeline=replace(before.pipeline, relays=relays))

    yield put
    process._parts = before


def made_of(stage: type[Stage]) -> Relays:
    return Relays(makers=(lambda asked, target: stage(),))


def test_nothing_stands_between_when_nothing_is_bound() -> None:
    asked: Any = None
    assert Relays().relay(asked, asked, Passage(Chat(), b"")) is None


async def test_stages_work_one_after_the_other() -> None:
    class Twice(Stage):
        def take(self, event: Event) -> list[Event]:
            return [event, event]

    relay = Relay([Shout(), Twice()])
    assert relay.take(Event(b"1", None)) == []
    assert [event.raw for event in relay.take(Event(b"2", None))] == [b"1", b"1"]
    assert [event.raw for event in await relay.finish()] == [b"2", b"2"]


def test_a_whole_answer_is_recorded_as_it_was_made(agent, vendor, bind, rig) -> None:
    bind(made_of(Shout))
    got = agent.chat()
    assert got.json["choices"][0]["message"]["content"] == "HELLO."
    assert got.headers["content-length"] == str(len(got.body))
    result = agent.entries()[-1]
    assert open_payload(rig, agent.world, result) == got.body
    assert result["facts"]["shouted"] is True
    assert result["facts"]["output_tokens"] == 3


def test_a_vendors_error_goes_through_the_stages_too(agent, vendor, bind) -> None:
    bind(made_of(Shout))
    vendor.script = answer({"error": {"message": "refused", "code": "x"}}, 400)
    got = agent.chat()
    assert (got.status, got.json["error"]["message"]) == (400, "REFUSED")


def test_a_stream_is_recorded_as_it_was_made_and_nothing_stays_held(
    agent, vendor, bind, rig
) -> None:
    bind(made_of(Shout))
    vendor.script = stream()
    got = agent.stream()
    assert got.body == STREAM[0].replace(b"Hel", b"HEL") + STREAM[1] + b": the end\n\n" + DONE
    assert open_payload(rig, agent.world, agent.entries()[-1]) == got.body


@pytest.mark.parametrize("cut", [True, False])
def test_what_was_held_comes_before_the_error_of_a_stream_that_breaks_off(
    agent, vendor, bind, cut
) -> None:
    bind(made_of(Shout))
    vendor.script = stream(STREAM[:2], cut=cut)
    *events, last = agent.stream().body.rstrip(b"\n").split(b"\n\n")
    assert events == [STREAM[0].replace(b"Hel", b"HEL")[:-2], STREAM[1][:-2]]
    assert json.loads(last.removeprefix(b"data: "))["error"]["code"] == "upstream_cut"


def test_a_whole_answer_that_a_stage_refuses_is_withheld(agent, vendor, bind, rig) -> None:
    bind(made_of(Refuse))
    got = agent.chat()
    assert (got.status, got.code) == (403, "test_forbidden")
    result = agent.entries()[-1]
    facts = result["facts"]
    assert (result["verb"], facts["error"], facts["withheld"]) == (
        "call.failed", "test_forbidden", True,
    )  # fmt: skip
    assert (facts["output_tokens"], open_payload(rig, agent.world, result)) == (3, b"")


def test_a_stream_that_a_stage_refuses_ends_in_an_error_event(agent, vendor, bind, rig) -> None:
    bind(made_of(Refuse))
    vendor.script = stream()
    got = agent.stream()
    first, last, _ = got.body.split(b"\n\n")
    assert first + b"\n\n" == STREAM[0]
    assert json.loads(last.removeprefix(b"data: "))["error"]["code"] == "test_forbidden"
    result = agent.entries()[-1]
    assert (result["verb"], result["facts"]["error"]) == ("call.cut", "test_forbidden")
    assert open_payload(rig, agent.world, result) == got.body


def test_a_refusal_of_a_stage_is_no_reason_to_try_another_target(agent, vendor, bind) -> None:
    bind(made_of(Refuse))
    agent.chat()
    agent.chat()
    assert len(vendor.seen) == 2


class Soften:
    """Asks more politely, and tells policy and the record that it did."""

    def concerns(self, asked: Asked) -> bool:
        return True

    async def screen(self, asked: Asked) -> Asked:
        if b"dynamite" in asked.raw:
            raise Withheld(Forbidden(), {"found": ["dynamite:1"]})
        polite = asked.raw.replace(b"Say hello.", b"Please say hello.")
        return replace(asked.rewritten(polite, {"polite": True}), told={"found": ["rudeness"]})


def test_what_a_screen_returns_is_what_is_sent_and_recorded(agent, vendor, bind, rig) -> None:
    bind(Relays(screens=(Soften(),)))
    assert agent.chat().status == 200
    assert vendor.seen[0].json["messages"][0]["content"] == "Please say hello."
    intent = agent.entries()[0]
    assert intent["facts"]["polite"] is True
    recorded = json.loads(open_payload(rig, agent.world, intent))
    assert recorded["messages"][0]["content"] == "Please say hello."


def test_a_call_that_a_screen_stops_reaches_nobody_and_is_on_record(agent, vendor, bind) -> None:
    bind(Relays(screens=(Soften(),)))
    got = agent.chat({"model": "sandbox", "messages": [{"role": "user", "content": "dynamite"}]})
    assert (got.status, got.code, vendor.seen) == (403, "test_forbidden", [])
    (entry,) = agent.entries()
    assert (entry["kind"], entry["id"]) == ("decision", got.json["error"]["entry"])
    assert entry["facts"]["found"] == ["dynamite:1"]
    (call,) = agent.calls()
    assert (call["status"], call["error_code"]) == ("denied", "test_forbidden")


class Translate(Stage):
    """From Anthropic's dialect, as far as this test needs it."""

    def whole(self, status: int, body: bytes) -> bytes:
        said = json.loads(body)
        return json.dumps({"choices": [{"message": {"content": said["content"]}}]}).encode()

    def take(self, event: Event) -> list[Event]:
        document = json.loads(event.data or b"{}")
        match document.get("type"):
            case "content_block_delta":
                return [Event(chunk_event(document["delta"]["text"]), None)]
            case "message_stop":
                return [Event(USAGE_EVENT, None), Event(DONE, b"[DONE]")]
            case _:
                return []


def other_way(asked: Asked, target: Any) -> Passage:
    body = json.dumps({"model": target.model.name, "max_tokens": 5, "messages": []}).encode()
    return Passage(Messages(), body, {"params_dropped": ["n"]}, Translate)


def anthropic_events(*kinds: dict[str, Any]) -> list[bytes]:
    return [b"data: " + json.dumps(kind).encode() + b"\n\n" for kind in kinds]


ANTHROPIC = anthropic_events(
    {"type": "message_start", "message": {"id": "msg_1", "model": "vendor-model-1",
     "usage": {"input_tokens": 7, "output_tokens": 1}}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
    {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 4}},
    {"type": "message_stop"},
)  # fmt: skip


def test_a_passage_is_read_by_one_wire_and_answered_in_another(agent, vendor, bind) -> None:
    bind(Relays(passage=other_way))
    vendor.script = stream(ANTHROPIC)
    assert agent.stream().body == chunk_event("Hi") + USAGE_EVENT + DONE
    assert vendor.seen[0].path == "/v1/messages"
    assert vendor.seen[0].json["model"] == "vendor-model-1"
    intent, result = agent.entries()
    assert intent["facts"]["params_dropped"] == ["n"]
    assert (result["facts"]["input_tokens"], result["facts"]["output_tokens"]) == (7, 4)


def test_a_passage_that_is_cut_ends_in_the_agents_dialect(agent, vendor, bind) -> None:
    bind(Relays(passage=other_way))
    vendor.script = stream(ANTHROPIC[:2], cut=True)
    first, last, _ = agent.stream().body.split(b"\n\n")
    assert first + b"\n\n" == chunk_event("Hi")
    assert json.loads(last.removeprefix(b"data: "))["error"]["code"] == "upstream_cut"
