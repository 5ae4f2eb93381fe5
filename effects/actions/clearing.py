"""Looking, where connections lend roles, for roles that a restore of ours has forgotten."""

from __future__ import annotations

import logging
from typing import Final

from credentials.leasing.clearing import clear_server
from effects.models import Connection
from kernel.errors import DomainError
from kernel.sealing import CannotOpen
from registry.actors import Actor

logger = logging.getLogger("unsprawl.leases")

SWEEP: Final = "effects.drop_orphans"


def drop_orphans(*, actor: Actor) -> list[str]:
    """Drop the roles of ours that no lease knows, at every connection; return their names.

    One that is not reached keeps nobody else's roles alive, and is asked again next time. A
    connection out of use is asked too: what was lent there once must not stay.

    Records: lease.orphan_dropped for each.
    """
    dropped: list[str] = []
    lending = Connection.objects.filter(credential=Connection.Credential.POSTGRESQL_ROLE)
    for connection in lending.order_by("pk"):
        try:
            dropped += clear_server(
                connection.ref,
                connection.credential_settings,
                place=connection.settings,
                allow_private=connection.allow_private,
            )
        except (DomainError, CannotOpen) as error:
            why = getattr(error, "code", type(error).__name__)
            logger.warning("orphans not looked for at %s: %s", connection.name, why)
    return dropped
