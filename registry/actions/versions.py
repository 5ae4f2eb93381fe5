"""New manifests of an agent that exists: proposed, withdrawn, accepted, rejected.

A version row is never changed; only its state is settled, once. An agent has one open
proposal at most, so what reviewers look at is what would come into force.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db import transaction

from kernel import clock
from kernel.db import refused_as
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from registry import ports
from registry.actions.guards import hold, out_of_turn, require_answering, require_owning
from registry.actions.manifests import add_version, apply_columns, keep_similar, version_facts
from registry.actors import Actor
from registry.errors.agents import (
    ManifestInvalid,
    VersionAlreadyProposed,
    VersionNotGreater,
    VersionSettled,
    VersionUnchanged,
)
from registry.manifest import Manifest
from registry.manifest.diff import Change, compare
from registry.manifest.reading import refused
from registry.manifest.semver import SemVer
from registry.models import Agent, AgentVersion
from registry.queries import agents as queries
from registry.queries.references import References, resolve
from registry.similarity import similar_to

RUNNING = (Agent.Stage.SOFT_LAUNCH, Agent.Stage.LIVE, Agent.Stage.DEPRECATED)


@dataclass(frozen=True, slots=True)
class Proposed:
    """A version that was handed in and how it differs from the one before it."""

    agent: Agent
    version: AgentVersion
    changes: list[Change] = field(default_factory=list)
    created: bool = True


@transaction.atomic
def propose_version(name: str, manifest: Manifest, *, actor: Actor, source: str) -> Proposed:
    """Hand in another manifest for an agent.

    For a draft it takes the place of the last one at once. For a running agent it waits
    until it is accepted; its number must be above the one in force. The agent's row is
    held meanwhile, so of two racing callers one proposes and the other is told so.

    Records: agent.version_proposed, agent.changed.
    Raises: AgentNotFound, NotYourAgent, ManifestInvalid, IllegalTransition,
    VersionAlreadyProposed, VersionUnchanged, VersionNotGreater.
    """
    agent = hold(queries.agent_for(actor, name))
    require_answering(actor, agent)
    _check_name(agent, manifest)
    if agent.stage not in (Agent.Stage.DRAFT, *RUNNING):
        raise out_of_turn(agent, "given a new version")
    waiting = queries.proposed_version(agent)
    if waiting is not None and waiting.digest == manifest.digest:
        return Proposed(agent, waiting, created=False)
    references = resolve(manifest)
    _check_handover(agent, references, actor)
    before = agent.current_version or waiting
    if agent.stage == Agent.Stage.DRAFT:
        _replace_draft(agent, manifest, references, actor=actor)
    else:
        _check_successor(agent, waiting, manifest)
    number = (queries.versions_of(agent).values_list("number", flat=True).first() or 0) + 1
    with refused_as({"registry_agentversion_one_proposed": _already(agent)}):
        version = add_version(agent, manifest, number=number, actor=actor, source=source)
    changes = compare(before.manifest, version.manifest) if before is not None else []
    risks: dict[str, Fact] = {
        "changed": [change.path[:200] for change in changes[:50]],
        "risks": sorted({change.risk for change in changes if change.risk}),
    }
    _record(Verb.AGENT_VERSION_PROPOSED, agent, actor, version_facts(version, manifest) | risks)
    return Proposed(agent, version, changes)


@transaction.atomic
def withdraw_version(name: str, *, actor: Actor) -> AgentVersion:
    """Take back the open proposal of a running agent; the version in force stays.

    Records: agent.version_rejected.
    Raises: AgentNotFound, NotYourAgent, IllegalTransition, VersionSettled.
    """
    agent = hold(queries.agent_for(actor, name))
    require_answering(actor, agent)
    if agent.stage not in RUNNING:
        raise out_of_turn(agent, "relieved of its version")
    version = queries.proposed_version(agent)
    if version is None:
        raise VersionSettled(f"{agent.name} has no version that waits.")
    return _refuse(agent, version, actor=actor, reason="withdrawn")


@transaction.atomic
def accept_version(agent: Agent, version: AgentVersion, *, actor: Actor) -> AgentVersion:
    """Bring a proposed version of a running agent into force.

    Whether it may is decided before, by a review of its digest. Both updates name the
    state they leave.

    Records: agent.version_accepted, agent.changed.
    Raises: VersionSettled, IllegalTransition, ManifestInvalid (a name in it is gone).
    """
    agent = hold(agent)
    if agent.stage not in RUNNING:
        raise out_of_turn(agent, "given a new version")
    manifest = Manifest(version.manifest)
    settle(agent, version, AgentVersion.State.ACCEPTED)
    agent.current_version = version
    agent.save(update_fields=["current_version"])
    ports.limits().keep(agent, manifest.limits, actor=actor)
    apply_columns(agent, manifest, resolve(manifest), actor=actor)
    _record(Verb.AGENT_VERSION_ACCEPTED, agent, actor, version_facts(version, manifest))
    return version


@transaction.atomic
def reject_version(
    agent: Agent, version: AgentVersion, *, actor: Actor, reason: str = "rejected"
) -> AgentVersion:
    """Close a proposed version of a running agent; the version in force stays.

    Records: agent.version_rejected. Raises: VersionSettled.
    """
    return _refuse(hold(agent), version, actor=actor, reason=reason)


def settle(agent: Agent, version: AgentVersion, state: AgentVersion.State) -> None:
    """Move a version out of `proposed`; of two racing callers one wins. Raises: VersionSettled."""
    now = clock.now()
    moved = AgentVersion.objects.filter(
        pk=version.pk, agent=agent, state=AgentVersion.State.PROPOSED
    ).update(state=state, settled_at=now)
    if not moved:
        raise VersionSettled(f"Version {version.version} of {agent.name} is settled already.")
    version.state, version.settled_at = state, now


def _refuse(agent: Agent, version: AgentVersion, *, actor: Actor, reason: str) -> AgentVersion:
    settle(agent, version, AgentVersion.State.REJECTED)
    facts: dict[str, Fact] = {
        "number": version.number,
        "version": version.version,
        "digest": version.digest,
        "reason": reason[:2000],
    }
    _record(Verb.AGENT_VERSION_REJECTED, agent, actor, facts)
    return version


def _replace_draft(
    agent: Agent, manifest: Manifest, references: References, *, actor: Actor
) -> None:
    AgentVersion.objects.filter(agent=agent, state=AgentVersion.State.PROPOSED).update(
        state=AgentVersion.State.SUPERSEDED, settled_at=clock.now()
    )
    apply_columns(agent, manifest, references, actor=actor)
    keep_similar(agent, similar_to(manifest, team=references.team, but=agent))


def _check_name(agent: Agent, manifest: Manifest) -> None:
    if manifest.name != agent.name:
        message = f"an agent keeps its name; this one is {agent.name}"
        raise _invalid(manifest, message)


def _invalid(manifest: Manifest, message: str) -> ManifestInvalid:
    return refused([manifest.problem(("metadata", "name"), message)])


def _check_handover(agent: Agent, references: References, actor: Actor) -> None:
    is_same = (references.owner.pk, references.backup_owner.pk) == (
        agent.owner.pk,
        agent.backup_owner.pk if agent.backup_owner else None,
    )
    if not is_same:
        require_owning(actor, agent)


def _check_successor(agent: Agent, waiting: AgentVersion | None, manifest: Manifest) -> None:
    current = agent.current_version
    if current is not None and current.digest == manifest.digest:
        raise VersionUnchanged(f"Version {current.version} in force says exactly this.")
    if waiting is not None:
        raise _already(agent, waiting)
    in_force = SemVer.parse(current.version) if current is not None else None
    if current is not None and in_force is not None and not manifest.semver > in_force:
        raise VersionNotGreater(
            f"spec.version is {manifest.version}; it must be above {current.version}, which is in"
            " force.",
            in_force=current.version,
        )


def _already(agent: Agent, waiting: AgentVersion | None = None) -> VersionAlreadyProposed:
    which = f"Version {waiting.version}" if waiting is not None else "Another version"
    return VersionAlreadyProposed(
        f"{which} of {agent.name} waits to be accepted; withdraw it or wait for the decision."
    )


def _record(verb: Verb, agent: Agent, actor: Actor, facts: dict[str, Fact]) -> None:
    record(verb, agent.ref, actor=actor.ref, agent_id=agent.public_id, facts=facts)
