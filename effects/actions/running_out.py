"""Approvals whose time is over before anything was begun: no, and on record."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from effects.models import Proposal
from ledger.models import Entry
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor

_STATES = Proposal.State


def expire_approved(*, actor: Actor) -> int:
    """End what was approved and not begun in time; return how many.

    Records: proposal.expired.
    """
    free = (
        Q(carried_out__isnull=True)
        | Q(carried_out__leased_until__isnull=True)
        | Q(carried_out__leased_until__lt=Now())
    )
    # A worker that died before the intent left it claimed; after its lease it can begin nothing.
    waits = Q(state=_STATES.APPROVED)
    waits |= Q(state=_STATES.CLAIMED, carried_out__sent_at__isnull=True)
    late = Proposal.objects.filter(free, waits, expires_at__lte=Now())
    return sum(_expire(row, actor) for row in late.select_related("agent")[:500])


@transaction.atomic
def _expire(proposal: Proposal, actor: Actor) -> bool:
    rows = Proposal.objects.filter(pk=proposal.pk, state=proposal.state, expires_at__lte=Now())
    if not rows.update(state=_STATES.EXPIRED, ended_at=Now()):
        return False
    record(
        Verb.PROPOSAL_EXPIRED,
        proposal.ref,
        actor=actor.ref,
        kind=Entry.Kind.PROPOSAL,
        agent_id=proposal.agent.public_id,
        stream=proposal.run_id or str(proposal.ref),
        facts={"state": str(proposal.state)},
    )
    return True
