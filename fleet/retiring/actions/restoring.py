"""Bringing a retired agent back: one person asks, another decides, within 30 days.

The question is bound to this retirement and to what of its data is destroyed by then, so an
answer holds for exactly what was said to be lost. The agent comes back as a soft launch
without keys; what was withdrawn or ended stays so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from approvals.actions.asking import Question, ask
from approvals.errors import EditRefused
from approvals.models import Review
from fleet.retiring.actions.warning import tell_it_is_back
from fleet.retiring.errors import RestoreLoses, RestoreTooLate
from fleet.retiring.models import Retirement, Step
from fleet.retiring.ports import stoppers
from fleet.retiring.queries.retirements import retirement_for
from kernel import clock
from kernel.canonical import digest
from registry.actions import agents as act
from registry.actions.guards import hold, require_stopping, stated
from registry.actors import Actor, RoleMissing
from registry.models import Agent

State = Retirement.State
DECIDERS = ("role:security", "role:platform")
GONE = ""


@transaction.atomic
def request_restore(
    public_id: str, *, actor: Actor, reason: str, knows_loss: bool = False
) -> Review:
    """Ask for a retired agent to come back; who asks is not who decides.

    Records: review.opened. Raises: RetirementNotFound, NotYourAgent, ReasonMissing, RoleMissing,
    RestoreTooLate, RestoreLoses, ReviewAlreadyOpen.
    """
    row = retirement_for(actor, public_id)
    agent = hold(row.agent)
    require_stopping(actor, agent)
    why = stated(reason)
    row = Retirement.objects.select_for_update(of=("self",)).get(pk=row.pk)
    if actor.person is None:
        raise RoleMissing("A person asks, with their own token; another person decides.")
    if not is_restorable(row):
        raise RestoreTooLate(
            f"{agent.name} is {row.state} and does not come back; register it anew under another"
            " name.",
            state=row.state,
        )
    if row.keys_destroyed and not knows_loss:
        raise RestoreLoses(loss_of(row), keys=row.keys_destroyed)
    named = frozenset(
        person.public_id for person in (agent.owner, agent.backup_owner) if person is not None
    )
    return ask(
        Question(
            kind=Review.Kind.RESTORE.value,
            subject=agent.ref,
            subject_name=agent.name,
            digest=_digest(row),
            text=f"May the retired agent {agent.name} come back?",
            requester=actor.person,
            audience=DECIDERS,
            excluded=named,
            evidence={
                "retirement": row.public_id,
                "retired_at": clock.stamp(row.retired_at) if row.retired_at else "",
                "why_retired": row.reason,
                "successor": row.successor.name if row.successor else "",
                "comes_back_as": "soft launch, without keys",
                "lost": loss_of(row),
                "stopped": stopped_of(row),
            },
            justification=why,
        ),
        actor=actor,
    )


def is_restorable(row: Retirement) -> bool:
    """Say whether a retirement can still be undone."""
    until = row.restorable_until
    return row.state == State.RETIRED and until is not None and clock.now() < until


def loss_of(row: Retirement) -> str:
    """Say what an agent that comes back has lost."""
    if not row.keys_destroyed:
        return "Nothing of its data is destroyed."
    return (
        f"What it said is partly destroyed: {row.keys_destroyed} keys are gone, and nothing that"
        " lay under them can be read again. Say that you know it (knows_loss), and ask again."
    )


def stopped_of(row: Retirement) -> str:
    """Say what was ended with the agent, and which of it begins again if it comes back."""
    step = row.steps.filter(name=Step.Name.SCHEDULES, done_at__isnull=False).first()
    if step is None or not step.count:
        return "Nothing else was ended with it."
    again = (each.after_return for each in stoppers() if each.noun in step.detail)
    return " ".join([step.detail, *again])


def lock_restore(review: Review) -> RestoreMatter:
    """Lock the agent that should come back, then its retirement."""
    agent = hold(Agent.objects.get(public_id=review.subject_ref.id))
    rows = Retirement.objects.select_for_update(of=("self",)).select_related("agent")
    return RestoreMatter(agent, rows.filter(agent=agent, state=State.RETIRED).first())


@dataclass
class RestoreMatter:
    """A retired agent that should come back, and its tombstone, held."""

    agent: Agent
    retirement: Retirement | None

    @property
    def agent_id(self) -> str:
        return self.agent.public_id

    def present_digest(self) -> str | None:
        row = self.retirement
        return _digest(row) if row is not None and is_restorable(row) else GONE

    def barred(self) -> set[str]:
        backup = self.agent.backup_owner
        return self.owner_ids() | ({backup.public_id} if backup is not None else set())

    def owner_ids(self) -> set[str]:
        return {self.agent.owner.public_id}

    def edit(self, arguments: Mapping[str, Any], *, actor: Actor) -> str:
        raise EditRefused("Only the arguments of an action can be edited.")

    def approve(self, *, actor: Actor) -> None:
        """Bring it back. Records: agent.restored."""
        row = self.retirement
        assert row is not None  # noqa: S101  its digest was asked for a moment ago
        act.restore_agent(self.agent, actor=actor, reason=f"restored from {row.public_id}")
        row.state, row.closed_at = State.RESTORED, clock.now()
        row.closed_by, row.closed_reason = str(actor.ref), "Two people agreed."
        row.save(update_fields=["state", "closed_at", "closed_by", "closed_reason"])
        tell_it_is_back(row, stopped_of(row))

    def refuse(self, *, actor: Actor, reason: str, is_final: bool) -> None:
        """It stays retired."""


def _digest(row: Retirement) -> str:
    return digest({"restore": row.public_id, "keys_destroyed": row.keys_destroyed})
