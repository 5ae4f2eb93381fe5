"""Which systems there are and what may be done there: for those who oversee them."""

from __future__ import annotations

from typing import Final

from django.db.models import Count, Q, QuerySet

from credentials.queries import SecretSummary, secret_of
from effects.errors import ConnectionNotFound, OperationNotFound
from effects.models import Connection, Operation
from registry.actors import Actor
from registry.models import Role

SEEING: Final = (Role.SECURITY, Role.PLATFORM, Role.AUDITOR)


def connections_for(actor: Actor) -> QuerySet[Connection]:
    """Return the connections with the number of their operations. Raises: RoleMissing."""
    actor.require(*SEEING)
    current = Count("operations", filter=Q(operations__retired_at__isnull=True))
    return Connection.objects.annotate(operation_count=current)


def connection_for(actor: Actor, name: str) -> Connection:
    """Return a connection by name or id. Raises: RoleMissing, ConnectionNotFound."""
    asked = name.replace("\x00", "")
    found = connections_for(actor).filter(Q(name=asked) | Q(public_id=asked)).first()
    if found is None:
        raise ConnectionNotFound(f"There is no connection {asked[:80]!r}.")
    return found


def operations_for(
    actor: Actor, connection: str, *, all_versions: bool = False
) -> QuerySet[Operation]:
    """Return the operations of a connection. Raises: RoleMissing, ConnectionNotFound."""
    rows = Operation.objects.filter(connection=connection_for(actor, connection))
    rows = rows.select_related("connection")
    return rows if all_versions else rows.filter(retired_at__isnull=True)


def operation_for(actor: Actor, connection: str, name: str) -> Operation:
    """Return the version in use, or the newest. Raises: RoleMissing, OperationNotFound."""
    asked = name.replace("\x00", "")
    rows = operations_for(actor, connection, all_versions=True).filter(name=asked)
    found = rows.order_by("-version").first()
    if found is None:
        raise OperationNotFound(f"This connection has no operation {asked[:80]!r}.")
    return found


def secret_shown(connection: Connection) -> SecretSummary | None:
    """Return what may be shown of a connection's secret."""
    return secret_of(connection.ref)
