from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from registry import ports

if TYPE_CHECKING:
    from tests.factories import Cast


@dataclass
class KnownRoutes:
    """A directory that holds what a test names."""

    names: list[str] = field(
        default_factory=lambda: ["sandbox", "classify-invoice", "openai/gpt-5"]
    )

    def unknown(self, names: Iterable[str]) -> set[str]:
        return set(names) - set(self.names)

    def visible_names(self) -> list[str]:
        return self.names


@pytest.fixture(autouse=True)
def routes() -> Iterator[KnownRoutes]:
    before, known = ports.routes(), KnownRoutes()
    ports.bind_routes(known)
    yield known
    ports.bind_routes(before)


@pytest.fixture
def cast(db: None) -> Cast:
    # Models exist only once Django is set up, which is after this file is read.
    from tests.factories import make_cast

    return make_cast()


@pytest.fixture
def full() -> dict[str, Any]:
    """Return a manifest that says something in every section."""
    return {
        "apiVersion": "unsprawl.dev/v1",
        "kind": "Agent",
        "metadata": {
            "name": "expense-triage",
            "title": "Expense triage",
            "description": "Sorts expense claims and drafts postings.",
            "annotations": {
                "backstage.io/source-location": "url:https://git.acme.test/fin/expense/"
            },
            "tags": ["finance"],
        },
        "spec": {
            "version": "1.4.0",
            "lifecycle": "production",
            "owner": "user:alice@acme.test",
            "backupOwner": "user:bob@acme.test",
            "onCall": "#finance-on-call",
            "purpose": "Claims are answered the same day.",
            "costCenter": "4711",
            "dataClasses": ["internal", "personal"],
            "riskTier": "medium",
            "runtime": {"kind": "langgraph", "entrypoint": "langgraph.json"},
            "interfaces": [{"protocol": "a2a", "url": "https://agents.acme.test/a2a/expense"}],
            "skills": [{"id": "triage", "name": "Triage", "description": "Classify a claim"}],
            "models": [
                {
                    "alias": "default",
                    "route": "classify-invoice",
                    "use": "chat",
                    "fallback": ["sandbox"],
                    "settings": {"temperature": 0.2, "maxTokens": 800},
                }
            ],
            "tools": [
                {
                    "name": "wire_transfer",
                    "effect": "money",
                    "approval": "required",
                    "maxAmount": 500,
                },
                {"mcp": "com.acme/erp", "access": "read"},
            ],
            "prompts": [{"name": "classify", "digest": "sha256:" + "a" * 64}],
            "steps": [
                {"name": "fetch", "kind": "deterministic", "uses": ["com.acme/erp"]},
                {"name": "classify", "kind": "model", "uses": ["default", "classify"]},
            ],
            "health": {"kind": "heartbeat", "interval": "5m"},
            "limits": {"monthlyUsd": 200, "rpm": 60},
            "review": {"every": "90d"},
        },
    }
