from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from registry.manifest.diff import Change, compare


def changes(before: dict[str, Any], edit: Callable[[dict[str, Any]], object]) -> list[Change]:
    after = copy.deepcopy(before)
    edit(after["spec"])
    return compare(before, after)


def only(before: dict[str, Any], edit: Callable[[dict[str, Any]], object]) -> Change:
    found = changes(before, edit)
    assert len(found) == 1
    return found[0]


def test_a_title_is_no_risk(full: dict[str, Any]) -> None:
    after = copy.deepcopy(full)
    after["metadata"]["title"] = "Other"
    assert [(change.path, change.risk) for change in compare(full, after)] == [
        ("metadata.title", "")
    ]


def test_a_manifest_does_not_differ_from_itself(full: dict[str, Any]) -> None:
    assert compare(full, copy.deepcopy(full)) == []


def test_moving_an_entry_is_no_change(full: dict[str, Any]) -> None:
    assert changes(full, lambda spec: spec["tools"].reverse()) == []
    assert changes(full, lambda spec: spec["dataClasses"].reverse()) == []


RISKS: dict[str, tuple[Callable[[dict[str, Any]], object], str, str, str]] = {
    "a new tool": (
        lambda spec: spec["tools"].append({"name": "jira", "effect": "read"}),
        "spec.tools[jira]",
        "added",
        "new tool",
    ),
    "a tool that may do more": (
        lambda spec: spec["tools"][1].update(access="write"),
        "spec.tools[com.acme/erp].access",
        "changed",
        "the tool may do more",
    ),
    "an approval that is dropped": (
        lambda spec: spec["tools"][0].update(approval="policy"),
        "spec.tools[wire_transfer].approval",
        "changed",
        "the tool may do more",
    ),
    "a cap that is dropped": (
        lambda spec: spec["tools"][0].pop("maxAmount"),
        "spec.tools[wire_transfer].maxAmount",
        "removed",
        "the tool may do more",
    ),
    "a cap that is raised": (
        lambda spec: spec["tools"][0].update(maxAmount=501),
        "spec.tools[wire_transfer].maxAmount",
        "changed",
        "the tool may do more",
    ),
    "a wider data class": (
        lambda spec: spec["dataClasses"].append("regulated"),
        "spec.dataClasses[regulated]",
        "added",
        "sees regulated data",
    ),
    "a new route": (
        lambda spec: spec["models"].append({"alias": "big", "route": "openai/gpt-5"}),
        "spec.models[big]",
        "added",
        "new route",
    ),
    "another route": (
        lambda spec: spec["models"][0].update(route="openai/gpt-5"),
        "spec.models[default].route",
        "changed",
        "new route",
    ),
    "another fallback": (
        lambda spec: spec["models"][0]["fallback"].append("openai/gpt-5"),
        "spec.models[default].fallback[openai/gpt-5]",
        "added",
        "new route",
    ),
    "other model settings": (
        lambda spec: spec["models"][0]["settings"].update(temperature=1),
        "spec.models[default].settings.temperature",
        "changed",
        "model settings changed",
    ),
    "another prompt": (
        lambda spec: spec["prompts"][0].update(digest="sha256:" + "b" * 64),
        "spec.prompts[classify].digest",
        "changed",
        "prompt changed",
    ),
    "a step that a model takes over": (
        lambda spec: spec["steps"][0].update(kind="model"),
        "spec.steps[fetch].kind",
        "changed",
        "a deterministic step became a step by a model",
    ),
    "a new step by a model": (
        lambda spec: spec["steps"].append({"name": "draft", "kind": "model"}),
        "spec.steps[draft]",
        "added",
        "new step by a model",
    ),
    "a new owner": (
        lambda spec: spec.update(owner="user:mallory@acme.test"),
        "spec.owner",
        "changed",
        "somebody else answers for it",
    ),
    "another interface": (
        lambda spec: spec["interfaces"].append({"protocol": "mcp", "url": "https://x.test/"}),
        "spec.interfaces[https://x.test/]",
        "added",
        "reached or probed at another address",
    ),
    "another address that is probed": (
        lambda spec: spec["health"].update(url="https://x.test/"),
        "spec.health.url",
        "added",
        "reached or probed at another address",
    ),
    "an effect that is no longer stated": (
        lambda spec: spec["tools"][0].pop("effect"),
        "spec.tools[wire_transfer].effect",
        "removed",
        "the tool may do more",
    ),
    "a new prompt": (
        lambda spec: spec["prompts"].append({"name": "p", "digest": "sha256:" + "c" * 64}),
        "spec.prompts[p]",
        "added",
        "new prompt",
    ),
    "a limit that is gone": (
        lambda spec: spec["limits"].pop("rpm"),
        "spec.limits.rpm",
        "removed",
        "limit removed",
    ),
    "a limit that is raised": (
        lambda spec: spec["limits"].update(monthlyUsd=201),
        "spec.limits.monthlyUsd",
        "changed",
        "limit raised",
    ),
}


@pytest.mark.parametrize("edit, path, kind, risk", RISKS.values(), ids=RISKS.keys())  # noqa: PT006
def test_what_a_reviewer_must_see_is_flagged(
    full: dict[str, Any],
    edit: Callable[[dict[str, Any]], object],
    path: str,
    kind: str,
    risk: str,
) -> None:
    change = only(full, edit)
    assert (change.path, change.kind, change.risk) == (path, kind, risk)


HARMLESS: dict[str, Callable[[dict[str, Any]], object]] = {
    "less data": lambda spec: spec["dataClasses"].remove("personal"),
    "public data": lambda spec: spec["dataClasses"].append("public"),
    "a tool less": lambda spec: spec["tools"].pop(0),
    "a lower limit": lambda spec: spec["limits"].update(rpm=5),
    "a lower cap": lambda spec: spec["tools"][0].update(maxAmount=5),
    "a step that is deterministic now": lambda spec: spec["steps"][1].update(kind="deterministic"),
    "a prompt less": lambda spec: spec["prompts"].pop(),
    "a step less": lambda spec: spec["steps"].pop(),
    "another interval": lambda spec: spec["health"].update(interval="1m"),
    "another use": lambda spec: spec["models"][0].update(use="responses"),
    "another title of a prompt": lambda spec: spec["prompts"][0].update(title="x"),
    "another word about a tool": lambda spec: spec["tools"][0].update(description="x"),
    "another version": lambda spec: spec.update(version="9.0.0"),
}


@pytest.mark.parametrize("edit", HARMLESS.values(), ids=HARMLESS.keys())
def test_what_makes_an_agent_smaller_is_no_risk(
    full: dict[str, Any], edit: Callable[[dict[str, Any]], object]
) -> None:
    assert only(full, edit).risk == ""


def test_dropping_all_limits_is_flagged_for_each(full: dict[str, Any]) -> None:
    found = changes(full, lambda spec: spec.pop("limits"))
    assert {(each.path, each.risk) for each in found} == {
        ("spec.limits.monthlyUsd", "limit removed"),
        ("spec.limits.rpm", "limit removed"),
    }


def test_adding_a_whole_section_of_tools_flags_each(full: dict[str, Any]) -> None:
    before = copy.deepcopy(full)
    del before["spec"]["tools"]
    assert [each.risk for each in compare(before, full)] == ["new tool", "new tool"]


def test_risky_changes_come_first(full: dict[str, Any]) -> None:
    def edit(spec: dict[str, Any]) -> None:
        spec["version"] = "2.0.0"
        spec["tools"].append({"name": "jira"})

    assert [bool(each.risk) for each in changes(full, edit)] == [True, False]


def test_numbers_that_are_equal_are_no_change(full: dict[str, Any]) -> None:
    assert changes(full, lambda spec: spec["limits"].update(monthlyUsd=200.0)) == []
