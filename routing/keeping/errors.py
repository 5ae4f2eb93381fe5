"""What is refused about keeping and erasing, as facts.

Denied     MayNotKeep
NotFound   HoldNotFound · ErasureNotFound
Conflict   HoldEnded · ErasureUnderWay
Invalid    NothingNamed
"""

from __future__ import annotations

from kernel.errors import Conflict, Denied, Invalid, NotFound


class MayNotKeep(Denied):
    """Raised when somebody without the role decides what is kept or destroyed."""

    code = "routing.may_not_keep"
    title = "Only security decides what is kept and destroyed"


class HoldNotFound(NotFound):
    """Raised when no legal hold has this id."""

    code = "routing.hold_not_found"
    title = "There is no such legal hold"


class ErasureNotFound(NotFound):
    """Raised when no erasure has this id."""

    code = "routing.erasure_not_found"
    title = "There is no such erasure"


class HoldEnded(Conflict):
    """Raised when a hold was ended already."""

    code = "routing.hold_ended"
    title = "The legal hold has ended"


class ErasureUnderWay(Conflict):
    """Raised when the same is being erased already."""

    code = "routing.erasure_under_way"
    title = "This is being erased already"


class NothingNamed(Invalid):
    """Raised when it is not said what to hold or to erase."""

    code = "routing.nothing_named"
    title = "Say what is meant"
