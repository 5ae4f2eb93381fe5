"""What people and teams can be refused.

NotFound 404   PersonNotFound
Conflict 409   EmailTaken · TeamTaken · LastPlatformAdmin · AlreadyDeactivated
NotDeactivated · AccountDeactivated
Invalid  422   EmailNotUsable · NameNotUsable · UnknownTeam · UnknownRole
UnknownTimeZone · NothingToChange
Denied   403   NotYours · OwnGain
"""

from __future__ import annotations

from kernel.errors import Conflict, Denied, Invalid, NotFound


class PersonNotFound(NotFound):
    """No such person."""

    code = "registry.person_not_found"
    title = "There is no such person"


class EmailTaken(Conflict):
    """Somebody has this address already, in whatever case it was written."""

    code = "registry.email_taken"
    title = "Somebody with this e-mail address exists already"


class EmailNotUsable(Invalid):
    """The text is no e-mail address in ASCII."""

    code = "registry.email_not_usable"
    title = "This is not a usable e-mail address"


class NameNotUsable(Invalid):
    """The name is empty, too long, or holds characters that cannot be seen."""

    code = "registry.name_not_usable"
    title = "This name cannot be used"


class UnknownTeam(Invalid):
    """The team named does not exist; names those that do."""

    code = "registry.unknown_team"
    title = "There is no such team"


class TeamTaken(Conflict):
    """A team with this name exists already."""

    code = "registry.team_taken"
    title = "A team with this name exists already"


class UnknownRole(Invalid):
    """A role that does not exist, or none at all."""

    code = "registry.unknown_role"
    title = "There is no such role"


class UnknownTimeZone(Invalid):
    """A time zone that the IANA database does not name."""

    code = "registry.unknown_time_zone"
    title = "There is no such time zone"


class NothingToChange(Invalid):
    """A change that names no field."""

    code = "registry.nothing_to_change"
    title = "Name at least one thing to change"


class OwnGain(Denied):
    """Raised when somebody would give themselves a role: that takes another administrator."""

    code = "registry.own_gain"
    title = "Nobody gives a role to themselves"


class LastPlatformAdmin(Conflict):
    """Without this person nobody could administer the platform any more."""

    code = "registry.last_platform_admin"
    title = "This is the last active platform administrator"


class AlreadyDeactivated(Conflict):
    """The account is deactivated already."""

    code = "registry.already_deactivated"
    title = "This account is deactivated already"


class NotDeactivated(Conflict):
    """The account is active."""

    code = "registry.not_deactivated"
    title = "This account is active"


class AccountDeactivated(Conflict):
    """A deactivated account gets no links, tokens or roles until it is reactivated."""

    code = "registry.account_deactivated"
    title = "This account is deactivated"


class NotYours(Denied):
    """Something of another person's that only they, or the platform role, may touch."""

    code = "registry.not_yours"
    title = "This belongs to somebody else"
