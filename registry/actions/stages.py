"""The stage machine and the brakes of an agent.

    draft → in_review → soft_launch → live → deprecated → retired     (backwards only by a
    review that ends without a yes, and from live by demotion); suspended and killed lie
    across it.

Every step is one update that names the state it leaves: of two racing callers one wins,
and the database refuses any other order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import DateTimeField, Value
from django.db.models.functions import Coalesce

from kernel import clock
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from registry import ports
from registry.actions.guards import (
    hold,
    out_of_turn,
    require_answering,
    require_owning,
    require_stopping,
    stated,
)
from registry.actions.keys import revoke_all_keys
from registry.actions.versions import settle
from registry.actors import Actor
from registry.errors.agents import NotYourAgent, VersionSettled
from registry.manifest import Manifest
from registry.models import Agent, AgentVersion, Role
from registry.queries import agents as queries

Stage = Agent.Stage


@dataclass(frozen=True, slots=True)
class Killed:
    """What a kill took away: the public ids of the keys that no longer open anything."""

    agent: Agent
    revoked_keys: list[str]


@transaction.atomic
def enter_review(agent: Agent, *, actor: Actor) -> AgentVersion:
    """Hand a draft in for review and return the version that is asked about.

    Records: agent.submitted. Raises: NotYourAgent, IllegalTransition, VersionSettled.
    """
    require_answering(actor, agent)
    _move(agent, (Stage.DRAFT,), Stage.IN_REVIEW, "submitted", killed_at__isnull=True)
    version = queries.proposed_version(agent)
    if version is None:
        raise VersionSettled(f"{agent.name} has no version that waits; hand in a manifest first.")
    _record(Verb.AGENT_SUBMITTED, agent, actor, _version(version))
    return version


@transaction.atomic
def launch_agent(agent: Agent, version: AgentVersion, *, actor: Actor) -> Agent:
    """Let a reviewed agent make calls, every proposed action approved by a person.

    Whether it may is decided before, by a review of the version's digest.

    Records: agent.launched. Raises: IllegalTransition, VersionSettled.
    """
    agent = hold(agent)
    settle(agent, version, AgentVersion.State.ACCEPTED)
    ports.limits().keep(agent, Manifest(version.manifest).limits, actor=actor)
    changes = {"current_version": version}
    _move(agent, (Stage.IN_REVIEW,), Stage.SOFT_LAUNCH, "launched", changes, killed_at__isnull=True)
    _record(Verb.AGENT_LAUNCHED, agent, actor, _version(version))
    return agent


@transaction.atomic
def return_to_draft(
    agent: Agent, version: AgentVersion, *, actor: Actor, reason: str = ""
) -> Agent:
    """Give an agent back to its owner when its review ended without a yes.

    The version stays proposed: it may be handed in again or replaced.

    Records: agent.returned. Raises: IllegalTransition.
    """
    _move(agent, (Stage.IN_REVIEW,), Stage.DRAFT, "returned")
    _record(Verb.AGENT_RETURNED, agent, actor, _version(version) | {"reason": reason[:2000]})
    return agent


@transaction.atomic
def promote_agent(agent: Agent, *, actor: Actor) -> Agent:
    """Let an agent act alone where policy does not call for a person.

    Whether it may is decided before, by a review.

    Records: agent.promoted. Raises: IllegalTransition.
    """
    _move(agent, (Stage.SOFT_LAUNCH,), Stage.LIVE, "promoted", killed_at__isnull=True)
    _record(Verb.AGENT_PROMOTED, agent, actor, {})
    return agent


@transaction.atomic
def demote_agent(
    agent: Agent, *, actor: Actor, reason: str, facts: Mapping[str, Fact] | None = None
) -> Agent:
    """Put a live agent back to soft launch, where people approve every action it proposes.

    Whether it must is decided before, by the rule that the facts name.

    Records: agent.demoted. Raises: IllegalTransition, RoleMissing, ReasonMissing.
    """
    actor.require(Role.SECURITY, Role.PLATFORM)
    why = stated(reason)
    _move(agent, (Stage.LIVE,), Stage.SOFT_LAUNCH, "demoted")
    _record(Verb.AGENT_DEMOTED, agent, actor, {**(facts or {}), "reason": why})
    return agent


@transaction.atomic
def suspend_agent(name: str, *, actor: Actor, reason: str) -> Agent:
    """Stop an agent's traffic, keeping its keys and its stage.

    A suspension by those who govern takes the place of an owner's own, so that the
    owner can no longer lift it.

    Records: agent.suspended.
    Raises: AgentNotFound, NotYourAgent, ReasonMissing, IllegalTransition.
    """
    agent = queries.agent_for(actor, name)
    require_stopping(actor, agent)
    why = stated(reason)
    suspended = Agent.objects.filter(pk=agent.pk, killed_at__isnull=True)
    if _governs(actor):
        lesser = [str(person.ref) for person in (agent.owner, agent.backup_owner) if person]
        lesser = [ref for ref in lesser if ref != str(actor.ref)]
        suspended = suspended.filter(suspended_by__in=["", *lesser])
    else:
        suspended = suspended.filter(suspended_at__isnull=True)
    moved = suspended.exclude(stage=Stage.RETIRED).update(
        suspended_at=clock.now(), suspended_reason=why, suspended_by=str(actor.ref)
    )
    if not moved:
        raise out_of_turn(agent, "suspended")
    agent.refresh_from_db()
    _record(Verb.AGENT_SUSPENDED, agent, actor, {"reason": why})
    return agent


@transaction.atomic
def resume_agent(name: str, *, actor: Actor, reason: str = "") -> Agent:
    """Let a suspended agent's traffic flow again.

    Platform and security lift any suspension; an owner lifts what they set themselves.
    A killed agent comes back without keys.

    Records: agent.resumed. Raises: AgentNotFound, NotYourAgent, IllegalTransition.
    """
    agent = queries.agent_for(actor, name)
    require_stopping(actor, agent)
    is_own = agent.suspended_by == str(actor.ref) and agent.killed_at is None
    if agent.is_suspended and not (_governs(actor) or is_own):
        raise NotYourAgent(
            "Only platform or security lift a suspension that somebody else set, or a kill.",
            rule="registry.resumes",
        )
    # Names the very suspension that was looked at: another one may have come meanwhile.
    moved = (
        Agent.objects.filter(
            pk=agent.pk, suspended_at=agent.suspended_at, suspended_at__isnull=False
        )
        .exclude(stage=Stage.RETIRED)
        .update(suspended_at=None, suspended_reason="", suspended_by="", killed_at=None)
    )
    if not moved:
        raise out_of_turn(agent, "resumed")
    facts: dict[str, Fact] = {
        "suspended_by": agent.suspended_by,
        "was_killed": agent.killed_at is not None,
    }
    agent.refresh_from_db()
    _record(Verb.AGENT_RESUMED, agent, actor, facts | ({"reason": reason[:2000]} if reason else {}))
    return agent


@transaction.atomic
def deprecate_agent(name: str, *, actor: Actor, reason: str) -> Agent:
    """Announce an agent's end; it still works, and those who rely on it are warned.

    Records: agent.deprecated.
    Raises: AgentNotFound, NotYourAgent, ReasonMissing, IllegalTransition.
    """
    agent = queries.agent_for(actor, name)
    require_owning(actor, agent)
    why = stated(reason)
    _move(agent, (Stage.SOFT_LAUNCH, Stage.LIVE), Stage.DEPRECATED, "deprecated")
    _record(Verb.AGENT_DEPRECATED, agent, actor, {"reason": why})
    return agent


@transaction.atomic
def retire_agent(name: str, *, actor: Actor, reason: str) -> Agent:
    """End an agent for good and revoke its keys; its history and its name stay.

    Records: agent.retired, key.revoked.
    Raises: AgentNotFound, NotYourAgent, ReasonMissing, IllegalTransition.
    """
    agent = queries.agent_for(actor, name)
    require_owning(actor, agent)
    why = stated(reason)
    leaves = (Stage.SOFT_LAUNCH, Stage.LIVE, Stage.DEPRECATED)
    _move(agent, leaves, Stage.RETIRED, "retired", {"retired_at": clock.now()})
    revoked = revoke_all_keys(agent, actor=actor, reason=f"agent retired: {why}")
    _record(Verb.AGENT_RETIRED, agent, actor, {"reason": why, "revoked_keys": revoked})
    return agent


@transaction.atomic
def kill_agent(name: str, *, actor: Actor, reason: str) -> Killed:
    """Stop an agent at once and revoke every key it holds.

    Takes any agent that is not retired, suspended or not; the answer names what was
    revoked.

    Records: agent.killed, key.revoked.
    Raises: AgentNotFound, NotYourAgent, ReasonMissing, IllegalTransition.
    """
    agent = queries.agent_for(actor, name)
    require_stopping(actor, agent)
    why, now = stated(reason), clock.now()
    moved = (
        Agent.objects.filter(pk=agent.pk, killed_at__isnull=True)
        .exclude(stage=Stage.RETIRED)
        .update(
            killed_at=now,
            suspended_at=_kept_or(now),
            suspended_reason=why,
            suspended_by=str(actor.ref),
        )
    )
    if not moved:
        raise out_of_turn(agent, "killed")
    revoked = revoke_all_keys(agent, actor=actor, reason=f"agent killed: {why}")
    agent.refresh_from_db()
    _record(Verb.AGENT_KILLED, agent, actor, {"reason": why, "revoked_keys": revoked})
    return Killed(agent, revoked)


def _move(
    agent: Agent,
    leaves: tuple[Stage, ...],
    to: Stage,
    step: str,
    changes: Mapping[str, object] | None = None,
    **conditions: object,
) -> None:
    """Compare and set the stage; the update names the stages it leaves."""
    moved = Agent.objects.filter(pk=agent.pk, stage__in=leaves, **conditions).update(
        stage=to, stage_changed_at=clock.now(), **(changes or {})
    )
    if not moved:
        raise out_of_turn(agent, step)
    agent.refresh_from_db()


def _kept_or(now: datetime) -> Coalesce:
    return Coalesce("suspended_at", Value(now, DateTimeField()))


def _governs(actor: Actor) -> bool:
    return actor.has(Role.PLATFORM, Role.SECURITY)


def _version(version: AgentVersion) -> dict[str, Fact]:
    return {"number": version.number, "version": version.version, "digest": version.digest}


def _record(verb: Verb, agent: Agent, actor: Actor, facts: dict[str, Fact]) -> None:
    record(verb, agent.ref, actor=actor.ref, agent_id=agent.public_id, facts=facts)
