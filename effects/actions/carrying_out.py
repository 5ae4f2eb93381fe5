"""Carrying out what was decided: at most once, and on record before the first byte leaves.

claim → look again → take the lease → record the intent → send → record the end. A crash before
the intent lets the next worker begin anew; after it nobody knows, and nobody sends blindly.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from typing import Final

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now

from credentials.errors import (
    AddressRefused,
    CredentialSettingsInvalid,
    LeaseRefused,
    SecretNotFound,
)
from credentials.leasing.lending import Lending, lend
from effects.actions.claiming import LEASE, Claim, claim
from effects.actions.ending import ClaimLost, conclude, logger, persist, say
from effects.actions.running_out import expire_approved
from effects.actions.verifying import Ready, Voided, ready, require_acting
from effects.adapters.adapter import Ending, Lent, Sent
from effects.crashing import CrashPoint, crash
from effects.models import Effect, Proposal
from kernel.db import ring
from kernel.errors import DomainError, Unavailable
from ledger.levels import Level
from ledger.receipts import LONGEST_WAIT_MS, level_of, wait_for
from ledger.verbs import Verb
from registry.actors import Actor

SWEEP: Final = "effects.carry_out_waiting"
TASK: Final = "effects.carry_out"
PART_SECONDS: Final = 20.0
_LATER: Final = 10.0
# Refusals that say: there is nothing to send this with, and there will not be by itself.
_NO_CREDENTIAL: Final = (LeaseRefused, SecretNotFound, CredentialSettingsInvalid, AddressRefused)

_STATES = Proposal.State


def ring_for(proposal_id: str) -> None:
    """Have a worker carry out an action once the surrounding transaction has committed."""
    ring(TASK, proposal_id)


def carry_out(proposal_id: str, *, actor: Actor) -> str | None:
    """Carry out one approved action; return the state it is left in, None when it was not ours.

    Records: effect.begun, then effect.succeeded, effect.failed, effect.unknown or effect.put_off.
    """
    taken = claim(proposal_id, actor=actor)
    if taken is None:
        return None
    crash(CrashPoint.CLAIMED)
    try:
        sent = _carried(taken, actor)
        state = persist(lambda: conclude(taken, sent, actor=actor))
    except ClaimLost:
        logger.warning("proposal %s was taken by another worker", proposal_id)
        return None
    crash(CrashPoint.RECORDED)
    return state


def carry_out_waiting(*, actor: Actor) -> int:
    """Carry out what no doorbell was heard for, for one part's time; return how many.

    Records: as carry_out does, and proposal.expired.
    """
    expire_approved(actor=actor)
    until, done = time.monotonic() + PART_SECONDS, 0
    while time.monotonic() < until and (waiting := list(waiting_now()[:50])):
        for proposal_id in waiting:
            done += carry_out(proposal_id, actor=actor) is not None
            if time.monotonic() >= until:
                with transaction.atomic():
                    ring(SWEEP)
                break
    return done


def waiting_now() -> list[str]:
    """Return the ids of what is approved, due and held by nobody, the oldest first."""
    effect = Q(carried_out__isnull=True) | (
        (Q(carried_out__leased_until__isnull=True) | Q(carried_out__leased_until__lt=Now()))
        & (Q(carried_out__again_at__isnull=True) | Q(carried_out__again_at__lte=Now()))
    )
    approved = Q(state=_STATES.APPROVED)
    left = Q(state=_STATES.CLAIMED, carried_out__sent_at__isnull=True)
    rows = Proposal.objects.filter(effect, approved | left, expires_at__gt=Now())
    rows = rows.order_by("decided_at", "id")
    return list(rows.values_list("public_id", flat=True)[:200])


def _carried(taken: Claim, actor: Actor) -> Sent:
    try:
        what = ready(taken)
    except Voided as error:
        return Sent(Ending.NOT_DONE, f"voided:{error.why}")
    except Unavailable as error:  # the ring, the journal: governed again in a moment, or later
        return Sent(Ending.NOT_DONE, f"held:{error.code}", "", _LATER)
    sent: Sent | None = None
    try:
        with lent_for(taken, what) as lending:
            sent = send_begun(taken, what, lending, actor=actor)
    except DomainError as error:
        if sent is None:  # nothing was lent, so nothing was sent
            pause = None if isinstance(error, _NO_CREDENTIAL) else _LATER
            return Sent(Ending.NOT_DONE, f"credential:{error.code}", "", pause)
    except (OperationalError, InterfaceError):
        if sent is None:
            raise  # whoever comes next finds how far it came
    return sent


def lent_for(taken: Claim, what: Ready) -> AbstractContextManager[Lending]:
    """Borrow what a connection is used with, for one sending."""
    return lend(
        connection_ref=what.connection.ref,
        kind=what.connection.credential,
        settings=what.connection.credential_settings,
        holder_agent=taken.proposal.agent.public_id,
        proposal=taken.proposal.public_id,
        seconds=LEASE.total_seconds(),
        place=what.connection.settings,
        allow_private=what.connection.allow_private,
    )


def send_begun(taken: Claim, what: Ready, lending: Lending, *, actor: Actor) -> Sent:
    """Record the intent, wait for what the policy demands of it, and send. Raises: ClaimLost."""
    level = Level.of(str(taken.proposal.constraints.get("receipt_level", "L0"))) or Level.DURABLE
    entry = _record_intent(taken, what, lending, is_sending=level == Level.DURABLE, actor=actor)
    crash(CrashPoint.INTENT_RECORDED)
    if level > Level.DURABLE:
        wait_for(entry, level, milliseconds=LONGEST_WAIT_MS, wait=time.sleep)
        if level_of(entry) < level:
            return Sent(Ending.NOT_DONE, f"receipt:{level}", "", _LATER)
        try:
            require_acting(taken.proposal)
        except Voided as error:
            return Sent(Ending.NOT_DONE, f"voided:{error.why}")
        _record_sending(taken)
    if not lending.is_live:
        return Sent(Ending.NOT_DONE, "voided:lease_revoked")
    if not taken.may_begin:
        raise ClaimLost
    crash(CrashPoint.BEFORE_SENDING)
    lent = Lent(lending.headers, lending.user, lending.password)
    try:
        sent = what.adapter.send(
            what.place, what.plan, lent, key=taken.effect.key, fence=taken.fence
        )
    except DomainError as error:  # an adapter that breaks its word may have sent
        sent = Sent(Ending.UNKNOWN, f"adapter:{error.code}")
    crash(CrashPoint.ANSWERED)
    return sent


@transaction.atomic(durable=True)
def _record_intent(
    taken: Claim, what: Ready, lending: Lending, *, is_sending: bool, actor: Actor
) -> str:
    attempt = taken.effect.attempts + 1
    entry = say(
        taken,
        Verb.EFFECT_BEGUN,
        {
            "operation": what.operation.target,
            "wire": what.plan.digest,
            "key": taken.effect.key,
            "fence": taken.fence,
            "attempt": attempt,
            "lease": lending.lease_id,
        },
        actor=actor,
    )
    held = Effect.objects.filter(pk=taken.effect.pk, fence=taken.fence, leased_until__gt=Now())
    if not held.update(
        intent_entry=entry, wire_digest=what.plan.digest, attempts=F("attempts") + 1
    ):
        raise ClaimLost
    if is_sending:
        _mark_sent(taken)
    return entry


@transaction.atomic(durable=True)
def _record_sending(taken: Claim) -> None:
    _mark_sent(taken)


def _mark_sent(taken: Claim) -> None:
    held = Effect.objects.filter(pk=taken.effect.pk, fence=taken.fence, leased_until__gt=Now())
    # Of a key that is sent again, the first time counts: the other side forgets it after that.
    if not held.update(sent_at=Coalesce("sent_at", Now())):
        raise ClaimLost
    if taken.found == _STATES.UNKNOWN:
        return
    rows = Proposal.objects.filter(pk=taken.proposal.pk, state=_STATES.CLAIMED)
    if not rows.update(state=_STATES.SENT):
        raise ClaimLost
