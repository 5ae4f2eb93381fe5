"""Taking an approved action for one sending: of however many who try, one at a time has it.

The lease is a row of its own, moved by one update that names what it expects; its number, the
fence, grows with every claim, and whoever writes with an old number writes nothing. Times are
the database's: a worker with a wrong clock takes nothing early and keeps nothing late.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from effects.models import Effect, Proposal
from effects.places import key_of
from kernel.canonical import strict_loads
from kernel.errors import DomainError
from kernel.refs import new_id
from ledger.payloads import open_recorded
from registry.actors import Actor

LEASE: Final = timedelta(seconds=120)
# What of a lease must be left when the first byte leaves: more than the longest sending.
_MARGIN_SECONDS: Final = 60.0

_STATES = Proposal.State


@dataclass(frozen=True, slots=True)
class Claim:
    """One turn of one worker at one action."""

    proposal: Proposal
    effect: Effect
    fence: int
    found: str  # the state it was in
    until: float  # of this process's monotonic clock: nothing is sent after it

    @property
    def may_begin(self) -> bool:
        """Whether enough of the lease is left to send, however long the worker slept."""
        return time.monotonic() < self.until


def claim(proposal_id: str, *, actor: Actor) -> Claim | None:
    """Take an approved action whose turn it is, or one whose worker died before it sent.

    Returns None when another has it, has had it, or it may not be sent any more.
    """
    may = Q(state=_STATES.APPROVED) | Q(state=_STATES.CLAIMED, carried_out__sent_at__isnull=True)
    return _claim(proposal_id, may, to=_STATES.CLAIMED, actor=actor)


def claim_lost(proposal_id: str, *, actor: Actor) -> Claim | None:
    """Take an action that was begun by a worker which did not come back."""
    return _claim(proposal_id, Q(state=_STATES.SENT), to=_STATES.SENT, actor=actor)


def claim_unknown(proposal_id: str, *, actor: Actor, at_once: bool = False) -> Claim | None:
    """Take an action of which nobody knows whether it was done, when its turn has come."""
    may = Q(state=_STATES.UNKNOWN)
    return _claim(proposal_id, may, to=_STATES.UNKNOWN, actor=actor, at_once=at_once)


def _claim(
    proposal_id: str, may: Q, *, to: str, actor: Actor, at_once: bool = False
) -> Claim | None:
    started = time.monotonic()
    found = Proposal.objects.filter(may, public_id=proposal_id).first()
    if found is None:
        return None
    _ensure_effect(found)
    free = Q(leased_until__isnull=True) | Q(leased_until__lt=Now())
    due = Q() if at_once else Q(again_at__isnull=True) | Q(again_at__lte=Now())
    with transaction.atomic():
        moved = Effect.objects.filter(free, due, proposal_id=found.pk).update(
            fence=F("fence") + 1,
            claimed_by=str(actor.ref),
            leased_until=Now() + LEASE,
        )
        if not moved:
            return None
        # Whoever holds the lease is alone here but for deadlines, which it must not pass.
        rows = Proposal.objects.filter(pk=found.pk, state=found.state)
        # What was not begun in time is not begun: also where a worker had it and died.
        if to == _STATES.CLAIMED:
            rows = rows.filter(expires_at__gt=Now())
        if not rows.update(state=to):
            transaction.set_rollback(True)
            return None
        effect = Effect.objects.get(proposal_id=found.pk)
    proposal = Proposal.objects.select_related(
        "agent__owner", "agent__team", "agent__current_version", "operation__connection"
    ).get(pk=found.pk)
    until = started + LEASE.total_seconds() - _MARGIN_SECONDS
    return Claim(proposal, effect, effect.fence, found.state, until)


def _ensure_effect(proposal: Proposal) -> None:
    if Effect.objects.filter(proposal_id=proposal.pk).exists():
        return
    Effect.objects.bulk_create(
        [Effect(public_id=new_id("eff"), proposal=proposal, key=_key(proposal))],
        ignore_conflicts=True,
    )


def _key(proposal: Proposal) -> str:
    try:
        action = strict_loads(open_recorded(proposal.decided_entry))
    except DomainError:
        return proposal.public_id  # what cannot be read is not sent, so nobody will see this key
    arguments = action.get("arguments", {}) if isinstance(action, dict) else {}
    return key_of(proposal.public_id, proposal.operation, arguments)


def release(taken: Claim) -> None:
    """Give a claim back unused."""
    Effect.objects.filter(pk=taken.effect.pk, fence=taken.fence).update(leased_until=None)


def seconds_from_now(seconds: float) -> object:
    """Return a moment by the database's clock, for an update."""
    return Now() + timedelta(seconds=seconds)
