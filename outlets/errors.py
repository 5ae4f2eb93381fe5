"""What the outlets refuse, as facts.

NotFound      ExportNotFound · TargetNotFound · ScheduleNotFound · FeedNotFound
Conflict      ExportNotReady · ExportOver · ScheduleGoesOn
Invalid       ScopeNotUsable · ReasonMissing · ExportTooLarge · TargetNotUsable · FeedNotUsable
Unavailable   ExportsBusy · ExportNotWritable
"""

from __future__ import annotations

from kernel.errors import Conflict, Invalid, NotFound, Unavailable


class ExportNotFound(NotFound):
    """Raised when an export is absent, or is not for this viewer."""

    code = "outlets.export_not_found"
    title = "There is no such export"


class TargetNotFound(NotFound):
    """Raised when a target is absent or was removed."""

    code = "outlets.target_not_found"
    title = "There is no such target"


class ScheduleNotFound(NotFound):
    """Raised when a schedule is absent or has ended."""

    code = "outlets.schedule_not_found"
    title = "There is no such schedule"


class FeedNotFound(NotFound):
    """Raised when a feed is absent or was removed."""

    code = "outlets.feed_not_found"
    title = "There is no such feed"


class ExportNotReady(Conflict):
    """Raised when the file of an export is not there: not yet, or no longer."""

    code = "outlets.export_not_ready"
    title = "The file of this export is not there"


class ExportOver(Conflict):
    """Raised when an export is to be cancelled that is under way no more."""

    code = "outlets.export_over"
    title = "This export is not under way"


class ScheduleGoesOn(Conflict):
    """Raised when a target is to be removed that copies are still sent to."""

    code = "outlets.schedule_goes_on"
    title = "Copies are still sent to this target"


class ScopeNotUsable(Invalid):
    """Raised when what is to be exported is not said in a way that can be followed."""

    code = "outlets.scope_not_usable"
    title = "Say what to export: a run, an agent, or a period"


class ReasonMissing(Invalid):
    """Raised when the record is to leave and nobody says why."""

    code = "outlets.reason_missing"
    title = "Say why this is exported"


class ExportTooLarge(Invalid):
    """Raised when a file is too large to be made while the client waits."""

    code = "outlets.export_too_large"
    title = "This is too large to be made at once"


class TargetNotUsable(Invalid):
    """Raised when a target cannot be as it was described; says why."""

    code = "outlets.target_not_usable"
    title = "This target cannot be used"


class FeedNotUsable(Invalid):
    """Raised when a feed cannot be as it was described; says why."""

    code = "outlets.feed_not_usable"
    title = "This feed cannot be used"


class ExportsBusy(Unavailable):
    """Raised when as many exports are being made at once as this process makes."""

    code = "outlets.exports_busy"
    title = "Other exports are being made; try again in a moment"


class ExportNotWritable(Unavailable):
    """Raised when the disk does not take an export that is made while the client waits."""

    code = "outlets.export_not_writable"
    title = "The export could not be written"
