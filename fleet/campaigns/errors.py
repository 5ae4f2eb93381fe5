"""What campaigns and moves refuse, as facts.

NotFound  404   CampaignNotFound · MoveNotFound
Denied    403   NotYourMove
Conflict  409   CampaignOpen · CampaignOver · MoveOver · MoveUnderWay · NotContested · NotPaused
Invalid   422   MoveImpossible · FallbackUnusable · ReasonMissing · CampaignUnusable
"""

from __future__ import annotations

from kernel.errors import Conflict, Denied, Invalid, NotFound


class CampaignNotFound(NotFound):
    """Raised when no campaign has this id, or it holds no move that the viewer may see."""

    code = "fleet.campaign_not_found"
    title = "There is no such campaign"


class MoveNotFound(NotFound):
    """Raised when no move has this id, or the viewer does not answer for its agent."""

    code = "fleet.move_not_found"
    title = "There is no such move"


class NotYourMove(Denied):
    """Raised when somebody decides for an agent that they do not answer for."""

    code = "fleet.not_your_move"
    title = "The owner, the backup owner and the platform team decide about this move"


class CampaignOpen(Conflict):
    """Raised when a campaign is to be opened for a model that has an open one."""

    code = "fleet.campaign_open"
    title = "A campaign is open for this model already"


class CampaignOver(Conflict):
    """Raised when something is to be changed in a campaign that has ended."""

    code = "fleet.campaign_over"
    title = "This campaign has ended"


class MoveOver(Conflict):
    """Raised when a move that has ended is to take another turn."""

    code = "fleet.move_over"
    title = "This move has ended"


class MoveUnderWay(Conflict):
    """Raised when traffic is shifting, or the move has just taken another turn."""

    code = "fleet.move_under_way"
    title = "This move is under way; look again"


class NotContested(Conflict):
    """Raised when an objection is answered and there is none."""

    code = "fleet.not_contested"
    title = "Nobody contests this move"


class NotPaused(Conflict):
    """Raised when an agent is to go on that is not paused."""

    code = "fleet.not_paused"
    title = "This agent is not paused"


class MoveImpossible(Invalid):
    """Raised when an agent cannot move to a model; says why."""

    code = "fleet.move_impossible"
    title = "The agent cannot move to this model"


class FallbackUnusable(Invalid):
    """Raised when a rule for the deadline cannot be kept; says why."""

    code = "fleet.fallback_unusable"
    title = "This rule cannot be kept at the deadline"


class CampaignUnusable(Invalid):
    """Raised when a campaign cannot be as it was described; says why."""

    code = "fleet.campaign_unusable"
    title = "This campaign cannot be opened"


class ReasonMissing(Invalid):
    """Raised when somebody contests or answers without saying why."""

    code = "fleet.reason_missing"
    title = "Say why"
