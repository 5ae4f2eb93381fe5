"""Asking for an agent: to run at all, to run a new version, to act on its own.

The review binds to the digest of the version's canonical manifest, and reuse comes before
another of the same: where one exists that is much alike, the asker says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings
from django.db import transaction

from approvals.actions.asking import Question, ask
from approvals.actions.evidence import ALIKE, evidence_of, similar_facts
from approvals.actions.matters import lock_matter
from approvals.actions.settling import end_if_stale, lock_review
from approvals.actions.texts import clean_text
from approvals.errors import (
    JustificationNeeded,
    LaunchTooEarly,
    NothingToSubmit,
    NotInSoftLaunch,
    ReviewAlreadyOpen,
)
from approvals.models import Review
from approvals.ports import launch_of
from approvals.queries import open_review_of
from kernel.canonical import digest
from registry.actions.agents import enter_review
from registry.actions.guards import hold, out_of_turn, require_answering
from registry.actors import Actor
from registry.manifest import Manifest
from registry.models import Agent, AgentVersion, Person
from registry.queries import agents as queries

RUNNING: Final = (Agent.Stage.SOFT_LAUNCH, Agent.Stage.LIVE, Agent.Stage.DEPRECATED)


def submit_agent(
    name: str, *, actor: Actor, justification: str = "", demands_reason: bool = False
) -> Review:
    """Ask security to let a draft run, or a running agent's proposed version take effect.

    Whether an agent much like others was justified is part of the evidence; people at the
    portal are held to say why (``demands_reason``), where they see the others beside it.
    Records: agent.submitted, review.opened.
    Raises: AgentNotFound, NotYourAgent, JustificationNeeded, ReviewAlreadyOpen,
    NothingToSubmit, IllegalTransition, TextUnusable.
    """
    said = clean_text(justification, "justification")
    _end_stale_registration(name, actor)
    with transaction.atomic():
        agent = hold(queries.agent_for(actor, name))
        require_answering(actor, agent)
        if agent.stage in RUNNING:
            return _submit_version(agent, said, actor)
        earlier = open_review_of(str(agent.ref), Review.Kind.REGISTRATION)
        if earlier is not None:
            raise ReviewAlreadyOpen(
                f"Review {earlier.public_id} asks this already.", review=earlier.public_id
            )
        if demands_reason:
            _reuse_or_justify(agent, said)
        version = enter_review(agent, actor=actor)
        return _ask(Review.Kind.REGISTRATION, agent, version, said, actor)


@transaction.atomic
def request_promotion(
    name: str, *, actor: Actor, justification: str, exception: str = ""
) -> Review:
    """Ask security to let an agent in soft launch act without a person behind each action.

    The figures of its soft launch are part of the evidence. Where they are below the
    minimum, an exception says why it should be live all the same, and the reviewers see it.

    Records: review.opened. Raises: AgentNotFound, NotYourAgent, NotInSoftLaunch,
    JustificationNeeded, LaunchTooEarly, ReviewAlreadyOpen, TextUnusable.
    """
    said = clean_text(justification, "justification")
    excepted = clean_text(exception, "exception")
    agent = hold(queries.agent_for(actor, name))
    require_answering(actor, agent)
    if agent.stage != Agent.Stage.SOFT_LAUNCH or agent.current_version is None:
        raise NotInSoftLaunch(f"{agent.name} is {agent.stage}.", stage=agent.stage)
    if not said:
        raise JustificationNeeded("Say what its soft launch has shown.", field="justification")
    launch = _launch(agent, excepted)
    return _ask(Review.Kind.PROMOTION, agent, agent.current_version, said, actor, launch)


def _launch(agent: Agent, exception: str) -> dict[str, Any]:
    """Return what reviewers are shown of a soft launch. Raises: LaunchTooEarly."""
    found = launch_of(agent)
    if found is None:
        return {}
    figures, missing = found
    if missing and not exception:
        raise LaunchTooEarly(
            "The soft launch has not shown enough: "
            + "; ".join(missing)
            + ". Wait for more decisions, or state an exception.",
            field="exception",
            missing=missing,
        )
    return {"launch": figures} | ({"exception": exception} if missing else {})


def _end_stale_registration(name: str, actor: Actor) -> None:
    """Give a draft back whose review nobody answered in time, so that it can be asked anew."""
    with transaction.atomic():
        agent = queries.agent_for(actor, name)
        require_answering(actor, agent)
        earlier = open_review_of(str(agent.ref), Review.Kind.REGISTRATION)
        if earlier is not None:
            matter = lock_matter(earlier)
            earlier = lock_review(earlier.public_id)
            if earlier.state == Review.State.OPEN:
                end_if_stale(earlier, matter)


def _submit_version(agent: Agent, justification: str, actor: Actor) -> Review:
    version = queries.proposed_version(agent)
    if version is None:
        raise NothingToSubmit(f"{agent.name} has no version that waits; propose one first.")
    if agent.killed_at is not None:
        raise out_of_turn(agent, "given a new version")
    return _ask(Review.Kind.VERSION, agent, version, justification, actor)


def _reuse_or_justify(agent: Agent, justification: str) -> None:
    alike = [found for found in similar_facts(agent) if found["score"] >= ALIKE]
    if alike and not justification:
        names = ", ".join(f"{found['name']} (of {found['owner']})" for found in alike)
        raise JustificationNeeded(
            f"Much the same exists: {names}. Use it, or say in the justification why not.",
            field="justification",
            similar=alike,
        )


def _ask(
    kind: Review.Kind,
    agent: Agent,
    version: AgentVersion,
    justification: str,
    actor: Actor,
    evidence: Mapping[str, Any] | None = None,
) -> Review:
    manifest = Manifest(version.manifest)
    owners = {agent.owner.public_id} | _named_owner(manifest)
    asked = {
        Review.Kind.REGISTRATION: f"May {agent.name} run?",
        Review.Kind.VERSION: f"May {agent.name} change to version {version.version}?",
        Review.Kind.PROMOTION: f"May {agent.name} act on its own?",
    }
    question = Question(
        kind=kind.value,
        subject=agent.ref,
        subject_name=agent.name,
        digest=digest(version.manifest),
        text=asked[kind],
        # An automation asks on behalf of whoever answers for the agent.
        requester=actor.person or agent.owner,
        quorum=_quorum({*agent.data_classes, *manifest.data_classes}),
        excluded=frozenset(owners),
        evidence=evidence_of(agent, version) | dict(evidence or {}),
        justification=justification,
    )
    return ask(question, actor=actor)


def _named_owner(manifest: Manifest) -> set[str]:
    """Return who would own the agent once this manifest is in force: a party to it as well."""
    named = Person.objects.filter(email=manifest.owner_email.lower())
    return set(named.values_list("public_id", flat=True))


def _quorum(data_classes: set[str]) -> int:
    by_class: dict[str, int] = settings.REVIEW_QUORUM_BY_DATA_CLASS
    return max([1, *(by_class.get(name, 1) for name in data_classes)])
