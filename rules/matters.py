"""What reviews about policies and grants are about, and what their end does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from approvals.errors import EditRefused
from approvals.models import Review
from registry.actions.guards import hold
from registry.actors import Actor
from rules.actions.activating import activate_bundle
from rules.actions.granting import answering_for, give_grant, grant_digest, refuse_grant
from rules.actions.proposing import authors_of, bound
from rules.models import Activation, Bundle, Grant


@dataclass(frozen=True)
class ActivationMatter:
    """A bundle that wants to judge in the place of the one in force."""

    bundle: Bundle
    now: Activation | None
    review: Review

    @property
    def agent_id(self) -> str:
        return ""

    def present_digest(self) -> str:
        return bound(self.bundle, self.now)

    def barred(self) -> set[str]:
        return authors_of(self.bundle)

    def owner_ids(self) -> set[str]:
        return set()

    def edit(self, arguments: Mapping[str, Any], *, actor: Actor) -> str:
        raise EditRefused("A policy is decided as it is; upload another bundle instead.")

    def approve(self, *, actor: Actor) -> None:
        why = self.review.justification
        activate_bundle(self.bundle, actor=actor, reason=why, review_id=self.review.public_id)

    def refuse(self, *, actor: Actor, reason: str, is_final: bool) -> None:
        """What is in force stays."""


@dataclass(frozen=True)
class GrantMatter:
    """A class of data that wants to go to a vendor."""

    grant: Grant

    @property
    def agent_id(self) -> str:
        return self.grant.agent.public_id

    def present_digest(self) -> str:
        return grant_digest(self.grant)

    def barred(self) -> set[str]:
        return answering_for(self.grant.agent)

    def owner_ids(self) -> set[str]:
        return {self.grant.agent.owner.public_id}

    def edit(self, arguments: Mapping[str, Any], *, actor: Actor) -> str:
        raise EditRefused("A grant is decided as it is; ask for another instead.")

    def approve(self, *, actor: Actor) -> None:
        give_grant(self.grant, actor=actor)

    def refuse(self, *, actor: Actor, reason: str, is_final: bool) -> None:
        refuse_grant(self.grant, actor=actor)


def lock_activation(review: Review) -> ActivationMatter:
    """Lock what is in force, so that nothing else comes between."""
    bundle = Bundle.objects.get(public_id=review.subject_ref.id)
    in_force = Activation.objects.select_for_update(of=("self",)).select_related("bundle")
    return ActivationMatter(bundle, in_force.filter(ended_at=None).first(), review)


def lock_grant(review: Review) -> GrantMatter:
    """Lock the agent, then the grant."""
    grant = Grant.objects.select_related("agent").get(public_id=review.subject_ref.id)
    hold(grant.agent)
    held = Grant.objects.select_for_update(of=("self",)).select_related(
        "agent__owner", "agent__backup_owner"
    )
    return GrantMatter(held.get(pk=grant.pk))
