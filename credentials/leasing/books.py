"""The rows of leases: written before a credential exists, closed when it is dead.

Every step is one update that names the state it leaves, so of two who end a lease one does.
An agent's leases are issued under a lock that its revocation takes too: whoever was stopped
holds nothing that its revocation has not seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import F

from credentials.errors import LeaseRefused
from credentials.models import Lease
from credentials.ports import holders
from kernel import clock
from kernel.refs import Ref, new_id, system
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb

EXECUTOR: Final = system("executor")
LEASES: Final = system("leases")
_ENDED: Final = {
    Lease.State.RETURNED: Verb.LEASE_RETURNED,
    Lease.State.REVOKED: Verb.LEASE_REVOKED,
    Lease.State.EXPIRED: Verb.LEASE_EXPIRED,
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be lent: to whom, for what, at which system, until when."""

    connection: Ref
    agent_id: str
    proposal_id: str
    kind: str
    expires_at: datetime


def issue(
    wanted: Wanted, handle: str, *, terms: Mapping[str, Any] | None = None, kept_by: str = "",
    lease_id: str = "", actor: Ref = EXECUTOR,
) -> Lease:  # fmt: skip
    """Write a lease down, durably, before what it speaks of exists.

    Records: lease.issued. Raises: LeaseRefused.
    """
    with transaction.atomic(durable=True):
        wait_for_turn(wanted.agent_id, is_shared=True)
        if not holders().may_hold(wanted.agent_id):
            raise LeaseRefused(agent=wanted.agent_id)
        lease = Lease.objects.create(
            public_id=lease_id or new_id("lse"),
            connection=str(wanted.connection),
            agent_id=wanted.agent_id,
            proposal_id=wanted.proposal_id,
            kind=wanted.kind,
            handle=handle,
            terms=dict(terms or {}),
            kept_by=kept_by,
            issued_at=clock.now(),
            expires_at=wanted.expires_at,
        )
        _say(lease, Verb.LEASE_ISSUED, actor, expires_at=clock.stamp(lease.expires_at))
    return lease


def prolong(lease: Lease, expires_at: datetime) -> None:
    """Note until when what came opens, once that is known."""
    lease.expires_at = expires_at
    Lease.objects.filter(pk=lease.pk).update(expires_at=expires_at)


def wait_for_turn(agent_id: str, *, is_shared: bool = False) -> None:
    """Take the lock of an agent's leases until the surrounding transaction ends."""
    take = "pg_advisory_xact_lock_shared" if is_shared else "pg_advisory_xact_lock"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {take}(hashtext('unsprawl.lease'), hashtext(%s))",
            [agent_id],
        )


def is_live(lease_id: str) -> bool:
    """Say whether what a lease stands for may still be used."""
    return Lease.objects.filter(
        public_id=lease_id, state=Lease.State.ACTIVE, expires_at__gt=clock.now()
    ).exists()


@transaction.atomic
def begin_ending(
    lease: Lease, goal: str, *, actor: Ref, reason: str = "", own_seconds: float = 0.0
) -> bool:
    """Say that a lease is to end; the next sweep ends it, or for some time the asker alone.

    Records: lease.recalled, when somebody wants it to end before its time.
    """
    left = (Lease.State.ACTIVE, Lease.State.IRREVOCABLE)
    moved = Lease.objects.filter(pk=lease.pk, state__in=left).update(
        state=Lease.State.REVOKING, goal=goal, attempts=0,
        again_at=clock.now() + timedelta(seconds=own_seconds),
        reason=reason[:1000], asked_by=str(actor),
    )  # fmt: skip
    if moved and goal == Lease.State.REVOKED:
        _say(lease, Verb.LEASE_RECALLED, actor, reason=reason[:1000])
    return bool(moved)


@transaction.atomic
def close(lease: Lease, *, otherwise: str, actor: Ref = LEASES) -> bool:
    """Note that a lease is dead: as what it was asked to become, or else as said here.

    Records: lease.returned, lease.revoked or lease.expired.
    """
    row = Lease.objects.select_for_update().filter(pk=lease.pk).first()
    if row is None or row.is_over:
        return False
    row.goal = row.goal or otherwise
    row.state, row.ended_at, row.again_at, row.fault = row.goal, clock.now(), None, ""
    row.save(update_fields=["goal", "state", "ended_at", "again_at", "fault"])
    _say(row, _ENDED[Lease.State(row.state)], actor, reason=row.reason)
    return True


def put_off(lease: Lease, fault: str, *, seconds: float) -> None:
    """Note that a lease could not be ended yet, and when to try again."""
    Lease.objects.filter(pk=lease.pk, state=Lease.State.REVOKING).update(
        attempts=F("attempts") + 1,
        fault=fault,
        again_at=clock.now() + timedelta(seconds=seconds),
    )


@transaction.atomic
def give_up(lease: Lease, fault: str) -> bool:
    """Note that a lease cannot be ended, for everybody to see.

    Records: lease.irrevocable.
    """
    moved = Lease.objects.filter(pk=lease.pk, state=Lease.State.REVOKING).update(
        state=Lease.State.IRREVOCABLE, fault=fault, again_at=None, attempts=F("attempts") + 1
    )
    if moved:
        _say(
            lease, Verb.LEASE_IRREVOCABLE, LEASES,
            fault=fault, until=clock.stamp(lease.expires_at),
        )  # fmt: skip
    return bool(moved)


def _say(lease: Lease, verb: Verb, actor: Ref, **facts: Fact) -> None:
    record(
        verb,
        lease.ref,
        actor=actor,
        agent_id=lease.agent_id,
        facts={
            "connection": lease.connection,
            "proposal": lease.proposal_id,
            "credential": lease.kind,
            "handle": lease.handle,
            **facts,
        },
    )
