"""What the deciders are shown, fixed at the moment the question is put.

A snapshot, because a decision must be explained later by what was on the page, not by
what has become of it.
"""

from __future__ import annotations

from typing import Any, Final

from approvals.ports import receivers_behind, vendors_behind
from registry.manifest import Manifest
from registry.manifest.diff import compare
from registry.models import Agent, AgentVersion, Person
from registry.queries import agents as queries

ALIKE: Final = 0.5  # from this score on, reuse or justify


def evidence_of(agent: Agent, version: AgentVersion) -> dict[str, Any]:
    """Return everything a decider needs to know about one version of an agent."""
    manifest = Manifest(version.manifest)
    before = agent.current_version
    is_same = before is not None and before.pk == version.pk
    return {
        "agent": {
            "id": agent.public_id,
            "name": agent.name,
            "title": manifest.title,
            "stage": agent.stage,
            "owner": _person(agent.owner),
            "backup_owner": _person(agent.backup_owner),
            "team": agent.team.slug if agent.team else None,
        },
        "version": {
            "id": version.public_id,
            "number": version.number,
            "version": version.version,
            "digest": version.digest,
        },
        "manifest": version.manifest,
        "compared_with": before.version if before is not None and not is_same else None,
        "diff": [change.facts() for change in compare(before.manifest, version.manifest)]
        if before is not None and not is_same
        else [],
        "data_classes": manifest.data_classes,
        "risk_tier": manifest.risk_tier,
        "routes": manifest.routes,
        "vendors": vendors_behind(manifest.routes),
        "receivers": receivers_behind(manifest.routes),
        "tools": manifest.tools,
        "similar": (similar := similar_facts(agent)),
        "much_alike": [found["name"] for found in similar if found["score"] >= ALIKE],
    }


def similar_facts(agent: Agent) -> list[dict[str, Any]]:
    """Return the agents it resembles, as they were found at registration."""
    return [
        {
            "name": found.other.name,
            "owner": found.other.owner.email,
            "score": found.score,
            "reasons": found.reasons,
        }
        for found in queries.similar_of(agent)
    ]


def _person(person: Person | None) -> dict[str, str] | None:
    return None if person is None else {"id": person.public_id, "email": person.email}
