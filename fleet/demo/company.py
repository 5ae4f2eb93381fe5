"""Who works at the demo company, what it calls, and which agents its people have built.

Everything here is invented but the models: their dates and prices come from the
catalogue, so the deadlines of the demo are real ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from routing.budgeting import BudgetDraft

_AGENTS: Final = Path(__file__).parent / "agents.txt"
DOMAIN: Final = "demo.example"
# Who says when the demo's models end, and the files that tell of what is not registered.
SOURCE: Final = "Demo: the vendor's notice"
FILES: Final = ("demo-access.log", "demo-keys.json")

TEAMS: Final = {
    "finance": "Finance",
    "support": "Customer Support",
    "sales": "Sales",
    "marketing": "Marketing",
    "hr": "People & Culture",
    "legal": "Legal",
    "ops": "Operations",
    "engineering": "Engineering",
}

# Four people a team; the first two own most of what their team built.
PEOPLE: Final = {
    "finance": ("Amara Lindqvist", "Jonas Okafor", "Mei Castellan", "Ruben Adeyemi"),
    "support": ("Priya Halloran", "Tomasz Nwosu", "Elif Brandt", "Noah Varga"),
    "sales": ("Luca Ferreira", "Ingrid Sato", "Dmitri Quist", "Hana Moreau"),
    "marketing": ("Sofia Bergmann", "Kwame Leclerc", "Yara Novak", "Felix Tanaka"),
    "hr": ("Nadia Roth", "Omar Ekberg", "Clara Mbeki", "Iris Zhao"),
    "legal": ("Greta Falk", "Samir Duarte", "Anneke Boyd", "Viktor Hale"),
    "ops": ("Paolo Jensen", "Zeynep Marsh", "Erik Bamba", "Lotte Rossi"),
    "engineering": ("Maya Sundaram", "Leon Petrov", "Aisha Kranz", "Theo Nakamura"),
}
SECURITY: Final = ("Sana Whitfield", "Bram Osei")
PLATFORM: Final = ("Robin Achterberg",)
AUDITOR: Final = ("Ulla Prentice",)

# vendor: title, address, platform, data classes, models. No secret is ever set: these
# vendors are on record, and none of them can be called until somebody connects a key.
VENDORS: Final = {
    "openai": (
        "OpenAI",
        "https://api.openai.com/v1",
        ("public", "internal", "confidential"),
        (
            "gpt-5", "gpt-5-mini", "gpt-4o-2024-08-06", "gpt-4.1-mini-2025-04-14", "o3",
            "gpt-6.1-sol", "gpt-6-luna",
        ),
    ),
    "anthropic": (
        "Anthropic (OpenAI-compatible endpoint)",
        "https://api.anthropic.com/v1",
        ("public", "internal", "confidential", "personal"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-5-5", "claude-haiku-4-5"),
    ),
    "gemini": (
        "Gemini (OpenAI-compatible endpoint)",
        "https://generativelanguage.googleapis.com/v1beta/openai",
        ("public", "internal"),
        ("gemini-2.5-flash", "gemini-2.5-pro", "gemini-3.5-flash-lite"),
    ),
}  # fmt: skip

# A fallback that somebody took out of use, so that the demo has a stop to look at.
STOPPED: Final = ("model", "gemini/gemini-2.5-pro", "It names totals that are on no page.")
# Set once the past is there, so that each begins with what this month has cost.
BUDGETS: Final = (
    BudgetDraft("organisation", "cost", 240_000_000, "month", reason="The year's plan."),
    BudgetDraft("team", "cost", 16_000_000, "month", "finance", reason="Agreed with Finance."),
    BudgetDraft("route", "cost", 5_000_000, "day", "reason", reason="Dear per call."),
    BudgetDraft("vendor", "requests", 600, "minute", "anthropic", reason="Our tier there."),
)
# route: title, targets in the order they are tried
ROUTES: Final = {
    "chat": ("General chat", (("openai", "gpt-5"), ("anthropic", "claude-sonnet-5-5"))),
    "classify": ("Sort things into classes", (("openai", "gpt-5-mini"),)),
    "extract": (
        "Read fields out of documents",
        (("openai", "gpt-4o-2024-08-06"), ("gemini", "gemini-2.5-pro")),
    ),
    "summarise": ("Shorten long texts", (("gemini", "gemini-2.5-flash"), ("openai", "gpt-6-luna"))),
    "draft": ("Write first drafts", (("anthropic", "claude-sonnet-4-5-20250929"),)),
    "reason": ("Think longer", (("openai", "o3"),)),
    "translate": ("Translate", (("openai", "gpt-4.1-mini-2025-04-14"),)),
    "review-code": ("Read code changes", (("anthropic", "claude-sonnet-5-5"),)),
    "personal": ("Texts about people", (("anthropic", "claude-haiku-4-5"),)),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plan:
    """One agent of the demo company: what it is, where it stands, how busy it is."""

    team: str
    owner: int
    name: str
    description: str
    route: str
    data_classes: tuple[str, ...]
    tools: tuple[str, ...]
    calls_a_day: int
    stage: str = "live"

    @property
    def title(self) -> str:
        return self.name.replace("-", " ").capitalize()


def plans() -> list[Plan]:
    """Return every agent of the company, in the order they were registered."""
    found = []
    for line in _AGENTS.read_text(encoding="utf-8").splitlines()[1:]:
        team, owner, name, route, classes, tools, busy, stage, text = (
            part.strip() for part in line.split("|")
        )
        found.append(
            Plan(
                team=team,
                owner=int(owner),
                name=name,
                description=text,
                route=route,
                data_classes=tuple(classes.split(",")),
                tools=tuple(tool for tool in tools.split(",") if tool),
                calls_a_day=int(busy),
                stage=stage,
            )
        )
    return found
