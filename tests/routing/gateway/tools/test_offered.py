"""What requests offer, in each wire, and requests without some of it."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from routing.gateway.tools import offered
from routing.gateway.tools.offered import (
    LONGEST_LIST,
    MOST,
    OfferedTools,
    ToolsUnreadable,
    forced_by,
    stripped,
)
from routing.gateway.wires.chat import Chat
from routing.gateway.wires.messages import Messages
from routing.gateway.wires.responses import Responses
from routing.gateway.wires.wire import Wire

CHAT, MESSAGES, RESPONSES = Chat(), Messages(), Responses()


def labels(wire: Wire, **members: Any) -> list[str]:
    body = wire.read(json.dumps({"model": "m"} | members).encode())
    return [tool.label for tool in OfferedTools().read(wire.operation, body).tools]


def function(name: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}


def test_nothing_offered_is_nothing() -> None:
    for wire in (CHAT, MESSAGES, RESPONSES):
        assert labels(wire) == []
        assert labels(wire, tools=None) == []
        assert labels(wire, tools=[]) == []


def test_chat_offers_functions_old_and_new_and_a_search() -> None:
    assert labels(
        CHAT,
        tools=[function("b"), {"type": "custom", "custom": {"name": "c"}}],
        functions=[{"name": "a"}],
        web_search_options={},
    ) == ["a", "b", "c", "web_search"]


def test_a_function_without_a_type_is_a_function_all_the_same() -> None:
    assert labels(CHAT, tools=[{"function": {"name": "a"}}]) == ["a"]


def test_responses_offers_functions_built_ins_and_servers() -> None:
    assert labels(
        RESPONSES,
        tools=[
            {"type": "function", "name": "a"},
            {"type": "custom", "name": "b"},
            {"type": "web_search_preview"},
            {"type": "file_search", "vector_store_ids": []},
            {"type": "code_interpreter", "container": {"type": "auto"}},
            {"type": "computer_use_preview"},
            {"type": "image_generation"},
            {"type": "mcp", "server_label": "erp", "server_url": "u", "allowed_tools": ["p"]},
            {"type": "mcp", "server_label": "hr", "connector_id": "connector_x"},
            {"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "z"}]},
        ],
    ) == [
        "a", "b", "code_interpreter", "computer_use", "file_search", "image_generation",
        "mcp__erp__p", "mcp__hr", "web_search", "z",
    ]  # fmt: skip


def test_messages_offers_own_tools_dated_ones_and_servers() -> None:
    assert labels(
        MESSAGES,
        tools=[
            {"name": "a", "input_schema": {"type": "object"}},
            {"type": "custom", "name": "b"},
            {"type": "bash_20250124", "name": "bash"},
            {"type": "text_editor_20250728", "name": "str_replace_based_edit_tool"},
            {"type": "web_search_20250305", "name": "web_search"},
            {"type": "code_execution_20250825", "name": "code_execution"},
            {"type": "computer_20250124", "name": "computer"},
            {"type": "memory_20250818", "name": "memory"},
            {"type": "mcp_toolset", "mcp_server_name": "erp"},
        ],
        mcp_servers=[{"type": "url", "name": "erp", "url": "https://x"}],
    ) == [
        "a", "b", "bash", "code_execution", "computer", "mcp__erp", "memory",
        "str_replace_based_edit_tool", "web_search",
    ]  # fmt: skip


def test_a_built_in_under_the_name_of_another_tool_is_neither() -> None:
    disguised = [{"type": "web_search_20250305", "name": "jira"}]
    assert labels(MESSAGES, tools=disguised) == ["web_search:jira"]


def test_a_toolset_is_at_the_address_of_its_server() -> None:
    body = MESSAGES.read(
        json.dumps(
            {
                "model": "m",
                "tools": [{"type": "mcp_toolset", "mcp_server_name": "erp"}],
                "mcp_servers": [{"name": "erp", "url": "https://erp.test"}],
            }
        ).encode()
    )
    tools = OfferedTools().read("messages", body).tools
    assert {tool.url for tool in tools} == {"https://erp.test"}


def test_one_server_at_two_addresses_is_two() -> None:
    body = RESPONSES.read(
        json.dumps(
            {
                "model": "m",
                "tools": [
                    {"type": "mcp", "server_label": "erp", "server_url": url}
                    for url in ("https://a.test", "https://b.test")
                ],
            }
        ).encode()
    )
    tools = OfferedTools().read("responses", body).tools
    assert [tool.url for tool in tools] == ["https://a.test", "https://b.test"]


@pytest.mark.parametrize(
    "entry", [None, 7, "jira", [], {}, {"type": "function"}, {"type": "function", "function": {}}]
)
def test_an_entry_without_a_name_is_offered_without_one(entry: Any) -> None:
    assert labels(CHAT, tools=[entry]) == ["unnamed"]


@pytest.mark.parametrize("listed", [{}, "jira", 7, True])
def test_tools_that_are_no_list_are_refused(listed: Any) -> None:
    with pytest.raises(ToolsUnreadable):
        labels(CHAT, tools=listed)


def test_a_thousand_tools_are_read_and_too_many_are_refused() -> None:
    assert len(labels(CHAT, tools=[function(f"t{n}") for n in range(1000)])) == 1000
    with pytest.raises(ToolsUnreadable):
        labels(CHAT, tools=[function(f"t{n}") for n in range(MOST + 1)])


def test_a_name_offered_twice_is_one_tool() -> None:
    assert labels(CHAT, tools=[function("a"), function("a")]) == ["a"]


def test_a_list_that_comes_again_is_not_read_again() -> None:
    reader, raw = OfferedTools(), json.dumps({"model": "m", "tools": [function("a")]}).encode()
    first, second = (reader.read("chat", CHAT.read(raw)) for _ in range(2))
    assert first is second


def test_the_digest_changes_with_what_a_tool_is_described_as() -> None:
    def digest(description: str) -> str:
        tool = {"type": "function", "function": {"name": "a", "description": description}}
        body = CHAT.read(json.dumps({"model": "m", "tools": [tool]}).encode())
        return OfferedTools().read("chat", body).digest

    assert digest("reads") != digest("reads everything")


# --- without some


def without(wire: Wire, raw: str, *gone: str) -> str:
    body = wire.read(raw.encode())
    offered = OfferedTools().read(wire.operation, body)
    return stripped(body, offered, gone).decode()


def test_what_is_taken_out_leaves_every_other_byte() -> None:
    a = '{ "type":"function", "function":{"name":"a","n":1.50e0} }'
    b = '{"type":"function","function":{"name":"b"}}'
    raw = '{"model": "m" ,"tools" : [ ' + a + " , " + b + ' ],"x": 1.0}'
    assert without(CHAT, raw, "b") == '{"model": "m" ,"tools" : [' + a + '],"x": 1.0}'


def test_what_only_makes_sense_with_tools_goes_with_the_last() -> None:
    raw = (
        '{"model":"m","tools":[{"type":"function","function":{"name":"a"}}],'
        '"tool_choice":"auto","parallel_tool_calls":true,"z":"\\u00e9"}'
    )
    assert without(CHAT, raw, "a") == '{"model":"m","z":"\\u00e9"}'


def test_a_server_goes_with_its_toolset() -> None:
    raw = (
        '{"model":"m","mcp_servers":[{"name":"erp","url":"https://x"}],'
        '"tools":[{"type":"mcp_toolset","mcp_server_name":"erp"},{"name":"a"}]}'
    )
    assert json.loads(without(MESSAGES, raw, "mcp__erp")) == {
        "model": "m",
        "tools": [{"name": "a"}],
    }


@pytest.mark.parametrize(
    ("choice", "forced"),
    [
        ("auto", []),
        ("none", []),
        ("required", None),
        ({"type": "function", "function": {"name": "a"}}, ["a"]),
        ({"type": "function", "name": "a"}, ["a"]),
        ({"type": "tool", "name": "a"}, ["a"]),
        ({"type": "any"}, None),
        ({"type": "auto"}, []),
        ({"type": "web_search_preview"}, ["web_search"]),
        ({"type": "mcp", "server_label": "erp", "name": "p"}, ["mcp__erp__p"]),
        ({"type": "allowed_tools", "mode": "auto", "tools": []}, []),
    ],
)
def test_what_a_request_insists_on(choice: Any, forced: list[str] | None) -> None:
    body = CHAT.read(json.dumps({"model": "m", "tool_choice": choice}).encode())
    assert forced_by(body) == forced


def test_lists_that_never_come_again_do_not_fill_the_memory() -> None:
    reader = OfferedTools()
    for number in range(200):
        text = json.dumps({"model": "m", "tools": [function(f"f{number}")], "pad": 1})
        long = text.replace('"object"', f'"{"o" * 200_000}"')
        reader.read(CHAT.operation, CHAT.read(long.encode()))
    assert sum(sys.getsizeof(piece) for key in reader._known for piece in key) < 20_000_000


def test_a_list_too_long_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    monkeypatch.setattr(offered, "_loads", read.append)
    tool = function("f") | {"description": "d" * LONGEST_LIST}
    with pytest.raises(ToolsUnreadable, match="1024 KiB"):
        labels(CHAT, tools=[tool])
    assert not read


def test_entries_past_the_limit_are_refused_before_one_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[object] = []

    def look(*what: object) -> tuple[()]:
        looked.append(what)
        return ()

    monkeypatch.setattr(offered, "_tools_of", look)
    with pytest.raises(ToolsUnreadable, match="2001 entries"):
        labels(CHAT, tools=[{}] * (MOST + 1))
    assert not looked
