"""Tool calls of answers, checked without a network: whole, streamed, split anywhere, hostile."""

from __future__ import annotations

import json
from typing import Any

import pytest

from routing.gateway.sse import EventSplitter
from routing.gateway.tools.declared import DeclaredTools
from routing.gateway.tools.ruling import ALLOW, BLOCK, STRIP, Ruling, ToolBlocked
from routing.gateway.tools.stage import ToolStage
from tests.routing.gateway.scripted import DONE, chunk_event
from tests.routing.gateway.shapes import message_event, response_event
from tests.routing.gateway.tools.said import (
    ARGUMENTS,
    answering,
    chat_call,
    chat_delta,
    chat_end,
    documents,
    streaming,
)

WIRES = ("chat", "messages", "responses")


def stage(wire: str, mode: str, *permitted: str) -> ToolStage:
    return ToolStage(wire, Ruling(mode, permitted=frozenset(permitted)))


def whole(wire: str, mode: str, document: Any, *permitted: str) -> Any:
    return json.loads(stage(wire, mode, *permitted).whole(200, json.dumps(document).encode()))


def relayed(made: ToolStage, raw: bytes, step: int = 0) -> bytes:
    """Feed a stream in pieces of so many bytes, as the exchange does."""
    splitter, passed = EventSplitter(), []
    pieces = [raw[at : at + step] for at in range(0, len(raw), step)] if step else [raw]
    events = [event for piece in pieces for event in splitter.feed(piece)]
    for event in events[:-1]:
        passed += made.take(event)
    passed += made.finish()
    passed += made.take(events[-1])
    return b"".join(event.raw for event in passed)


def called(wire: str, raw: bytes) -> list[tuple[str, str]]:  # noqa: C901  three wires
    """Return the calls that a client puts together from a stream."""
    found: dict[Any, list[str]] = {}
    for said in documents(raw):
        if wire == "chat":
            for choice in said.get("choices", []):
                for piece in choice["delta"].get("tool_calls", []):
                    call = found.setdefault(piece["index"], ["", ""])
                    call[0] += piece["function"].get("name") or ""
                    call[1] += piece["function"].get("arguments") or ""
        elif wire == "messages":
            block = said.get("content_block", {})
            if block.get("type") == "tool_use":
                found[said["index"]] = [block["name"], ""]
            elif said.get("delta", {}).get("type") == "input_json_delta":
                found[said["index"]][1] += said["delta"]["partial_json"]
        elif said["type"] == "response.completed":
            for place, item in enumerate(said["response"]["output"]):
                if item["type"] == "function_call":
                    found[place] = [item["name"], item["arguments"]]
    return [(name, arguments) for name, arguments in found.values()]


# --- what is allowed


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("mode", [ALLOW, STRIP, BLOCK])
def test_calls_of_what_was_offered_pass_byte_for_byte(wire: str, mode: str) -> None:
    made = stage(wire, mode, "a", "b")
    raw = json.dumps(answering(wire, "a", "b")).encode()
    assert made.whole(200, raw) == raw
    assert made.facts() == {"tool_calls": ["a", "b"]}
    made, streamed = stage(wire, mode, "a", "b"), b"".join(streaming(wire, "a", "b", text="Hi"))
    assert relayed(made, streamed) == streamed
    assert made.facts() == {"tool_calls": ["a", "b"]}


@pytest.mark.parametrize("wire", WIRES)
def test_where_all_is_allowed_every_call_passes_and_is_told(wire: str) -> None:
    made, streamed = stage(wire, ALLOW), b"".join(streaming(wire, "a", "b"))
    assert relayed(made, streamed) == streamed
    assert made.facts() == {"tool_calls": ["a", "b"]}
    assert whole(wire, ALLOW, answering(wire, "x")) == answering(wire, "x")


# --- blocked


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("names", [["evil"], ["a", "evil"], ["evil", "a"]])
def test_a_call_that_was_not_offered_withholds_a_whole_answer(wire: str, names: list[str]) -> None:
    with pytest.raises(ToolBlocked, match="evil"):
        whole(wire, BLOCK, answering(wire, *names), "a")


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("step", [0, 1, 7])
def test_nothing_of_a_blocked_call_leaves_a_stream(wire: str, step: int) -> None:
    raw = b"".join(streaming(wire, "a", "evil", text="Hi"))
    made, splitter, passed = stage(wire, BLOCK, "a"), EventSplitter(), []
    pieces = [raw[at : at + step] for at in range(0, len(raw), step)] if step else [raw]
    with pytest.raises(ToolBlocked, match="evil"):  # noqa: PT012  how far it came counts
        for piece in pieces:
            for event in splitter.feed(piece):
                passed += made.take(event)
    out = b"".join(event.raw for event in passed)
    assert b"Hi" in out
    assert b"evil" not in out
    assert made.facts() == {"tool_calls": ["a", "evil"], "tool_calls_refused": ["evil"]}


# --- stripped


@pytest.mark.parametrize("wire", WIRES)
def test_a_stripped_call_leaves_the_others(wire: str) -> None:
    left = whole(wire, STRIP, answering(wire, "a", "evil", "b"), "a", "b")
    assert "evil" not in json.dumps(left)
    raw = b"".join(streaming(wire, "a", "evil", "b", text="Hi"))
    out = b""
    for step in (0, 1, 13):
        out = relayed(stage(wire, STRIP, "a", "b"), raw, step)
        assert b"evil" not in out
        assert called(wire, out) == [("a", ARGUMENTS), ("b", ARGUMENTS)]
    for reason in (b'"tool_calls"', b'"tool_use"', b"response.completed"):
        assert (reason in raw) == (reason in out)


def test_places_close_up_behind_a_stripped_call() -> None:
    out = relayed(stage("chat", STRIP, "b"), b"".join(streaming("chat", "evil", "b")))
    assert {
        piece["index"]
        for said in documents(out)
        for choice in said["choices"]
        for piece in choice["delta"].get("tool_calls", [])
    } == {0}
    out = relayed(stage("messages", STRIP, "b"), b"".join(streaming("messages", "evil", "b")))
    assert {said["index"] for said in documents(out) if "index" in said} == {0}
    out = relayed(stage("responses", STRIP, "b"), b"".join(streaming("responses", "evil", "b")))
    numbers = [said["sequence_number"] for said in documents(out)]
    assert numbers == list(range(len(numbers)))
    assert {said["output_index"] for said in documents(out) if "output_index" in said} == {0}


@pytest.mark.parametrize("wire", WIRES)
def test_where_no_call_is_left_the_answer_ends_and_says_why(wire: str) -> None:
    left = whole(wire, STRIP, answering(wire, "evil"))
    assert "was removed" in json.dumps(left)
    out = relayed(stage(wire, STRIP), b"".join(streaming(wire, "evil")))
    assert b"was removed" in out
    assert called(wire, out) == []
    if wire == "chat":
        assert left["choices"][0]["finish_reason"] == "stop"
        assert "tool_calls" not in left["choices"][0]["message"]
        assert b'"finish_reason":"stop"' in out
    elif wire == "messages":
        assert left["stop_reason"] == "end_turn"
        assert b'"stop_reason":"end_turn"' in out
        assert b'"stop_reason":"tool_use"' not in out
    else:
        assert left["output"][0]["type"] == "message"
        numbers = [said["sequence_number"] for said in documents(out)]
        assert numbers == list(range(len(numbers)))


@pytest.mark.parametrize("wire", WIRES)
def test_a_text_that_was_said_needs_no_note(wire: str) -> None:
    out = relayed(stage(wire, STRIP), b"".join(streaming(wire, "evil", text="Hi")))
    assert b"Hi" in out
    assert b"was removed" not in out
    assert b"evil" not in out


# --- hostile


def blocked_chat(*events: bytes, permitted: str = "read") -> bytes:
    """Relay chat events until one is blocked; return what had passed."""
    made, passed = stage("chat", BLOCK, permitted), b""
    with pytest.raises(ToolBlocked):  # noqa: PT012  how far it came counts
        for event in EventSplitter().feed(b"".join([*events, DONE])):
            passed += b"".join(one.raw for one in made.take(event))
        passed += b"".join(one.raw for one in made.finish())
    return passed


def piece(index: int | None = 0, **function: Any) -> dict[str, Any]:
    return ({} if index is None else {"index": index}) | {"function": function}


def test_a_name_in_parts_is_one_name() -> None:
    raw = b"".join([chat_delta(piece(name="re")), chat_delta(piece(name="ad", arguments="{}"))])
    made = stage("chat", BLOCK, "read")
    assert relayed(made, raw + chat_end() + DONE) == raw + chat_end() + DONE
    assert made.facts() == {"tool_calls": ["read"]}
    assert (
        blocked_chat(chat_delta(piece(name="re")), chat_delta(piece(name="ad2")), chat_end()) == b""
    )


def test_a_name_that_goes_on_after_its_arguments_is_blocked() -> None:
    first = chat_delta(piece(name="read", arguments="{"))
    assert blocked_chat(first, chat_delta(piece(name="_secrets"))) == first


def test_a_name_that_comes_late_holds_the_call_back() -> None:
    raw = [
        chat_delta({"index": 0, "id": "call_0", "type": "function"}),
        chunk_event("text between"),
        chat_delta(piece(name="read")),
        chat_delta(piece(arguments="{}")),
        chat_end(),
        DONE,
    ]
    made, splitter = stage("chat", BLOCK, "read"), EventSplitter()
    held = [made.take(event) for event in splitter.feed(b"".join(raw[:3]))]
    assert held == [[], [], []]
    assert len(made.take(splitter.feed(raw[3])[0])) == 4


def test_a_call_that_never_gets_a_name_is_blocked_at_the_end() -> None:
    assert blocked_chat(chat_delta({"index": 0, "id": "call_0"}), chat_end()) == b""
    assert blocked_chat(chat_delta(piece(arguments="{}"))) == b""


@pytest.mark.parametrize("name", [7, None, [], {"a": 1}, "re\u0301ad", "read\u200b", "READ", ""])
def test_a_name_that_is_none_or_looks_alike_is_blocked(name: Any) -> None:
    assert blocked_chat(chat_delta(piece(name=name, arguments="{}"))) == b""
    with pytest.raises(ToolBlocked):
        whole("messages", BLOCK, answering("messages", name), "read")


def test_a_call_whose_name_is_spelled_with_escapes_is_read() -> None:
    raw = chat_delta(piece(name="evil", arguments="{}")).replace(b"tool_calls", b"tool\\u005fcalls")
    assert b"tool_calls" not in raw
    assert blocked_chat(raw) == b""


def test_pieces_without_a_place_are_calls_of_their_own() -> None:
    both = chat_delta(
        piece(None, name="read", arguments="{}"), piece(None, name="evil", arguments="{}")
    )
    assert blocked_chat(both) == b""


def test_a_call_in_another_choice_is_blocked_too() -> None:
    said = {"index": 1, "delta": {"tool_calls": [piece(name="evil", arguments="{}")]}}
    assert blocked_chat(chunk_event("", choices=[said])) == b""


def test_the_old_kind_of_call_is_blocked_too() -> None:
    assert blocked_chat(chat_delta(function_call={"name": "evil", "arguments": "{}"})) == b""
    old = answering("chat", "a")
    old["choices"][0]["message"] = {"role": "assistant", "function_call": {"name": "evil"}}
    with pytest.raises(ToolBlocked):
        whole("chat", BLOCK, old, "a")
    left = whole("chat", STRIP, old, "a")
    assert "function_call" not in left["choices"][0]["message"]


def test_a_whole_message_at_the_end_of_a_stream_is_read() -> None:
    message = {"role": "assistant", "tool_calls": [chat_call("evil")]}
    said = {"index": 0, "delta": {}, "message": message, "finish_reason": "tool_calls"}
    assert blocked_chat(chunk_event("", choices=[said])) == b""


def test_an_event_too_big_to_read_does_not_pass_where_calls_are_governed() -> None:
    raw = chat_delta(piece(name="read", arguments="x" * 400_000))
    with pytest.raises(ToolBlocked, match="too large"):
        relayed(stage("chat", BLOCK, "read"), raw + DONE, step=65536)
    assert relayed(stage("chat", ALLOW), raw + DONE, step=65536) == raw + DONE


def test_what_is_held_for_a_name_is_bounded() -> None:
    waiting = chat_delta({"index": 0, "id": "call_0"})
    more = [chunk_event("x" * 60_000) for _ in range(20)]
    assert blocked_chat(waiting, *more) == b""


def test_text_about_tools_is_text() -> None:
    raw = chunk_event('{"tool_calls": [{"function": {"name": "evil"}}]}') + DONE
    assert relayed(stage("chat", BLOCK), raw) == raw


@pytest.mark.parametrize("kind", [
    "function_call_arguments.delta", "function_call_arguments.done", "mcp_call_arguments.done",
    "custom_tool_call_input.delta",
])  # fmt: skip
def test_arguments_of_an_item_that_was_not_announced_are_blocked(kind: str) -> None:
    said = {"output_index": 7, "item_id": "fc_7", "name": "evil", "delta": "{}", "arguments": "{}"}
    raw = response_event(1, f"response.{kind}", **said)
    with pytest.raises(ToolBlocked):
        relayed(stage("responses", BLOCK, "a"), raw + raw)
    assert relayed(stage("responses", ALLOW), raw + raw) == raw + raw


@pytest.mark.parametrize("begins", [False, True])
def test_arguments_of_a_block_that_begins_no_call_are_blocked(begins: bool) -> None:
    text = {"type": "text", "text": ""}
    start = message_event("content_block_start", index=0, content_block=text) * begins
    piece = {"type": "input_json_delta", "partial_json": "{}"}
    raw = start + message_event("content_block_delta", index=0, delta=piece) * 2
    with pytest.raises(ToolBlocked):
        relayed(stage("messages", BLOCK, "a"), raw)
    assert relayed(stage("messages", ALLOW), raw) == raw


def test_an_item_that_turns_into_a_call_at_the_end_is_blocked() -> None:
    raw = b"".join(streaming("responses", text="Hi"))
    turned = raw.replace(
        b'"output": [{', b'"output": [{"type": "function_call", "name": "evil"}, {', 2
    )
    with pytest.raises(ToolBlocked):
        relayed(stage("responses", BLOCK), turned)
    with pytest.raises(ToolBlocked):
        relayed(stage("responses", STRIP), turned)


@pytest.mark.parametrize(
    ("item", "permitted"),
    [
        ({"type": "web_search_call"}, "web_search"),
        ({"type": "file_search_call"}, "file_search"),
        ({"type": "code_interpreter_call"}, "code_interpreter"),
        ({"type": "image_generation_call"}, "image_generation"),
        ({"type": "computer_call"}, "computer_use"),
        ({"type": "custom_tool_call", "name": "x"}, "x"),
        ({"type": "mcp_call", "server_label": "erp", "name": "post"}, "mcp__erp"),
        ({"type": "mcp_call", "server_label": "erp", "name": "post"}, "mcp__erp__post"),
        ({"type": "mcp_list_tools", "server_label": "erp"}, "mcp__erp"),
        ({"type": "mcp_approval_request", "server_label": "erp", "name": "p"}, "mcp__erp"),
    ],
)
def test_items_of_responses_are_the_tools_that_were_offered(
    item: dict[str, Any], permitted: str
) -> None:
    document = answering("responses") | {"output": [item]}
    assert whole("responses", BLOCK, document, permitted) == document
    with pytest.raises(ToolBlocked):
        whole("responses", BLOCK, document, "other")


@pytest.mark.parametrize(
    ("block", "permitted"),
    [
        ({"type": "server_tool_use", "name": "web_search"}, "web_search"),
        ({"type": "server_tool_use", "name": "bash_code_execution"}, "code_execution"),
        ({"type": "mcp_tool_use", "server_name": "erp", "name": "post"}, "mcp__erp"),
        ({"type": "tool_use", "name": "bash"}, "bash"),
    ],
)
def test_blocks_of_messages_are_the_tools_that_were_offered(
    block: dict[str, Any], permitted: str
) -> None:
    document = answering("messages") | {"content": [block]}
    assert whole("messages", BLOCK, document, permitted) == document
    with pytest.raises(ToolBlocked):
        whole("messages", BLOCK, document, "other")


def test_what_a_vendor_has_carried_out_is_not_stripped_but_withheld() -> None:
    document = answering("responses") | {"output": [{"type": "web_search_call"}]}
    with pytest.raises(ToolBlocked):
        whole("responses", STRIP, document, "other")


def test_an_answer_that_is_asked_for_later_is_held_against_the_manifest() -> None:
    ruling = Ruling(BLOCK, instead=DeclaredTools([{"name": "a"}]))
    raw = json.dumps(answering("responses", "a")).encode()
    assert ToolStage("response_read", ruling).whole(200, raw) == raw
    with pytest.raises(ToolBlocked):
        ToolStage("response_read", ruling).whole(200, raw.replace(b'"a"', b'"b"'))


def test_an_error_of_the_vendor_passes() -> None:
    raw = b'{"error": {"message": "\\u00e9 tool_calls"}}'
    assert stage("chat", BLOCK).whole(400, raw) == raw


def test_facts_stay_short_however_much_is_called() -> None:
    made = stage("chat", ALLOW)
    made.whole(200, json.dumps(answering("chat", *[f"t{n}" for n in range(200)])).encode())
    facts = made.facts()
    assert len(facts["tool_calls"]) == 50  # type: ignore[arg-type]
    assert facts["tool_calls_count"] == 200
