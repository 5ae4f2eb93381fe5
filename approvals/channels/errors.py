"""Every refusal about channels and about what comes back over them.

Unauthenticated 401   SignatureRefused
Denied   403          ChannelDecidesNothing · DeciderUnknown · LinkNotYours
NotFound 404          ChannelNotFound · LinkUnknown · NoticeNotFound
Conflict 409          ArrivalRepeated · LinkSpent
Invalid  422          ChannelNotUsable · RequestUnreadable
"""

from __future__ import annotations

from kernel.errors import Conflict, Denied, Invalid, NotFound, Unauthenticated


class SignatureRefused(Unauthenticated):
    """Raised when a request is not signed as its channel's are; never says what was wrong."""

    code = "approvals.signature_refused"
    title = "The signature is missing, old, or not of this channel"


class ChannelDecidesNothing(Denied):
    """Raised when a channel's limit does not reach what would be decided over it."""

    code = "approvals.channel_decides_nothing"
    title = "This cannot be decided over this channel"


class DeciderUnknown(Denied):
    """Raised when whoever answered over a channel is nobody who has an account here."""

    code = "approvals.decider_unknown"
    title = "Nobody here is known by that name"


class LinkNotYours(Denied):
    """Raised when a link in a mail is used by somebody else than it was sent to."""

    code = "approvals.link_not_yours"
    title = "This link was sent to somebody else"


class ChannelNotFound(NotFound):
    """Raised when no channel has that id."""

    code = "approvals.channel_not_found"
    title = "There is no such channel"


class LinkUnknown(NotFound):
    """Raised when an address is no link that was sent from here: forged, or cut off."""

    code = "approvals.link_unknown"
    title = "There is no such link"


class NoticeNotFound(NotFound):
    """Raised when no message of that channel has that id."""

    code = "approvals.notice_not_found"
    title = "There is no such message"


class ArrivalRepeated(Conflict):
    """Raised when a signed request comes a second time, or its id with other content."""

    code = "approvals.arrival_repeated"
    title = "This request was taken already"


class LinkSpent(Conflict):
    """Raised when a link was used, has ended, is forged, or asks about what has changed since."""

    code = "approvals.link_spent"
    title = "This link does not work any more"


class ChannelNotUsable(Invalid):
    """Raised when a channel cannot be set up as asked; says what to change."""

    code = "approvals.channel_not_usable"
    title = "The channel cannot be set up like this"


class RequestUnreadable(Invalid):
    """Raised when a signed request is not of the shape that its address takes."""

    code = "approvals.request_unreadable"
    title = "The request is not of the shape that this address takes"
