"""Data protection through the gateway: what reaches vendor, agent and record."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from routing.gateway.detectors.rules import SECRETS_ONLY, rules_for
from routing.gateway.options import RouteOptions
from routing.gateway.protection import Protection, ProtectionUnusable, read_protection
from routing.gateway.removal import NOT_KEPT, without_secrets
from tests.routing.gateway.conftest import ServedGateway, eventually
from tests.routing.gateway.detectors.samples import ANTHROPIC
from tests.routing.gateway.scripted import COMPLETION, DONE, answer, chunk_event, stream
from tests.routing.gateway.shapes import MESSAGE, message_event
from tests.routing.gateway.test_streams import open_payload

CARD = "4111 1111 1111 1111"
REDACT = {"detectors": {"request": {"card": "redact"}, "response": {"card": "redact"}}}


def asking(text: str, **over: Any) -> dict[str, Any]:
    return {"model": "sandbox", "messages": [{"role": "user", "content": text}]} | over


def saying(text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return COMPLETION | {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}


def said(body: bytes) -> str:
    """Return what a chat stream says, read as a client reads it."""
    events = [event.removeprefix(b"data: ") for event in body.split(b"\n\n") if event]
    documents = [json.loads(event) for event in events if event != b"[DONE]"]
    deltas = [choice["delta"] for each in documents for choice in each.get("choices", [])]
    return "".join(delta.get("content") or "" for delta in deltas)


def finish(reason: str = "stop") -> bytes:
    return chunk_event("", choices=[{"index": 0, "delta": {}, "finish_reason": reason}])


def recorded(rig: Any, agent: Any, entry: dict[str, Any]) -> str:
    return open_payload(rig, agent.world, entry).decode()


def test_a_card_is_removed_from_a_call_and_from_its_answer(make_agent, vendor, rig) -> None:
    agent = make_agent(options=REDACT)
    vendor.script = answer(saying(f"You said {CARD}."))
    got = agent.chat(asking(f"My card is {CARD}, or {CARD}."))
    assert vendor.seen[0].json["messages"][0]["content"] == (
        "My card is [redacted: card], or [redacted: card]."
    )
    assert got.json["choices"][0]["message"]["content"] == "You said [redacted: card]."
    intent, result = agent.entries()
    assert intent["facts"]["found_in_request"] == ["card:2:redact"]
    assert result["facts"]["found_in_response"] == ["card:1:redact"]
    assert CARD not in recorded(rig, agent, intent) + recorded(rig, agent, result)
    assert recorded(rig, agent, result) == got.body.decode()


def test_a_blocked_call_reaches_nobody_and_is_on_record_in_numbers(make_agent, vendor) -> None:
    agent = make_agent(options={"detectors": {"request": {"card": "block", "email": "allow"}}})
    got = agent.chat(asking(f"{CARD} of a@b.io"))
    assert (got.status, got.code, vendor.seen) == (403, "data_blocked", [])
    assert got.json["error"]["rule"] == "data.card"
    (entry,) = agent.entries()
    assert (entry["kind"], entry["id"]) == ("decision", got.json["error"]["entry"])
    assert entry["facts"]["found_in_request"] == ["card:1:block", "email:1:allow"]
    assert CARD not in json.dumps(entry)
    assert "payload" not in entry
    (call,) = agent.calls()
    assert (call["status"], call["error_code"]) == ("denied", "data_blocked")


def test_an_allowed_kind_is_counted_and_passes_untouched(make_agent, vendor) -> None:
    agent = make_agent(options={"detectors": {"request": {"card": "allow"}}})
    raw = json.dumps(asking(CARD, model=agent.route))
    agent.chat(raw.encode())
    assert vendor.seen[0].json["messages"][0]["content"] == CARD
    assert agent.entries()[0]["facts"]["found_in_request"] == ["card:1:allow"]


def test_a_blocked_answer_is_withheld(make_agent, vendor, rig) -> None:
    agent = make_agent(options={"detectors": {"response": {"card": "block"}}})
    vendor.script = answer(saying(CARD))
    got = agent.chat()
    assert (got.status, got.code) == (403, "answer_blocked")
    result = agent.entries()[-1]
    assert result["facts"]["found_in_response"] == ["card:1:block"]
    assert (result["facts"]["withheld"], recorded(rig, agent, result)) == (True, "")


@pytest.mark.parametrize("size", [1, 3, 7])
def test_a_card_is_removed_from_a_stream_however_it_is_split(make_agent, vendor, rig, size) -> None:
    agent = make_agent(options=REDACT)
    text = f"Yes: {CARD} is it, and 4111 is not."
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    vendor.script = stream([*map(chunk_event, pieces), finish(), DONE])
    got = agent.stream()
    assert said(got.body) == "Yes: [redacted: card] is it, and 4111 is not."
    assert got.body.endswith(DONE)
    result = agent.entries()[-1]
    assert recorded(rig, agent, result) == got.body.decode()
    assert result["facts"]["found_in_response"] == ["card:1:redact"]


def test_what_is_held_comes_before_the_end_and_before_a_break(make_agent, vendor) -> None:
    agent = make_agent(options=REDACT)
    vendor.script = stream([chunk_event("Total: 4111 11"), finish(), DONE])
    got = agent.stream()
    assert said(got.body) == "Total: 4111 11"
    assert got.body.index(b"4111 11") < got.body.index(b'"stop"')
    vendor.script = stream([chunk_event("Total: 4111 11")], cut=True)
    *events, last = agent.stream().body.rstrip(b"\n").split(b"\n\n")
    assert said(b"\n\n".join(events)) == "Total: 4111 11"
    assert b"upstream_cut" in last


def test_events_with_nothing_in_them_pass_byte_for_byte(make_agent, vendor) -> None:
    agent = make_agent(options=REDACT)
    events = [b": ping\n\n", chunk_event("Hello. "), chunk_event("Fine. "), finish(), DONE]
    vendor.script = stream(events)
    assert agent.stream().body == b"".join(events)


def test_a_stream_with_a_blocked_kind_ends_in_an_error_before_any_of_it(make_agent, vendor) -> None:
    agent = make_agent(options={"detectors": {"response": {"card": "block"}}})
    pieces = ["It is ", "4111 1111 ", "1111 1111", " ", "so."]
    vendor.script = stream([*map(chunk_event, pieces), finish(), DONE])
    got = agent.stream()
    *events, last = got.body.rstrip(b"\n").split(b"\n\n")
    assert said(b"\n\n".join(events)) == "It is "
    assert json.loads(last.removeprefix(b"data: "))["error"]["code"] == "answer_blocked"
    assert b"4111" not in got.body
    assert agent.entries()[-1]["facts"]["found_in_response"] == ["card:1:block"]


def tool_chunk(arguments: str, **over: Any) -> bytes:
    call = {"index": 0, "function": {"arguments": arguments}}
    delta = {"tool_calls": [call]}
    return chunk_event("", choices=[{"index": 0, "delta": delta, "finish_reason": None}], **over)


def test_the_arguments_of_a_tool_stay_a_document(make_agent, vendor) -> None:
    agent = make_agent(options=REDACT)
    pieces = [
        '{"card',
        '": 4111',
        "11111111",
        '1111, "to": "pay \\u00',
        "34111 1111 1111 ",
        '1111"}',
    ]
    vendor.script = stream([*map(tool_chunk, pieces), finish("tool_calls"), DONE])
    documents = [
        json.loads(event[6:]) for event in agent.stream().body.split(b"\n\n") if event[6:7] == b"{"
    ]
    deltas = [choice["delta"] for each in documents for choice in each["choices"]]
    text = "".join(
        delta["tool_calls"][0]["function"]["arguments"] for delta in deltas if "tool_calls" in delta
    )
    assert json.loads(text) == {"card": "[redacted: card]", "to": "pay [redacted: card]"}


def test_probabilities_of_tokens_do_not_repeat_what_was_removed(make_agent, vendor) -> None:
    agent = make_agent(options=REDACT)
    spelled = {"content": [{"token": part, "logprob": 0} for part in CARD.split()]}
    document = saying(CARD)
    document["choices"][0]["logprobs"] = spelled
    vendor.script = answer(document)
    assert agent.chat().json["choices"][0]["logprobs"] is None


def test_an_event_that_is_too_big_to_be_looked_at_ends_the_stream(make_agent, vendor) -> None:
    agent = make_agent(options=REDACT)
    big = chunk_event("x" * 600_000)
    pieces = [chunk_event("Hi. "), big[:300_000], big[300_000:], finish(), DONE]
    vendor.script = stream(pieces, pause=0.1)
    got = agent.stream()
    assert b'"detector_failed"' in got.body
    assert b"xxxx" not in got.body


MESSAGES = {"max_tokens": 9, "messages": [{"role": "user", "content": [
    {"type": "text", "text": f"Card {CARD}"},
    {"type": "tool_result", "tool_use_id": "t", "content": f"it is {CARD}"}]}],
    "system": [{"type": "text", "text": CARD}]}  # fmt: skip


def test_messages_are_looked_at_wherever_text_is(make_agent, vendor) -> None:
    agent = make_agent(dialect="anthropic", options=REDACT)
    blocks = [
        {"type": "text", "text": f"Yes {CARD}"},
        {"type": "tool_use", "id": "t", "name": "pay", "input": {"card": 4111111111111111}},
    ]
    vendor.script = answer(MESSAGE | {"content": blocks})
    got = agent.post("/v1/messages", MESSAGES, anthropic_version="2023-06-01")
    assert "4111" not in vendor.seen[0].body.decode() + got.body.decode()
    assert got.json["content"][1]["input"] == {"card": "[redacted: card]"}
    assert agent.entries()[0]["facts"]["found_in_request"] == ["card:3:redact"]


def test_a_stream_of_messages_ends_each_block_with_what_was_held(make_agent, vendor) -> None:
    agent = make_agent(dialect="anthropic", options=REDACT)

    def delta(index: int, **said: str) -> bytes:
        return message_event("content_block_delta", index=index, delta=said)

    vendor.script = stream([
        message_event("message_start", message=MESSAGE | {"content": []}),
        delta(0, type="text_delta", text="No 4111 "),
        delta(0, type="text_delta", text="1111 11"),
        message_event("content_block_stop", index=0),
        delta(1, type="input_json_delta", partial_json='{"n": "4111 1111 '),
        delta(1, type="input_json_delta", partial_json='1111 1111"}'),
        message_event("content_block_stop", index=1),
        message_event("message_delta", delta={}, usage={"output_tokens": 3}),
        message_event("message_stop"),
    ])  # fmt: skip
    got = agent.post("/v1/messages", MESSAGES | {"stream": True}, anthropic_version="2023-06-01")
    texts: dict[int, str] = {}
    for event in got.body.split(b"\n\n")[:-1]:
        document = json.loads(event.partition(b"data: ")[2])
        if document["type"] == "content_block_delta":
            piece = document["delta"].get("text") or document["delta"].get("partial_json") or ""
            texts[document["index"]] = texts.get(document["index"], "") + piece
    assert texts == {0: "No 4111 1111 11", 1: '{"n": "[redacted: card]"}'}
    assert b"message_stop" in got.body[-80:]


def test_a_stream_of_responses_says_the_same_in_deltas_and_at_its_end(make_agent, vendor) -> None:
    agent = make_agent(options=REDACT)

    def event(kind: str, **more: Any) -> bytes:
        return f"event: {kind}\ndata: {json.dumps({'type': kind, **more})}\n\n".encode()

    where = {"item_id": "m", "output_index": 0, "content_index": 0}
    item = {"type": "message", "content": [{"type": "output_text", "text": f"Pay {CARD}"}]}
    vendor.script = stream([
        event("response.created", response={"id": "resp_1", "model": "vendor-model-1"}),
        event("response.output_text.delta", **where, delta="Pay 4111 1111 "),
        event("response.output_text.delta", **where, delta="1111 1111"),
        event("response.output_text.done", **where, text=f"Pay {CARD}"),
        event("response.completed", response={"id": "resp_1", "output": [item],
              "usage": {"input_tokens": 1, "output_tokens": 2}}),
    ])  # fmt: skip
    got = agent.post("/v1/responses", {"input": CARD, "stream": True})
    assert vendor.seen[0].json["input"] == "[redacted: card]"
    documents = [json.loads(each.partition(b"data: ")[2]) for each in got.body.split(b"\n\n")[:-1]]
    deltas = [each["delta"] for each in documents if each["type"].endswith(".delta")]
    assert "".join(deltas) == "Pay [redacted: card]"
    assert b"4111" not in got.body
    assert documents[-1]["response"]["output"][0]["content"][0]["text"] == "Pay [redacted: card]"


def test_embeddings_are_looked_at_too(make_agent, vendor) -> None:
    agent = make_agent(options=REDACT)
    vendor.script = answer({"data": [{"embedding": [0.1]}], "usage": {"prompt_tokens": 1}})
    agent.post("/v1/embeddings", {"input": ["a", CARD]})
    assert vendor.seen[0].json["input"] == ["a", "[redacted: card]"]


@pytest.mark.parametrize(
    "detectors",
    ["all", {"request": "card"}, {"request": {"gait": "redact"}}, {"request": {"card": "hide"}},
     {"response": {"x": "redact"}}],
)  # fmt: skip
def test_what_a_route_looks_for_and_nobody_knows_closes_its_calls(
    make_agent, vendor, detectors
) -> None:
    agent = make_agent(options={"detectors": detectors})
    got = agent.chat()
    assert (got.status, got.code, vendor.seen) == (503, "detector_failed", [])
    assert agent.entries()[0]["facts"]["error"] == "detector_failed"


def test_a_detector_that_fails_closes_the_call(make_agent, vendor) -> None:
    agent = make_agent(options=REDACT)
    rules = rules_for((("card", "redact"),), ())
    working = rules._detectors
    rules._detectors = [(working[0][0], None)]  # type: ignore[list-item]
    try:
        got = agent.chat(asking(CARD))
        assert (got.status, got.code, vendor.seen) == (503, "detector_failed", [])
        vendor.script = answer(saying(CARD))
        assert agent.chat().code == "detector_failed"
    finally:
        rules._detectors = working


# --- what the record never holds


def test_a_secret_reaches_the_vendor_where_nobody_says_otherwise_and_never_the_record(
    agent, vendor, rig
) -> None:
    vendor.script = answer(saying(f"Keep {ANTHROPIC} safe."))
    got = agent.chat(asking(f"Is {ANTHROPIC} a key?"))
    assert vendor.seen[0].json["messages"][0]["content"] == f"Is {ANTHROPIC} a key?"
    assert ANTHROPIC in got.body.decode()
    for entry in agent.entries():
        assert "[redacted: secret]" in recorded(rig, agent, entry)
        assert ANTHROPIC[8:] not in recorded(rig, agent, entry)
        assert entry["facts"]["secrets_removed"] == 1


@pytest.mark.parametrize("size", [2, 5, 400])
def test_a_secret_in_pieces_is_not_recorded_either(agent, vendor, rig, size) -> None:
    pieces = [ANTHROPIC[at : at + size] for at in range(0, len(ANTHROPIC), size)]
    vendor.script = stream([*map(chunk_event, ["Is ", *pieces, " it?"]), finish(), DONE])
    got = agent.stream()
    assert said(got.body) == f"Is {ANTHROPIC} it?"
    result = agent.entries()[-1]
    kept = recorded(rig, agent, result)
    assert said(kept.encode()) == "Is [redacted: secret] it?"
    assert result["facts"]["secrets_removed"] == 1


def test_no_name_or_label_puts_a_secret_on_record(agent, vendor) -> None:
    vendor.script = answer(COMPLETION | {"model": ANTHROPIC})
    tool = {"type": "function", "function": {"name": ANTHROPIC[:64], "parameters": {}}}
    got = agent.chat(
        asking("x", tools=[tool]),
        **{"x-unsprawl-run": ANTHROPIC, "x-unsprawl-acting-for": f"user:{ANTHROPIC}"},
    )
    assert got.status == 200
    assert ANTHROPIC[:64] not in json.dumps([agent.entries(), agent.calls()], default=str)
    assert got.headers["x-unsprawl-model-reported"] == "[redacted: secret]"
    assert agent.chat(**{"x-unsprawl-step": ANTHROPIC[:63]}).status == 400


def test_what_holds_no_secret_is_kept_as_it_is() -> None:
    for payload in (b"", b"{}", b'{"content": "risk-free"}', chunk_event("Hi") + DONE):
        assert without_secrets(payload, "chat") == (payload, 0)


def test_what_cannot_be_searched_is_not_kept() -> None:
    rules = rules_for(SECRETS_ONLY)
    working = rules._detectors
    rules._detectors = [(None, working[0][1])]
    try:
        payload = json.dumps({"content": ANTHROPIC}).encode()
        assert without_secrets(payload, "chat") == (NOT_KEPT, 1)
    finally:
        rules._detectors = working


# --- what an installation says


def written(tmp_path: Path, document: Any) -> Path:
    path = tmp_path / "protection.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_an_installation_says_what_holds_everywhere_and_for_a_class(
    rig, world, make_agent, vendor, tmp_path
) -> None:
    path = written(tmp_path, {
        "routes_may_weaken": True,
        "patterns": [{"name": "staff_no", "pattern": "E[0-9]{6}", "longest": 7}],
        "request": {"staff_no": "redact", "card": "allow"},
        "data_classes": {"confidential": {"request": {"card": "redact"}}},
    })  # fmt: skip
    gateway = ServedGateway(rig, protection=path)
    gateway.start()
    try:
        usual = make_agent(port=gateway.port)
        own = make_agent(
            port=gateway.port, options={"detectors": {"request": {"staff_no": "allow"}}}
        )
        eventually(lambda: usual.chat().status == own.chat().status == 200)
        usual.chat(asking(f"E123456 {CARD}"))
        assert vendor.seen[-1].json["messages"][0]["content"] == f"[redacted: staff_no] {CARD}"
        own.chat(asking("E123456"))
        assert vendor.seen[-1].json["messages"][0]["content"] == "E123456"
    finally:
        gateway.stop()


@pytest.mark.parametrize("document", [
    "", "[]", {"requests": {}}, {"request": {"gait": "redact"}}, {"request": {"card": "hide"}},
    {"request": []}, {"patterns": [{"name": "Mine", "pattern": "a"}]},
    {"patterns": [{"name": "card", "pattern": "a"}]}, {"routes_may_weaken": "no"},
    {"patterns": [{"name": "mine", "pattern": "("}]},
])  # fmt: skip
def test_a_file_that_does_not_say_what_to_protect_keeps_the_gateway_from_starting(
    tmp_path, document
) -> None:
    with pytest.raises(ProtectionUnusable):
        read_protection(written(tmp_path, document))


@pytest.mark.parametrize(("everywhere", "of_route", "holds"), [
    ("block", "allow", "block"), ("redact", "block", "block"), ("redact", "redact", "redact"),
    ("block", "hide", "hide"),
])  # fmt: skip
def test_a_route_adds_to_what_holds_everywhere_and_does_not_weaken_it(
    tmp_path, everywhere: str, of_route: str, holds: str
) -> None:
    route: Any = SimpleNamespace(options=RouteOptions(detectors={"request": {"card": of_route}}))
    agent: Any = SimpleNamespace(data_classes=("internal",))
    said = {"request": {"card": everywhere}}
    kept = read_protection(written(tmp_path, said))
    assert kept.actions(route, agent, "request") == {"card": holds}
    let = read_protection(written(tmp_path, said | {"routes_may_weaken": True}))
    assert let.actions(route, agent, "request") == {"card": of_route}


def test_no_file_is_nothing() -> None:
    assert read_protection(None) == Protection()
