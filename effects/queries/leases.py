"""Who sees which leases, and what is shown of them: names, times, states; never a credential."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from credentials.errors import LeaseNotFound
from credentials.models import Lease, Secret
from effects.models import Connection
from kernel import clock
from registry.actors import Actor
from registry.models import Agent, Role
from registry.queries import GOVERNING

TOLD = {
    "in_use": "A sending is using it; it ends with that.",
    "kept_elsewhere": "The worker that keeps it has not answered.",
    "memory_lost": "The worker that kept it is gone.",
    "no_revocation": "The server takes no token back.",
    "secret": "The connection's secret is missing or does not open.",
    "unavailable": "The server does not answer now.",
    "unreachable": "The server is not reached.",
    "sign_in": "The server does not let the administrator in.",
    "privilege": "The administrator may not drop it.",
    "timed_out": "The server took too long.",
}


@dataclass(frozen=True, slots=True)
class ShownLease:
    """A lease with the names that people know its agent and connection by."""

    lease: Lease
    agent: str
    connection: str
    may_revoke: bool

    @property
    def fault(self) -> str:
        return TOLD.get(self.lease.fault, self.lease.fault.replace("_", " "))

    @property
    def is_past_help(self) -> bool:
        return self.lease.state == Lease.State.IRREVOCABLE


@dataclass(frozen=True, slots=True)
class LeaseFigures:
    """How many are open, how many resist, and how many keys still never end."""

    open: int
    irrevocable: int
    static_keys: int


def leases_for(actor: Actor) -> QuerySet[Lease]:
    """Return every lease a viewer may see: all for those who govern, else of their agents."""
    rows = Lease.objects.all()
    if actor.has(*GOVERNING):
        return rows
    return rows.filter(agent_id__in=_own(actor).values("public_id"))


def lease_for(actor: Actor, public_id: str) -> Lease:
    """Return a lease. Raises: LeaseNotFound."""
    wanted = public_id[:80].replace("\0", "")
    found = leases_for(actor).filter(public_id=wanted).first()
    if found is None:
        raise LeaseNotFound(f"There is no lease {wanted!r}.")
    return found


def may_revoke(actor: Actor, agent_id: str) -> bool:
    """Say whether an actor may end an agent's leases."""
    if actor.has(Role.SECURITY, Role.PLATFORM):
        return True
    return _own(actor).filter(public_id=agent_id).exists()


def shown(leases: Iterable[Lease], actor: Actor) -> list[ShownLease]:
    """Return leases with their names, in three queries for a page."""
    rows = list(leases)
    agents = dict(
        Agent.objects.filter(public_id__in={row.agent_id for row in rows}).values_list(
            "public_id", "name"
        )
    )
    ids = {row.connection.partition(":")[2] for row in rows}
    named = Connection.objects.filter(public_id__in=ids).values_list("public_id", "name")
    connections = dict(named)
    governs = actor.has(Role.SECURITY, Role.PLATFORM)
    own = set() if governs else set(_own(actor).values_list("public_id", flat=True))
    return [
        ShownLease(
            row,
            agents.get(row.agent_id, row.agent_id),
            connections.get(row.connection.partition(":")[2], row.connection),
            governs or row.agent_id in own,
        )
        for row in rows
    ]


def narrowed(
    rows: QuerySet[Lease], *, agent: str = "", connection: str = "", state: str = "", kind: str = ""
) -> QuerySet[Lease]:
    """Narrow a list by names, state and kind; ``open`` stands for all that may still open."""
    if agent:
        rows = rows.filter(agent_id__in=Agent.objects.filter(name=agent).values("public_id"))
    if connection:
        known = Connection.objects.filter(name=connection).values_list("public_id", flat=True)
        rows = rows.filter(connection__in=[f"connection:{each}" for each in known])
    if state:
        rows = rows.filter(state__in=Lease.OPEN if state == "open" else [state])
    return rows.filter(kind=kind) if kind else rows


def figures(rows: QuerySet[Lease]) -> LeaseFigures:
    """Count what is open; and the keys that never end by themselves, the company over."""
    alive = rows.filter(state__in=Lease.OPEN).exclude(
        kind=Lease.Kind.STATIC, expires_at__lte=clock.now()
    )
    connections = Connection.objects.filter(
        credential=Connection.Credential.STATIC, disabled_at__isnull=True
    )
    holders = [str(connection.ref) for connection in connections]
    static = Secret.objects.filter(retired_at__isnull=True).filter(
        Q(holder__in=holders) | Q(ring=Secret.Ring.VENDOR)
    )
    stuck = rows.filter(state=Lease.State.IRREVOCABLE)
    return LeaseFigures(alive.count(), stuck.count(), static.count())


def _own(actor: Actor) -> QuerySet[Agent]:
    if actor.person is None or not actor.has(Role.EMPLOYEE):
        return Agent.objects.none()
    return Agent.objects.filter(Q(owner=actor.person) | Q(backup_owner=actor.person))
