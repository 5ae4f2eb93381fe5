"""The refusals about interrupts.

NotFound 404   InterruptNotFound
Conflict 409   InterruptChanged · InterruptTaken
Invalid  422   InterruptUnreadable
"""

from __future__ import annotations

from kernel.errors import Conflict, Invalid, NotFound


class InterruptNotFound(NotFound):
    """Raised when the agent has no interrupt of that id."""

    code = "effects.interrupt_not_found"
    title = "There is no such interrupt"


class InterruptChanged(Conflict):
    """Raised when an interrupt's id comes again with another request."""

    code = "effects.interrupt_changed"
    title = "The interrupt's id stands for another request"


class InterruptTaken(Conflict):
    """Raised when somebody else took the answer: what was decided is done once."""

    code = "effects.interrupt_taken"
    title = "This answer was given already"


class InterruptUnreadable(Invalid):
    """Raised for an interrupt that is none of LangChain's; names the member."""

    code = "effects.interrupt_unreadable"
    title = "The interrupt cannot be read"
