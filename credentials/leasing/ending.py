"""Ending leases: asked for by people and by stops, done by the worker until it is done.

Each kind has an ender, which says that a credential is gone or why not. An attempt is claimed
with a time, so two sweeps do not end one lease at once and a killed one is followed by another.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Final

from django.db import transaction

from credentials.errors import LeaseNotFound, LeaseOver
from credentials.leasing import books
from credentials.leasing.books import LEASES
from credentials.leasing.roles import end_role
from credentials.leasing.tokens import ELSEWHERE, KEEPER, LOST, NO_REVOCATION, end_token
from credentials.models import Lease
from credentials.opening import require_opening
from credentials.ports import holders
from kernel import clock
from kernel.db import ring
from kernel.refs import Ref

logger = logging.getLogger("unsprawl.leases")

SWEEP: Final = "credentials.end_leases"
BATCH: Final = 50
_CLAIMED_SECONDS: Final = 60.0
_LONGEST_PAUSE: Final = 60.0
ATTEMPTS: Final = 8  # over about four minutes

# What kept a lease from ending; an ender answers None when it is gone.
IN_USE: Final = "in_use"
# Nothing that could be tried again would end these.
_FINAL: Final = frozenset({NO_REVOCATION, LOST, "unsupported_token_type", "unauthorized_client"})
# How long the process that keeps a token is waited for, in looks at intervals of a second.
_LOOKS: Final = 15
Ender = Callable[[Lease], str | None]


@transaction.atomic
def revoke_lease(public_id: str, *, actor: Ref, reason: str) -> Lease:
    """Have a lease ended before its time; the worker ends it and says when it is dead.

    Records: lease.recalled. Raises: LeaseNotFound, LeaseOver.
    """
    lease = Lease.objects.filter(public_id=public_id).first()
    if lease is None:
        raise LeaseNotFound
    if lease.state != Lease.State.REVOKING and not books.begin_ending(
        lease, Lease.State.REVOKED, actor=actor, reason=reason
    ):
        raise LeaseOver(lease=public_id)
    ring(SWEEP)
    lease.refresh_from_db()
    return lease


@transaction.atomic
def revoke_leases_of(agent_id: str, *, actor: Ref, reason: str) -> int:
    """Have every lease of an agent ended; return how many were not asked to end before.

    Records: lease.recalled for each.
    """
    books.wait_for_turn(agent_id)  # nothing is being issued to it meanwhile
    leases = Lease.objects.filter(agent_id=agent_id, state__in=(Lease.State.ACTIVE,))
    asked = sum(
        books.begin_ending(lease, Lease.State.REVOKED, actor=actor, reason=reason)
        for lease in leases.order_by("id")
    )
    if asked:
        ring(SWEEP)
    return asked


def end_leases(*, actor: Ref = LEASES) -> int:
    """Go on with every lease that is to end, and begin with those whose time is over.

    Records: lease.revoked, lease.returned, lease.expired or lease.irrevocable for each.
    Raises: SecretsClosed.
    """
    require_opening()
    recall_from_stopped(actor=actor)
    _expire()
    return sum(try_to_end(lease) for lease in _claimed())


def recall_from_stopped(*, actor: Ref = LEASES) -> int:
    """Take back what agents hold that may hold nothing any more. Records: lease.recalled."""
    held = Lease.objects.filter(state=Lease.State.ACTIVE).values_list("agent_id", flat=True)
    agents = set(held.distinct())
    stopped = holders().stopped(agents) if agents else set()
    return sum(
        revoke_leases_of(agent_id, actor=actor, reason="The agent was stopped.")
        for agent_id in sorted(stopped)
    )


def end_now(lease: Lease) -> None:
    """Try at once what a sweep would try later, for whoever lent it."""
    row = Lease.objects.filter(pk=lease.pk, state=Lease.State.REVOKING).first()
    if row is not None:
        try_to_end(row)


def try_to_end(lease: Lease) -> bool:
    """Try once; a lease that resists is put off, and given up after a while."""
    fault = _ENDERS[lease.kind](lease)
    if fault is None:
        return books.close(lease, otherwise=Lease.State.RETURNED)
    if fault == IN_USE:
        Lease.objects.filter(pk=lease.pk, state=Lease.State.REVOKING).update(
            again_at=clock.now() + timedelta(seconds=1), fault=fault
        )
    elif fault == ELSEWHERE and lease.attempts + 1 < _LOOKS:
        books.put_off(lease, fault, seconds=1)
    elif fault in _FINAL or lease.attempts + 1 >= ATTEMPTS:
        if books.give_up(lease, fault):
            logger.error("lease %s could not be ended (%s)", lease.public_id, fault)
    else:
        books.put_off(lease, fault, seconds=min(2.0**lease.attempts, _LONGEST_PAUSE))
    return False


def end_own_tokens() -> int:
    """Give back the tokens of this process that are to end: no other process can."""
    own = Lease.objects.filter(state=Lease.State.REVOKING, kept_by=KEEPER.name)
    return sum(try_to_end(lease) for lease in own.order_by("id")[:BATCH])


def _expire() -> None:
    now = clock.now()
    for lease in Lease.objects.filter(state=Lease.State.ACTIVE, expires_at__lte=now)[:BATCH]:
        books.begin_ending(lease, Lease.State.EXPIRED, actor=LEASES)
    gave_up = Lease.objects.filter(
        state=Lease.State.IRREVOCABLE, kind__in=DIE_IN_TIME, expires_at__lte=now
    )
    for lease in gave_up[:BATCH]:
        books.begin_ending(lease, Lease.State.EXPIRED, actor=LEASES)


@transaction.atomic
def _claimed() -> Iterable[Lease]:
    now = clock.now()
    due = Lease.objects.select_for_update(skip_locked=True).filter(
        state=Lease.State.REVOKING, again_at__lte=now
    )
    rows = list(due.order_by("again_at")[:BATCH])
    Lease.objects.filter(pk__in=[row.pk for row in rows]).update(
        again_at=now + timedelta(seconds=_CLAIMED_SECONDS)
    )
    return rows


def _end_static(lease: Lease) -> str | None:
    # It is in the hands of a sending, which returns it; one that was killed did not.
    return None if lease.expires_at <= clock.now() else IN_USE


# Kinds whose credential opens nothing after its time, whatever became of us.
DIE_IN_TIME: Final = frozenset(
    {Lease.Kind.STATIC, Lease.Kind.OAUTH_CLIENT, Lease.Kind.TOKEN_EXCHANGE}
)
_ENDERS: Final[dict[str, Ender]] = {
    Lease.Kind.STATIC: _end_static,
    Lease.Kind.POSTGRESQL_ROLE: end_role,
    Lease.Kind.OAUTH_CLIENT: end_token,
    Lease.Kind.TOKEN_EXCHANGE: end_token,
}
