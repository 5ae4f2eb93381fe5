"""What worth and duplicates refuse, as facts.

NotFound   NotListed · GroupNotFound · QuarterNotFound · ValueNotFound
Conflict   AlreadyAnswered · NothingToDecide · GroupSettled · AlreadyListed
Invalid    ReasonNeeded · SurvivorNotInGroup · ActionUnknown
"""

from __future__ import annotations

from kernel.errors import Conflict, Invalid, NotFound


class NotListed(NotFound):
    """Raised when a list has no such agent, or it is not for this viewer."""

    code = "fleet.not_listed"
    title = "The list has no such agent"


class QuarterNotFound(NotFound):
    """Raised when there is no list of this name."""

    code = "fleet.quarter_not_found"
    title = "There is no such list"


class GroupNotFound(NotFound):
    """Raised when a group of duplicates is absent, or not for this viewer."""

    code = "fleet.group_not_found"
    title = "There is no such group"


class ValueNotFound(NotFound):
    """Raised when no value is declared for this kind of outcome."""

    code = "fleet.value_not_found"
    title = "No value is declared for this"


class AlreadyAnswered(Conflict):
    """Raised when somebody else answered first."""

    code = "fleet.already_answered"
    title = "This was answered already"


class NothingToDecide(Conflict):
    """Raised when a suggestion is decided that nobody contests."""

    code = "fleet.nothing_to_decide"
    title = "Nobody contests this suggestion"


class GroupSettled(Conflict):
    """Raised when a group is settled that somebody settled already."""

    code = "fleet.group_settled"
    title = "This group is settled"


class AlreadyListed(Conflict):
    """Raised when a list is made that there is."""

    code = "fleet.already_listed"
    title = "This list was made already"


class ReasonNeeded(Invalid):
    """Raised when somebody contests, decides or declares and does not say why."""

    code = "fleet.reason_needed"
    title = "Say why: it is kept beside the answer"


class SurvivorNotInGroup(Invalid):
    """Raised when the agent that is to survive is none of the group."""

    code = "fleet.survivor_not_in_group"
    title = "The agent that survives must be one of the group"


class ActionUnknown(Invalid):
    """Raised when a value is declared for what is neither an operation nor a run."""

    code = "fleet.action_unknown"
    title = "Name an operation, as connection.operation, or run"
