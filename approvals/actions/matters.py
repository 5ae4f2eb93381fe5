"""What a review is about, at the moment it is settled, and what its end does there.

A matter is locked before its review, always in this order: agent, review, person. It
answers with the digest of what is there *now*, computed anew, and with the people who
may not decide *now*; both may have changed since the question was put.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from approvals.errors import EditRefused
from approvals.models import Review
from approvals.ports import Matter, matter_of
from kernel.canonical import digest
from registry.actions import agents as act
from registry.actions.guards import hold
from registry.actors import Actor
from registry.models import Agent, AgentVersion
from registry.queries import agents as queries


@dataclass(frozen=True)
class OtherMatter:
    """A subject that this package does not know: its asker presents the digest again."""

    agent_id: str = ""

    def present_digest(self) -> str | None:
        return None

    def barred(self) -> set[str]:
        return set()

    def owner_ids(self) -> set[str]:
        return set()

    def edit(self, arguments: Mapping[str, Any], *, actor: Actor) -> str:
        raise EditRefused("Only the arguments of an action can be edited.")

    def approve(self, *, actor: Actor) -> None:
        """Nothing happens by itself: the asker redeems the answer."""

    def refuse(self, *, actor: Actor, reason: str, is_final: bool) -> None:
        """Nothing waits."""


@dataclass
class AgentMatter:
    """What the three kinds about agents share: the agent's row, held."""

    agent: Agent

    @property
    def agent_id(self) -> str:
        return self.agent.public_id

    def owner_ids(self) -> set[str]:
        return {self.agent.owner.public_id}

    def barred(self) -> set[str]:
        return self.owner_ids()

    def edit(self, arguments: Mapping[str, Any], *, actor: Actor) -> str:
        raise EditRefused("A manifest is edited by its owner, as a new version.")


@dataclass
class Registration(AgentMatter):
    """A draft that wants to run."""

    def present_digest(self) -> str | None:
        version = queries.proposed_version(self.agent)
        waits = version is not None and self.agent.stage == Agent.Stage.IN_REVIEW
        return digest(version.manifest) if version is not None and waits else ""

    def approve(self, *, actor: Actor) -> None:
        act.launch_agent(self.agent, self._version(), actor=actor)

    def refuse(self, *, actor: Actor, reason: str, is_final: bool) -> None:
        version = queries.proposed_version(self.agent)
        if version is not None and self.agent.stage == Agent.Stage.IN_REVIEW:
            act.return_to_draft(self.agent, version, actor=actor, reason=reason)

    def _version(self) -> AgentVersion:
        return queries.versions_of(self.agent).get(state=AgentVersion.State.PROPOSED)


@dataclass
class NewVersion(AgentMatter):
    """A manifest that wants to take the place of the one in force."""

    def present_digest(self) -> str | None:
        version = queries.proposed_version(self.agent)
        return digest(version.manifest) if version is not None else ""

    def approve(self, *, actor: Actor) -> None:
        version = queries.versions_of(self.agent).get(state=AgentVersion.State.PROPOSED)
        act.accept_version(self.agent, version, actor=actor)

    def refuse(self, *, actor: Actor, reason: str, is_final: bool) -> None:
        # One that was only withdrawn stays proposed: it may be submitted again.
        version = queries.proposed_version(self.agent)
        if version is not None and is_final:
            act.reject_version(self.agent, version, actor=actor, reason=reason)


@dataclass
class Promotion(AgentMatter):
    """An agent that wants to act without a person behind every action."""

    def present_digest(self) -> str | None:
        version = self.agent.current_version
        waits = version is not None and self.agent.stage == Agent.Stage.SOFT_LAUNCH
        return digest(version.manifest) if version is not None and waits else ""

    def approve(self, *, actor: Actor) -> None:
        act.promote_agent(self.agent, actor=actor)

    def refuse(self, *, actor: Actor, reason: str, is_final: bool) -> None:
        """The agent stays where it is."""


_KINDS: Final[dict[str, Callable[[Agent], Matter]]] = {
    Review.Kind.REGISTRATION.value: Registration,
    Review.Kind.VERSION.value: NewVersion,
    Review.Kind.PROMOTION.value: Promotion,
}


def is_settled_here(kind: str) -> bool:
    """Say whether the end of such a review takes effect here, so that nobody redeems it."""
    return kind in _KINDS or matter_of(kind) is not None


def lock_matter(review: Review) -> Matter:
    """Lock what a review is about. Call it before the review itself is locked."""
    if (bound := matter_of(review.kind)) is not None:
        return bound(review)
    made = _KINDS.get(review.kind)
    if made is None:
        subject = review.subject_ref
        return OtherMatter(agent_id=subject.id if subject.kind == "agent" else "")
    return made(hold(Agent.objects.get(public_id=review.subject_ref.id)))
