"""What a review of a cutover is about, and what its end does: security's word above a class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from approvals.errors import EditRefused
from approvals.models import Review
from fleet.cutovers.actions.moving import end_unstarted
from fleet.cutovers.actions.noting import hold_cutover
from fleet.cutovers.actions.signing import start_if_agreed
from fleet.cutovers.models import Cutover
from fleet.cutovers.queries.cutovers import bound_digest, rows_of
from kernel import clock
from registry.actors import Actor


@dataclass(frozen=True)
class CutoverMatter:
    """Agents that want to be moved to another model."""

    cutover: Cutover

    @property
    def agent_id(self) -> str:
        return ""

    def present_digest(self) -> str:
        return bound_digest(self.cutover) if self.cutover.state == Cutover.State.SIGNING else ""

    def barred(self) -> set[str]:
        begun_by = self.cutover.begun_by
        return self._owners(backup=True) | ({begun_by.public_id} if begun_by else set())

    def owner_ids(self) -> set[str]:
        return self._owners(backup=False)

    def edit(self, arguments: Mapping[str, Any], *, actor: Actor) -> str:
        raise EditRefused("A cutover is decided as it is; begin another instead.")

    def approve(self, *, actor: Actor) -> None:
        self.cutover.security_agreed_at = clock.now()
        self.cutover.save(update_fields=["security_agreed_at"])
        start_if_agreed(self.cutover, actor=actor)

    def refuse(self, *, actor: Actor, reason: str, is_final: bool) -> None:
        if self.cutover.state == Cutover.State.SIGNING:
            end_unstarted(self.cutover, actor=actor, reason="Security did not agree.")

    def _owners(self, *, backup: bool) -> set[str]:
        found = set()
        for row in rows_of(self.cutover):
            found.add(row.agent.owner.public_id)
            if backup and row.agent.backup_owner is not None:
                found.add(row.agent.backup_owner.public_id)
        return found


def lock_cutover(review: Review) -> CutoverMatter:
    """Lock the cutover."""
    return CutoverMatter(hold_cutover(review.subject_ref.id))
