"""Every refusal about reviews.

NotFound 404   ReviewNotFound · AbsenceNotFound
Denied   403   NotAsked · OwnMatter · PeopleDecide · NotYoursToWithdraw
Conflict 409   ReviewSettled · ReviewExpired · ReviewVoid · ReviewChanged
               AlreadyDecided · AbsenceOverlaps
               ReviewAlreadyOpen · NothingToSubmit · NotInSoftLaunch
Invalid  422   EditRefused · AbsenceUnusable · CommentMissing · DecisionUnknown
               TextUnusable · JustificationNeeded · NotTogether · LaunchTooEarly
"""

from __future__ import annotations

from kernel.errors import Conflict, Denied, Invalid, NotFound


class ReviewNotFound(NotFound):
    """Raised when no review has that id, or the viewer may not know of it."""

    code = "approvals.review_not_found"
    title = "There is no such review"


class AbsenceNotFound(NotFound):
    """Raised when no absence has that id, or it is not the viewer's."""

    code = "approvals.absence_not_found"
    title = "There is no such absence"


class NotAsked(Denied):
    """Raised when somebody would decide what is not put to them; names whom it is put to."""

    code = "approvals.not_asked"
    title = "This is not put to you"


class OwnMatter(Denied):
    """Raised when requester or owner would decide their own question; names which of the two."""

    code = "approvals.own_matter"
    title = "Nobody decides their own matter"


class PeopleDecide(Denied):
    """Raised when an automation or an agent would decide or withdraw."""

    code = "approvals.people_decide"
    title = "Only people decide reviews"


class NotYoursToWithdraw(Denied):
    """Raised when somebody but requester and owner would withdraw a question."""

    code = "approvals.not_yours_to_withdraw"
    title = "Only the requester or the owner withdraws a review"


class ReviewSettled(Conflict):
    """Raised when a review was settled before; says how."""

    code = "approvals.review_settled"
    title = "This review is settled already"


class ReviewExpired(Conflict):
    """Raised when nobody answered in time: expiry means no."""

    code = "approvals.review_expired"
    title = "This review has expired"


class ReviewVoid(Conflict):
    """Raised when what is there now is not what was asked about, to the byte."""

    code = "approvals.review_void"
    title = "What was asked about has changed since"


class ReviewChanged(Conflict):
    """Raised when an answer is to something else than is asked by now."""

    code = "approvals.review_changed"
    title = "What you saw has changed"


class AlreadyDecided(Conflict):
    """Raised when somebody answers the same review twice."""

    code = "approvals.already_decided"
    title = "You have decided this review already"


class SecretSpoke(Conflict):
    """Raised when one channel's secret signs a second answer to one question."""

    code = "approvals.secret_spoke"
    title = "This channel has answered this question"


class ReviewAlreadyOpen(Conflict):
    """Raised when the same question is open; carries its review's id."""

    code = "approvals.review_already_open"
    title = "A review of this is open already"


class NothingToSubmit(Conflict):
    """Raised when an agent has no version that waits to be accepted."""

    code = "approvals.nothing_to_submit"
    title = "Nothing waits to be reviewed"


class NotInSoftLaunch(Conflict):
    """Raised when an agent is to go live from anywhere but its soft launch."""

    code = "approvals.not_in_soft_launch"
    title = "Only an agent in soft launch can be promoted"


class EditRefused(Invalid):
    """Raised when what is asked cannot be changed in the answer."""

    code = "approvals.edit_refused"
    title = "This cannot be edited"


class AbsenceOverlaps(Conflict):
    """Raised when somebody is away at that time already."""

    code = "approvals.absence_overlaps"
    title = "You are away then already"


class AbsenceUnusable(Invalid):
    """Raised when an absence makes no sense; names the field."""

    code = "approvals.absence_unusable"
    title = "This absence cannot be set"


class NotTogether(Invalid):
    """Raised when several reviews are to be answered at once that have to be read one by one."""

    code = "approvals.not_together"
    title = "These are not decided together"


class CommentMissing(Invalid):
    """Raised when a rejection comes without the reason the owner needs."""

    code = "approvals.comment_missing"
    title = "Say why"


class DecisionUnknown(Invalid):
    """Raised when an answer is neither approve nor reject."""

    code = "approvals.decision_unknown"
    title = "The decision is approve or reject"


class TextUnusable(Invalid):
    """Raised when a comment or justification is too long or holds control characters."""

    code = "approvals.text_unusable"
    title = "The text cannot be used"


class JustificationNeeded(Invalid):
    """Raised when much the same agent exists: reuse it, or say why not."""

    code = "approvals.justification_needed"
    title = "A similar agent exists; reuse it or say why this one is needed"


class LaunchTooEarly(Invalid):
    """Raised when a soft launch has shown less than its minimum and no exception is stated."""

    code = "approvals.launch_too_early"
    title = "The soft launch has not shown enough yet"
