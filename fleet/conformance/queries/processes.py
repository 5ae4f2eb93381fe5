"""Which process an agent declared, and since when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from fleet.conformance.declared import Process, process_of
from registry.models import Agent, AgentVersion

Since = tuple[datetime, Process]


def processes_of(agent_ids: Iterable[str]) -> Mapping[str, Sequence[Since]]:
    """Return the accepted processes of agents, each with since when; the oldest first."""
    rows = (
        AgentVersion.objects.filter(
            agent__public_id__in=list(agent_ids),
            state=AgentVersion.State.ACCEPTED,
        )
        .order_by("settled_at", "number")
        .values_list(
            "agent__public_id", "settled_at", "version", "manifest__spec__steps",
            "manifest__spec__models", "manifest__spec__tools",
        )
    )  # fmt: skip
    found: dict[str, list[Since]] = {}
    for agent_id, settled_at, *declared in rows:
        if settled_at is not None:
            found.setdefault(agent_id, []).append((settled_at, process_of(*declared)))
    return found


def process_at(known: Sequence[Since], moment: datetime) -> Process:
    """Return what held at a moment; before the first, the first."""
    held = [process for since, process in known if since <= moment]
    if held:
        return held[-1]
    return known[0][1] if known else Process()


def process_now(agent: Agent) -> Process:
    """Return what an agent's version in force declares; of a draft, its newest."""
    version = agent.current_version or agent.versions.order_by("-number").first()
    if version is None:
        return Process()
    spec = version.manifest.get("spec", {})
    return process_of(version.version, spec.get("steps"), spec.get("models"), spec.get("tools"))
