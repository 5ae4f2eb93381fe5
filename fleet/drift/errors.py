"""Every refusal about drift.

NotFound  404   WatchNotFound · PlanNotFound · PriceChangeNotFound · LimitChangeNotFound
Invalid   422   PlanInvalid
Conflict  409   PlanExists · PlanOver
"""

from __future__ import annotations

from kernel.errors import Conflict, Invalid, NotFound


class WatchNotFound(NotFound):
    """Raised when nothing is watched under this id."""

    code = "fleet.watch_not_found"
    title = "There is no such watch"


class PlanNotFound(NotFound):
    """Raised when no plan of probes has this id, or the viewer may not see it."""

    code = "fleet.probe_plan_not_found"
    title = "There is no such plan of probes"


class PriceChangeNotFound(NotFound):
    """Raised when no price changed under this id, or no agent that the viewer sees pays it."""

    code = "fleet.price_change_not_found"
    title = "There is no such changed price"


class LimitChangeNotFound(NotFound):
    """Raised when no limit changed under this id, or no agent that the viewer sees calls it."""

    code = "fleet.limit_change_not_found"
    title = "There is no such changed limit"


class PlanInvalid(Invalid):
    """Raised when a plan cannot be carried out as it is said; says what to change."""

    code = "fleet.probe_plan_invalid"
    title = "The plan of probes is not valid"


class PlanExists(Conflict):
    """Raised when the agent's cases are asked of this model by this route already."""

    code = "fleet.probe_plan_exists"
    title = "These cases are asked of this model already"


class PlanOver(Conflict):
    """Raised when a plan has ended, or is in the state already that is asked for."""

    code = "fleet.probe_plan_over"
    title = "The plan does not stand where it would have to"
