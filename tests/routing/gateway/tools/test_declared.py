"""What a manifest's tools match, and what they do not."""

from __future__ import annotations

import pytest

from routing.gateway.tools.declared import DeclaredTools
from routing.gateway.tools.naming import Tool, built_in, label_of, mcp_tool


def declared(*entries: dict[str, object]) -> DeclaredTools:
    return DeclaredTools(entries)


def test_a_name_matches_itself_and_nothing_like_it() -> None:
    tools = declared({"name": "jira", "effect": "write"})
    assert tools.effect_of(Tool("jira")) == "write"
    for other in ("Jira", "jira2", "jir", "jira_20250101", "mcp__jira__x", ""):
        assert tools.effect_of(Tool(other)) is None


def test_a_star_matches_what_begins_like_it() -> None:
    tools = declared({"name": "mcp__github__*", "effect": "read"})
    assert tools.effect_of(Tool("mcp__github__search")) == "read"
    assert tools.effect_of(Tool("mcp__github_evil__search")) is None
    assert declared({"name": "*"}).effect_of(Tool("whatever")) == "unstated"


@pytest.mark.parametrize("name", ["github", "com.acme/erp", "a_b"])
def test_an_mcp_server_matches_its_tools_however_clients_spell_it(name: str) -> None:
    spelled = name.replace(".", "_").replace("/", "_")
    tools = declared({"mcp": name, "effect": "write"})
    assert tools.effect_of(Tool(f"mcp__{spelled}__post")) == "write"
    assert tools.effect_of(mcp_tool(name)) == "write"
    assert tools.effect_of(mcp_tool(name, "post")) == "write"
    assert tools.effect_of(Tool(f"mcp__{spelled}")) is None
    assert tools.effect_of(Tool(f"mcp__{spelled}__")) is None
    assert tools.effect_of(Tool(f"mcp__{spelled}2__post")) is None


def test_a_server_whose_name_goes_on_is_another_server() -> None:
    assert declared({"mcp": "hr"}).effect_of(Tool("mcp__hr__payroll__read")) is None


def test_a_server_that_lists_its_tools_has_no_others() -> None:
    tools = declared({"mcp": "erp", "tools": ["read.order"]})
    assert tools.effect_of(Tool("mcp__erp__read_order")) is not None
    assert tools.effect_of(mcp_tool("erp", "read.order")) is not None
    assert tools.effect_of(Tool("mcp__erp__post")) is None
    assert tools.effect_of(mcp_tool("erp")) is None


def test_a_server_with_an_address_is_that_server_only() -> None:
    tools = declared({"mcp": "erp", "url": "https://mcp.acme.test/erp"})
    assert tools.effect_of(mcp_tool("erp", url="https://mcp.acme.test/erp/")) is not None
    assert tools.effect_of(mcp_tool("erp", url="https://mcp.acme.test/erp/v1")) is not None
    for url in (
        "https://evil.test/erp",
        "https://mcp.acme.test.evil.test/erp",
        "https://mcp.acme.test:444/erp",
        "http://mcp.acme.test/erp",
        "https://mcp.acme.test/erp2",
        "https://mcp.acme.test/erp/../hr",
        "https://mcp.acme.test/erp/%2e%2e/hr",
        "https://a@mcp.acme.test/erp",
        "https://[",
        "",
    ):
        assert tools.effect_of(mcp_tool("erp", url=url)) is None, url


def test_a_built_in_is_declared_by_its_family_or_as_it_is_written() -> None:
    written = built_in("web_search_preview_2025_03_11")
    assert written.label == "web_search"
    for name in ("web_search", "web_search_preview", "web_search_preview_2025_03_11"):
        assert declared({"name": name}).effect_of(written) is not None
    assert declared({"name": "web_search_20250305"}).effect_of(written) is None


def test_a_function_is_never_declared_by_a_family() -> None:
    assert declared({"name": "report"}).effect_of(Tool(label_of("report_20250101"))) is None
    assert declared({"name": "report_20250101"}).effect_of(Tool(label_of("report"))) is None


@pytest.mark.parametrize("name", ["naïve", "a b", 'x"y', "a\\b", "a\x00b", "a" * 129, "ｊira"])
def test_a_name_that_no_vendor_takes_becomes_a_digest(name: str) -> None:
    assert label_of(name).startswith("unreadable-")
    assert label_of(name) != label_of(name + "x")


def test_what_has_no_name_is_unnamed() -> None:
    nameless: list[object] = ["", None, 7, {}]
    assert [label_of(name) for name in nameless] == ["unnamed"] * 4
