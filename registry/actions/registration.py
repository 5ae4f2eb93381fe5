"""The first and the last moment of a draft: registering an agent, removing one that never ran."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import Q

from kernel import clock
from kernel.db import refused_as
from kernel.refs import new_id
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from registry.actions.guards import hold, out_of_turn, require_answering
from registry.actions.manifests import add_version, columns_of, keep_similar, version_facts
from registry.actors import Actor
from registry.errors.agents import DraftHasRun, NameTaken, OwnerMustBeYou
from registry.manifest import Manifest
from registry.models import Agent, AgentKey, AgentVersion, Role, SimilarAgent
from registry.queries import agents as queries
from registry.queries.references import References, resolve
from registry.similarity import Similar, similar_to


@dataclass(frozen=True, slots=True)
class Checked:
    """A manifest that would be accepted, and whom it resembles."""

    manifest: Manifest
    references: References
    similar: list[Similar]


@dataclass(frozen=True, slots=True)
class Registered:
    """An agent with its version; ``created`` is False when the same was handed in before."""

    agent: Agent
    version: AgentVersion
    similar: list[Similar] = field(default_factory=list)
    created: bool = True


def check_manifest(manifest: Manifest, *, actor: Actor) -> Checked:
    """Say whether a manifest could be registered or proposed, changing nothing.

    Raises: RoleMissing, OwnerMustBeYou, NotYourAgent, NameTaken, ManifestInvalid.
    """
    actor.require(Role.EMPLOYEE, Role.PLATFORM)
    agent = Agent.objects.filter(name=manifest.name).select_related("owner").first()
    if agent is not None and not queries.answers_for(actor, agent):
        raise _taken(agent)
    references = resolve(manifest)
    if agent is None:
        _require_own(actor, references)
    similar = similar_to(manifest, team=references.team, but=agent)
    return Checked(manifest, references, similar)


@transaction.atomic
def register_agent(
    manifest: Manifest, *, actor: Actor, source: str, is_demo: bool = False
) -> Registered:
    """Enter an agent into the inventory as a draft, with its first version proposed.

    People register agents of their own; the platform may do it for somebody. Handing in
    the same manifest again answers with what exists, so a lost answer can be repeated.

    Records: agent.registered.
    Raises: RoleMissing, OwnerMustBeYou, NameTaken, ManifestInvalid.
    """
    actor.require(Role.EMPLOYEE, Role.PLATFORM)
    if (existing := _same_again(manifest, actor)) is not None:
        return existing
    references = resolve(manifest)
    _require_own(actor, references)
    similar = similar_to(manifest, team=references.team)
    now = clock.now()
    taken = NameTaken(f"The name {manifest.name} was taken a moment ago.", name=manifest.name)
    try:
        with refused_as({"registry_agent_name_key": taken}):
            agent = Agent.objects.create(
                public_id=new_id("agt"),
                name=manifest.name,
                stage_changed_at=now,
                created_at=now,
                is_demo=is_demo,
                **columns_of(manifest, references),
            )
    except NameTaken:
        # Two requests at once; the winner's row is visible now.
        if (existing := _same_again(manifest, actor)) is not None:
            return existing
        raise
    version = add_version(agent, manifest, number=1, actor=actor, source=source)
    keep_similar(agent, similar)
    facts: dict[str, Fact] = {
        "name": agent.name,
        "owner": str(agent.owner.ref),
        "backup_owner": str(references.backup_owner.ref),
        "similar": [each.agent.public_id for each in similar],
    }
    facts |= version_facts(version, manifest)
    record(Verb.AGENT_REGISTERED, agent.ref, actor=actor.ref, agent_id=agent.public_id, facts=facts)
    return Registered(agent, version, similar)


@transaction.atomic
def remove_draft(name: str, *, actor: Actor) -> None:
    """Take a draft that never ran out of the inventory; its name is free again.

    Records: agent.removed. Raises: AgentNotFound, NotYourAgent, IllegalTransition, DraftHasRun.
    """
    agent = hold(queries.agent_for(actor, name))
    require_answering(actor, agent)
    if agent.stage != Agent.Stage.DRAFT:
        raise out_of_turn(agent, "removed")
    accepted = AgentVersion.objects.filter(agent=agent, state=AgentVersion.State.ACCEPTED)
    if accepted.exists() or AgentKey.objects.filter(agent=agent).exists():
        raise DraftHasRun(f"{agent.name} has run; retire it instead.")
    _record_removal(agent, actor)
    AgentVersion.objects.filter(agent=agent).delete()
    agent.delete()


@transaction.atomic
def remove_demo_agent(name: str, *, actor: Actor) -> None:
    """Take an agent of the demo company out of the inventory, whatever it has done.

    The database lets nothing else go this way. The ledger keeps what it recorded.

    Records: agent.removed. Raises: AgentNotFound, RoleMissing, DraftHasRun (no demo agent).
    """
    actor.require(Role.PLATFORM)
    agent = hold(queries.agent_for(actor, name))
    if not agent.is_demo:
        raise DraftHasRun(f"{agent.name} is no demo data; retire it instead.")
    _record_removal(agent, actor)
    # Rows that protect each other go together; the database checks when all are gone.
    for rows in (
        SimilarAgent.objects.filter(Q(agent=agent) | Q(other=agent)),
        AgentKey.objects.filter(agent=agent),
        AgentVersion.objects.filter(agent=agent),
        Agent.objects.filter(pk=agent.pk),
    ):
        rows._raw_delete(rows.db)


def _record_removal(agent: Agent, actor: Actor) -> None:
    facts: dict[str, Fact] = {"name": agent.name, "owner": str(agent.owner.ref)}
    record(Verb.AGENT_REMOVED, agent.ref, actor=actor.ref, agent_id=agent.public_id, facts=facts)


def _same_again(manifest: Manifest, actor: Actor) -> Registered | None:
    """Return the agent when this very manifest is its newest. Raises: NameTaken."""
    agents = Agent.objects.select_related("owner", "backup_owner", "team")
    agent = agents.filter(name=manifest.name).first()
    if agent is None:
        return None
    newest = queries.versions_of(agent).first()
    is_same = newest is not None and newest.digest == manifest.digest
    if newest is None or not is_same or agent.stage == Agent.Stage.RETIRED:
        raise _taken(agent)
    if not queries.answers_for(actor, agent):
        raise _taken(agent)
    similar = [Similar(each.other, each.score, each.reasons) for each in queries.similar_of(agent)]
    return Registered(agent, newest, similar, created=False)


def _require_own(actor: Actor, references: References) -> None:
    if not (actor.is_person(references.owner) or actor.has(Role.PLATFORM)):
        raise OwnerMustBeYou(
            "Name yourself as spec.owner; the platform role registers agents for others.",
            rule="registry.owner_is_actor",
        )


def _taken(agent: Agent) -> NameTaken:
    return NameTaken(
        f"{agent.name} is an agent of {agent.owner}. Choose another name or, if it is yours,"
        f" hand in a new version under /api/v1/agents/{agent.name}/versions.",
        name=agent.name,
    )
