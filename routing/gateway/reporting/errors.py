"""Why a report is not taken.

Malformed    400  ReportUnreadable, SpansUnreadable
NotFound     404  ReportedRunUnknown
TypeNotTaken 415
Throttled    429  ReportsThrottled
Unavailable  503  ReportsBusy
"""

from __future__ import annotations

from kernel.errors import DomainError, Malformed, NotFound, Throttled, Unavailable


class ReportUnreadable(Malformed):
    """Raised when a reported step lacks something, or says something unknown."""

    code = "routing.report_unreadable"
    title = "The report cannot be read"


class SpansUnreadable(Malformed):
    """Raised when bytes are no traces in OTLP. Exporters do not send such again."""

    code = "routing.spans_unreadable"
    title = "The body is not traces in OTLP"


class ReportedRunUnknown(NotFound):
    """Raised when a report names, by its id, a run that is not the agent's own."""

    code = "routing.reported_run_unknown"
    title = "This agent has no such run"


class TypeNotTaken(DomainError):
    """Raised for a body of another type, or packed in another way, than is taken."""

    status = 415
    code = "routing.type_not_taken"
    title = "Bodies of this type are not taken here"


class ReportsThrottled(Throttled):
    """Raised when an agent reports more in a minute than it may; says how long to wait."""

    code = "routing.reports_throttled"
    title = "The agent reports too much"


class ReportsBusy(Unavailable):
    """Raised when too many reports are being recorded; what was not recorded is not said to be."""

    code = "routing.reports_busy"
    title = "Too many reports are being recorded"
