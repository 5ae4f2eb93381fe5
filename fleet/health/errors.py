"""Every refusal of health, as facts.

NotFound 404   IncidentNotFound · MuteNotFound · RotaNotFound · CoverNotFound
               StatusLinkNotFound
Conflict 409   IncidentOver
Invalid  422   ScheduleInvalid · CheckNotUsable · MuteNotUsable · RotaNotUsable
               StatusLinkNotUsable · AssigneeOutside · IncidentsNotUsable
"""

from __future__ import annotations

from kernel.errors import Conflict, Invalid, NotFound


class IncidentNotFound(NotFound):
    """Raised when there is no such incident, or not for this viewer."""

    code = "fleet.incident_not_found"
    title = "There is no such incident"


class MuteNotFound(NotFound):
    """Raised when there is no such mute, or not for this viewer."""

    code = "fleet.mute_not_found"
    title = "There is no such mute"


class IncidentOver(Conflict):
    """Raised when something is asked of an incident that is resolved already."""

    code = "fleet.incident_over"
    title = "This incident is resolved"


class AssigneeOutside(Invalid):
    """Raised when an incident is given to somebody who may not take it."""

    code = "fleet.assignee_outside"
    title = "This person may not take the incident"


class IncidentsNotUsable(Invalid):
    """Raised when something cannot be done to any of several incidents; says what to change."""

    code = "fleet.incidents_not_usable"
    title = "This cannot be done to these incidents"


class ScheduleInvalid(Invalid):
    """Raised when a cron expression or a time zone cannot be read; says what is wrong."""

    code = "fleet.schedule_invalid"
    title = "This schedule cannot be read"


class CheckNotUsable(Invalid):
    """Raised when a check cannot be set up as asked; says what to change."""

    code = "fleet.check_not_usable"
    title = "The check cannot be set up like this"


class MuteNotUsable(Invalid):
    """Raised when a mute cannot be set as asked; says what to change."""

    code = "fleet.mute_not_usable"
    title = "The mute cannot be set like this"


class RotaNotUsable(Invalid):
    """Raised when a rota or a cover cannot be set as asked; says what to change."""

    code = "fleet.rota_not_usable"
    title = "The rota cannot be set like this"


class RotaNotFound(NotFound):
    """Raised when there is no such team, and so no rota."""

    code = "fleet.rota_not_found"
    title = "There is no such team"


class CoverNotFound(NotFound):
    """Raised when the team has no such cover in force or ahead."""

    code = "fleet.cover_not_found"
    title = "There is no such cover"


class StatusLinkNotFound(NotFound):
    """Raised when there is no such link to a status page."""

    code = "fleet.status_link_not_found"
    title = "There is no such link"


class StatusLinkNotUsable(Invalid):
    """Raised when a link to a status page cannot be made as asked; says what to change."""

    code = "fleet.status_link_not_usable"
    title = "The link cannot be made like this"
