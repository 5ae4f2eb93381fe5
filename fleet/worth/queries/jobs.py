"""The fleet's agents as they are compared, and the digest that says whether one changed."""

from __future__ import annotations

from collections.abc import Sequence

from fleet.worth.likeness import Job, job_of
from fleet.worth.models import PromptSketch
from kernel.canonical import digest
from registry.models import Agent

# What nearly every agent has says nothing about two of them.
_EVERYBODYS_ROUTES = frozenset({"sandbox"})


def agents_to_compare() -> Sequence[Agent]:
    """Return every agent that is not over, oldest first."""
    agents = Agent.objects.exclude(stage=Agent.Stage.RETIRED).select_related("team")
    return list(agents.defer("searchable", "current_version").order_by("pk"))


def jobs_of(agents: Sequence[Agent]) -> list[Job]:
    """Return what is compared of these agents."""
    sketches = dict(PromptSketch.objects.exclude(sketch=[]).values_list("agent_id", "sketch"))
    return [
        job_of(
            agent.pk, agent.title, agent.description, agent.purpose, tools=agent.tools,
            routes=set(agent.routes) - _EVERYBODYS_ROUTES, classes=agent.data_classes,
            team=agent.team.name if agent.team else "", prompt=sketches.get(agent.pk, ()),
        )
        for agent in agents
    ]  # fmt: skip


def material_of(agent: Agent) -> str:
    """Return the digest of what says what an agent's job is; prompts change too often to count."""
    return digest(
        {
            "title": agent.title,
            "description": agent.description,
            "purpose": agent.purpose,
            "tools": sorted(agent.tools),
            "data_classes": sorted(agent.data_classes),
        }
    )
