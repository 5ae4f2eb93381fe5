"""House rules that no linter knows, read from the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.parts import FLEET
from config.places import BASE_DIR
from tests.architecture.test_errors import PACKAGES

# The outermost boundaries, where whatever comes must end: each says why on its line.
BOUNDARIES = {
    "routing/gateway/app.py": "an unexpected fault is a 500 in the caller's dialect, and logged",
    "routing/gateway/exchange.py": "a call that has left is concluded, whatever happened",
    "fleet/campaigns/actions/each.py": "one row that fails stops no sweep, and is logged",
    "fleet/cutovers/actions/stepping.py": "a cutover that cannot be judged keeps no other from it",
    "policy/worker.py": "a fault of the engine is an answer, not a crash",
}
BRING_THEIR_OWN_ACTOR = {
    "consume_sign_in_link": "the link says who acts",
    "sign_in": "the password says who acts",
    "ensure_bootstrap_token": "the operator who set the variable",
}
EDGES = ("urls", "api_urls", "api", "views", "admin", "tasks", "forms")
BANNED = ("utils", "helpers", "common", "manager", "handler", "process", "data", "info", "misc")
Source = tuple[str, ast.Module]


def _sources() -> list[Source]:
    return [
        (str(file.relative_to(BASE_DIR)), ast.parse(file.read_text(encoding="utf-8")))
        for package in PACKAGES
        for file in sorted((BASE_DIR / package).rglob("*.py"))
        if "migrations" not in file.parts
    ]


SOURCES = _sources()


def _where(file: str, node: ast.AST) -> str:
    return f"{file}:{getattr(node, 'lineno', 1)}"


def _calls(tree: ast.AST) -> Iterator[tuple[ast.Call, ast.Attribute]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node, node.func


def _room(file: str) -> str:
    """Name the part of an app that a file stands in; parts of the fleet are apps of their own."""
    parts = Path(file).with_suffix("").parts
    inside = parts[2:] if ".".join(parts[:2]) in FLEET else parts[1:]
    return inside[0] if inside else ""


def _is_edge(file: str) -> bool:
    return _room(file) in EDGES


def test_every_module_says_what_it_owns() -> None:
    silent = [
        file
        for file, tree in SOURCES
        if tree.body
        and not file.endswith(("__init__.py", "apps.py"))
        and not ast.get_docstring(tree)
    ]
    assert silent == []


def test_edges_and_gateway_never_reach_for_rows() -> None:
    found = [
        _where(file, node)
        for file, tree in SOURCES
        if _is_edge(file) or file.startswith(("routing/gateway/", "routing/sandbox/answers"))
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in {"objects", "_default_manager"}
    ]
    assert found == []


def test_every_save_names_its_fields() -> None:
    found = [
        _where(file, call)
        for file, tree in SOURCES
        for call, function in _calls(tree)
        if function.attr == "save"
        and not isinstance(function.value, ast.Call)  # super().save(…)
        and not {"update_fields", "force_insert"} & {keyword.arg for keyword in call.keywords}
    ]
    assert found == []


def test_nothing_but_the_doorbell_sends_tasks() -> None:
    found = [
        _where(file, call)
        for file, tree in SOURCES
        if file != "kernel/db.py"
        for call, function in _calls(tree)
        if function.attr in {"delay", "apply_async", "send_task"}
    ]
    assert found == []


def _actions() -> Iterator[tuple[str, ast.FunctionDef]]:
    """What changes state: public, in `actions`, and atomic or recording by itself."""
    for file, tree in SOURCES:
        if _room(file) == "actions":
            for node in tree.body:
                if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                    text = ast.unparse(node)
                    if "@transaction.atomic" in text or "record(" in text:
                        yield file, node


def test_every_action_says_what_it_records() -> None:
    silent = [
        f"{_where(file, action)} {action.name}"
        for file, action in _actions()
        if "Records:" not in (ast.get_docstring(action) or "")
    ]
    assert silent == []


def test_every_action_is_told_who_acts() -> None:
    nameless = []
    for file, action in _actions():
        named = dict(zip(action.args.kwonlyargs, action.args.kw_defaults, strict=True))
        required = {argument.arg for argument, default in named.items() if default is None}
        if "actor" not in required and action.name not in BRING_THEIR_OWN_ACTOR:
            nameless.append(f"{_where(file, action)} {action.name}")
    assert nameless == []


def test_only_boundaries_catch_everything() -> None:
    found = [
        _where(file, node)
        for file, tree in SOURCES
        if file not in BOUNDARIES
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"})
        and ast.unparse(node.body[-1]) != "raise"
    ]
    assert found == []


def test_there_is_one_clock() -> None:
    found = [
        _where(file, call)
        for file, tree in SOURCES
        if file != "kernel/clock.py"
        for call, function in _calls(tree)
        if ast.unparse(function) in {"datetime.now", "timezone.now", "datetime.utcnow"}
    ]
    assert found == []


@pytest.mark.parametrize("stem", BANNED)
def test_no_module_is_named_after_nothing(stem: str) -> None:
    found = [file for file, _ in SOURCES if Path(file).stem == stem or f"/{stem}/" in file]
    assert found == []


def test_tests_never_mock_our_own_code() -> None:
    found = [
        str(file.relative_to(BASE_DIR))
        for file in sorted((BASE_DIR / "tests").rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "unittest.mock"
    ]
    assert found == []
