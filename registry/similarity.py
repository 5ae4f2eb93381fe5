"""Which agents a manifest resembles, how much, and why, in words.

Two looks: trigram indexes find what reads alike, the tools' index finds what reaches for
the same tools; the few candidates are then scored here. Every signal lowers the doubt
that two agents are the same (1 - score is the product of the doubts), so weak signals
(same team, same data class) never add up to a finding on their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.contrib.postgres.search import TrigramSimilarity
from django.db.models import Q
from django.db.models.functions import Greatest, Left

from registry.manifest import Manifest
from registry.models import Agent, Team

SHOWN: Final = 5
THRESHOLD: Final = 0.3
_CANDIDATES: Final = 60
_COMPARED: Final = 400  # characters of a description: the cost grows with its length
# How far each signal, at its fullest, takes the doubt away.
_WEIGHTS: Final = {"tools": 0.35, "tags": 0.12, "team": 0.07, "routes": 0.05, "classes": 0.03}
# What nearly every agent has says nothing about two of them.
_EVERYBODYS_ROUTES: Final = frozenset({"sandbox"})


@dataclass(frozen=True, slots=True)
class Similar:
    """One agent that resembles a manifest."""

    agent: Agent
    score: float
    reasons: list[str]

    def facts(self) -> dict[str, object]:
        owner = self.agent.owner.email
        return {
            "name": self.agent.name,
            "owner": owner,
            "score": self.score,
            "reasons": self.reasons,
        }


def similar_to(manifest: Manifest, *, team: Team | None, but: Agent | None = None) -> list[Similar]:
    """Return the agents most like a manifest, the closest first."""
    found = []
    for agent in _candidates(manifest, but):
        score, reasons = _compare(manifest, team, agent)
        if score >= THRESHOLD:
            found.append(Similar(agent, score, reasons))
    found.sort(key=lambda each: (-each.score, each.agent.name))
    return found[:SHOWN]


def _candidates(manifest: Manifest, but: Agent | None) -> list[Agent]:
    title, text, name = manifest.title, manifest.description[:_COMPARED], manifest.name
    agents = (
        Agent.objects.exclude(stage=Agent.Stage.RETIRED)
        .exclude(pk__in=[but.pk] if but else [])
        .select_related("owner", "team")
        .annotate(
            title_alike=TrigramSimilarity("title", title),
            text_alike=TrigramSimilarity(Left("description", _COMPARED), text),
            name_alike=TrigramSimilarity("name", name),
        )
    )
    alike = agents.filter(
        Q(title__trigram_similar=title)
        | Q(description__trigram_similar=text)
        | Q(name__trigram_similar=name)
    ).order_by(Greatest("title_alike", "text_alike", "name_alike").desc(), "id")
    found = {agent.pk: agent for agent in alike[:_CANDIDATES]}
    if manifest.tools:
        shared = agents.filter(tools__overlap=manifest.tools).order_by("-title_alike", "id")
        found |= {agent.pk: agent for agent in shared[:_CANDIDATES]}
    return list(found.values())


def _compare(manifest: Manifest, team: Team | None, agent: Agent) -> tuple[float, list[str]]:
    text, reasons = _reads_alike(agent)
    doubt = 1 - text
    routes = set(manifest.routes) - _EVERYBODYS_ROUTES
    for signal, mine, theirs in (
        ("tools", set(manifest.tools), set(agent.tools)),
        ("tags", set(manifest.tags), set(agent.tags)),
        ("routes", routes, set(agent.routes)),
        ("classes", set(manifest.data_classes), set(agent.data_classes)),
        ("team", {team.slug} if team else set(), {agent.team.slug} if agent.team else set()),
    ):
        shared = mine & theirs
        if shared:
            doubt *= 1 - _WEIGHTS[signal] * len(shared) / len(mine | theirs)
            reasons.append(_same(signal, sorted(shared)))
    return round(1 - doubt, 3), reasons


def _reads_alike(agent: Agent) -> tuple[float, list[str]]:
    """Score titles, descriptions and names; the annotations come from `_candidates`."""
    title, text, name = (
        float(getattr(agent, key)) for key in ("title_alike", "text_alike", "name_alike")
    )
    reasons = [
        f"{what} {'the same' if alike >= 0.95 else 'nearly alike' if alike >= 0.6 else 'alike'}"
        for what, alike in (("titles", title), ("descriptions", text), ("names", name))
        if alike >= 0.4
    ]
    # A title that says the same is nearly enough; one signal alone never is the whole.
    score = max(0.9 * title, 0.8 * name, 0.45 * title + 0.45 * text + 0.1 * name, 0.85 * text)
    return score, reasons


def _same(signal: str, shared: list[str]) -> str:
    one = {"tools": "tool", "tags": "tag", "routes": "route", "classes": "data class"}
    many = {"tools": "tools", "tags": "tags", "routes": "routes", "classes": "data classes"}
    names = one if len(shared) == 1 else many
    return f"same {names.get(signal, signal)}: {', '.join(shared[:5])}"
