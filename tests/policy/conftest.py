"""A judge by the shipped bundle, facts that it allows, and small bundles made for one test."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from policy.engine import Judge

Facts = dict[str, Any]
GOOD: Facts = {
    "call": {"route": "classify-invoice", "operation": "chat.completions", "region": ""},
    "agent": {
        "name": "invoice-classifier",
        "stage": "live",
        "data_classes": ["internal"],
        "routes": ["classify-invoice"],
        "team": "finance",
    },
    "target": {
        "vendor": "acme",
        "model": "acme-1",
        "region": "eu",
        "dialect": "openai",
        "data_classes": ["public", "internal"],
    },
    "route": {"name": "classify-invoice", "constraints": {}},
}
ACTION: Facts = {
    "question": "action",
    "agent": {
        "name": "ledger-poster",
        "stage": "live",
        "risk_tier": "low",
        "data_classes": ["internal"],
        "team": "finance",
        "owner": "per_1",
        "tools": ["erp.post-entry"],
    },
    "action": {
        "adapter": "http",
        "connection": "erp",
        "operation": "post-entry",
        "effect": "write",
        "is_reversible": True,
        "arguments": {"account": "4711"},
        "is_new": False,
    },
    "edited": False,
    "requested": {"weekday": "mon", "minute": 600},
    "counts": {"hour": 0, "day": 0, "open": 0},
}


@pytest.fixture(scope="session")
def judge() -> Iterator[Judge]:
    with Judge() as one:
        yield one


@pytest.fixture
def good() -> Facts:
    return copy.deepcopy(GOOD)


@pytest.fixture
def make_bundle(tmp_path: Path) -> Callable[..., Path]:
    def make(rule: str = "answer := {}", data: object | None = None, name: str = "a") -> Path:
        directory = tmp_path / name
        directory.mkdir(exist_ok=True)
        (directory / "calls.rego").write_text(f"package unsprawl.calls\n\n{rule}\n")
        (directory / "data.json").write_text(json.dumps({} if data is None else data))
        return directory

    return make
