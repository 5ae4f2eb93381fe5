"""What an invented company of ten thousand agents is called and made of. Nothing is random twice.

Owns the words and the shape: who owns what, which stage, which route. The same number
always gives the same agent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

TEAMS: Final = 40
ROUTES: Final = 40
MODELS_A_PLATFORM: Final = 6
PLATFORMS: Final = 8
AGENTS_A_PERSON: Final = 25

_WHAT: Final = (
    "invoice", "contract", "ticket", "claim", "refund", "shipment", "inventory", "onboarding",
    "payroll", "expense", "incident", "release", "campaign", "survey", "lead", "renewal",
    "warranty", "translation", "meeting", "compliance", "audit", "forecast", "quote", "order",
)  # fmt: skip
_DOES: Final = (
    "classifier", "summariser", "router", "drafter", "checker", "reporter", "matcher", "extractor",
    "reviewer", "planner", "watcher", "answerer", "tagger",
)  # fmt: skip
_WHERE: Final = ("emea", "apac", "americas", "dach", "nordics", "retail", "wholesale")
_CLASSES: Final = (["internal"], ["public", "internal"], ["internal", "confidential"], ["personal"])
_STAGES: Final = (
    ["live"] * 62 + ["soft_launch"] * 18 + ["deprecated"] * 6 + ["in_review"] * 4
    + ["draft"] * 5 + ["retired"] * 5
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shape:
    """One agent by its number."""

    number: int

    @property
    def name(self) -> str:
        return f"{self._what}-{self._does}-{self._where}-{self.number:05d}"

    @property
    def title(self) -> str:
        return f"{self._what.capitalize()} {self._does}, {self._where.upper()} {self.number}"

    @property
    def description(self) -> str:
        return (
            f"Reads each {self._what} of {self._where} as it comes in, decides what it is about, "
            f"and hands it to whoever is on duty with what a {self._does} would say of it."
        )

    @property
    def stage(self) -> str:
        return _STAGES[self.number * 37 % 100]

    @property
    def is_callable(self) -> bool:
        return self.stage in {"live", "soft_launch", "deprecated"}

    @property
    def is_suspended(self) -> bool:
        return self.is_callable and self.number % 67 == 0

    @property
    def data_classes(self) -> list[str]:
        return _CLASSES[self.number % len(_CLASSES)]

    @property
    def route(self) -> str:
        return route_name(self.number % ROUTES)

    @property
    def tools(self) -> list[str]:
        return [f"{self._what}-read", "mail"] if self.number % 3 else []

    @property
    def _what(self) -> str:
        return _WHAT[self.number % len(_WHAT)]

    @property
    def _does(self) -> str:
        return _DOES[self.number % len(_DOES)]

    @property
    def _where(self) -> str:
        return _WHERE[self.number % len(_WHERE)]


def route_name(number: int) -> str:
    """Name a route."""
    return f"{_WHAT[number % len(_WHAT)]}-{('fast', 'careful')[number % 2]}-{number:02d}"


def manifest(shape: Shape, owner: str, backup: str, team: str) -> dict[str, Any]:
    """Return what the agent's owner would have handed in."""
    return {
        "apiVersion": "unsprawl.dev/v1",
        "kind": "Agent",
        "metadata": {
            "name": shape.name,
            "title": shape.title,
            "description": shape.description,
            "version": "1.0.0",
        },
        "spec": {
            "owner": owner,
            "backupOwner": backup,
            "team": team,
            "purpose": shape.description,
            "onCall": "#agents",
            "dataClasses": shape.data_classes,
            "models": [{"alias": "default", "route": shape.route}],
            "tools": [{"name": tool} for tool in shape.tools],
            "steps": [
                {"name": "collect", "kind": "deterministic"},
                {"name": shape.route, "kind": "model"},
                {"name": "file", "kind": "deterministic"},
            ],
        },
    }
