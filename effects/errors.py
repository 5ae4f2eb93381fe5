"""What connections, operations and effects refuse, as facts.

NotFound  404   ConnectionNotFound · OperationNotFound
Denied    403   YouTookPart
Conflict  409   ConnectionInUse · ConnectionStopped · NotUnknown · UnderWay
Invalid   422   NoteMissing · ConnectionNotUsable · OperationNotUsable
"""

from __future__ import annotations

from kernel.errors import Conflict, Denied, Invalid, NotFound


class ConnectionNotFound(NotFound):
    """Raised when no connection has this name or id."""

    code = "effects.connection_not_found"
    title = "There is no such connection"


class OperationNotFound(NotFound):
    """Raised when a connection has no operation of this name."""

    code = "effects.operation_not_found"
    title = "There is no such operation"


class YouTookPart(Denied):
    """Raised when somebody settles what they own or approved, where it moves money or deletes."""

    code = "effects.you_took_part"
    title = "Somebody who took no part must say what became of it"


class ConnectionStopped(Conflict):
    """Raised when something is to be done at a connection that is disabled."""

    code = "effects.connection_stopped"
    title = "The connection is disabled"


class NotUnknown(Conflict):
    """Raised when an effect is settled that is known already, or that was never begun."""

    code = "effects.not_unknown"
    title = "What became of this is known"


class UnderWay(Conflict):
    """Raised when the other system is being asked at this moment."""

    code = "effects.under_way"
    title = "The other system is being asked just now; look again in a moment"


class NoteMissing(Invalid):
    """Raised when an effect is settled and nobody says how they know."""

    code = "effects.note_missing"
    title = "Say how you know"


class ConnectionNotUsable(Invalid):
    """Raised when a connection cannot be as it was described; says why."""

    code = "effects.connection_not_usable"
    title = "This connection cannot be used"


class OperationNotUsable(Invalid):
    """Raised when an operation cannot be as it was described; says why."""

    code = "effects.operation_not_usable"
    title = "This operation cannot be used"
