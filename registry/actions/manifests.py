"""How a manifest becomes columns of an agent and a version row; the manifest stays the source."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kernel import clock
from kernel.refs import new_id
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from registry.manifest import Manifest
from registry.models import Agent, AgentVersion, SimilarAgent
from registry.queries.references import References
from registry.similarity import Similar

_FACTS_NAMED = 50  # an entry's header has a size; the version row holds the rest


def columns_of(manifest: Manifest, references: References) -> dict[str, Any]:
    """Return what the inventory keeps of a manifest, to be searched and shown in lists."""
    return {
        "title": manifest.title,
        "description": manifest.description,
        "purpose": manifest.text("purpose"),
        "owner": references.owner,
        "backup_owner": references.backup_owner,
        "team": references.team,
        "on_call": manifest.text("onCall"),
        "cost_center": manifest.text("costCenter"),
        "risk_tier": manifest.risk_tier,
        "data_classes": manifest.data_classes,
        "tags": manifest.tags,
        "routes": manifest.routes,
        "tools": manifest.tools,
    }


def add_version(
    agent: Agent, manifest: Manifest, *, number: int, actor: Actor, source: str
) -> AgentVersion:
    """Store a manifest as the agent's next version, proposed."""
    return AgentVersion.objects.create(
        public_id=new_id("ver"),
        agent=agent,
        number=number,
        version=manifest.version,
        manifest=dict(manifest.document),
        digest=manifest.digest,
        source=source,
        created_by=str(actor.ref),
        created_at=clock.now(),
    )


def apply_columns(
    agent: Agent, manifest: Manifest, references: References, *, actor: Actor
) -> None:
    """Let the inventory show another manifest.

    Records: agent.changed, when the agent goes to another owner or backup owner.
    """
    before = {"owner": agent.owner.ref, "backup_owner": _ref(agent.backup_owner)}
    columns = columns_of(manifest, references)
    for name, value in columns.items():
        setattr(agent, name, value)
    agent.save(update_fields=list(columns))
    after = {"owner": agent.owner.ref, "backup_owner": _ref(agent.backup_owner)}
    if before != after:
        facts: dict[str, Fact] = {name: str(ref) for name, ref in after.items()}
        facts |= {f"previous_{name}": str(ref) for name, ref in before.items()}
        record(
            Verb.AGENT_CHANGED, agent.ref, actor=actor.ref, agent_id=agent.public_id, facts=facts
        )


def keep_similar(agent: Agent, similar: Iterable[Similar]) -> None:
    """Store which agents a new manifest resembles, in place of an earlier finding."""
    SimilarAgent.objects.filter(agent=agent).delete()
    SimilarAgent.objects.bulk_create(
        SimilarAgent(agent=agent, other=each.agent, score=each.score, reasons=each.reasons)
        for each in similar
    )


def version_facts(version: AgentVersion, manifest: Manifest) -> dict[str, Fact]:
    """Return what the ledger says of a version: enough to find and to check it."""
    return {
        "number": version.number,
        "version": version.version,
        "version_id": version.public_id,
        "digest": version.digest,
        "source": version.source,
        "data_classes": manifest.data_classes,
        "routes": manifest.routes[:_FACTS_NAMED],
        "tools": manifest.tools[:_FACTS_NAMED],
    }


def _ref(person: Any) -> str:
    return str(person.ref) if person is not None else ""
