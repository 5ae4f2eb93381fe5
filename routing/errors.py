"""Every refusal about vendors, models, routes, the catalogue and the record of calls.

Malformed   400   CatalogueUnreadable
Invalid     422   AddressUnusable · VendorInvalid · ModelInvalid · RouteInvalid
                  ReasonMissing · NothingToChange · SecretUnusable · ShiftRefused
NotFound    404   VendorNotFound · ModelNotFound · RouteNotFound · RunNotFound
                  CallsNotFound · SubjectNotFound · StopNotFound · FeedNotFound
Conflict    409   VendorExists · ModelExists · RouteMoved · AlreadyDisabled · NotDisabled
                      VendorDisabled · StopInForce · StopLifted · NoOverride · FeedExists
Denied      403   MayNotStop · LiftNeedsPeople
Unavailable 503   GatewayUnreachable
"""

from __future__ import annotations

from kernel.errors import Conflict, Denied, Invalid, Malformed, NotFound, TooLarge, Unavailable


class CatalogueUnreadable(Malformed):
    """Raised when a catalogue document is of no known format, or one row of it is wrong."""

    code = "routing.catalogue_unreadable"
    title = "The catalogue document could not be read"


class AddressUnusable(Invalid):
    """Raised when a vendor's address cannot be used as it is; says what to write instead."""

    code = "routing.address_unusable"
    title = "The address cannot be used"


class VendorInvalid(Invalid):
    """Raised when a vendor's description does not hold together; names the field."""

    code = "routing.vendor_invalid"
    title = "The vendor is not valid"


class ModelInvalid(Invalid):
    """Raised when a model's description does not hold together; names the field."""

    code = "routing.model_invalid"
    title = "The model is not valid"


class RouteInvalid(Invalid):
    """Raised when a route could not serve as written; names the target and what exists."""

    code = "routing.route_invalid"
    title = "The route is not valid"


class ReasonMissing(Invalid):
    """Raised when something is stopped without saying why."""

    code = "routing.reason_missing"
    title = "Say why"


class BudgetInvalid(Invalid):
    """Raised when a budget does not hold together, or may not be changed so; names the field."""

    code = "routing.budget_invalid"
    title = "The budget is not valid"


class NothingToChange(Invalid):
    """Raised when a change changes nothing: most often a misspelt field or value."""

    code = "routing.nothing_to_change"
    title = "Nothing would change"


class NoOverride(Conflict):
    """Raised when an override is lifted where none is in force."""

    code = "routing.no_override"
    title = "There is no override"


class FeedInvalid(Invalid):
    """Raised when a catalogue feed's address or schedule cannot be used; names the field."""

    code = "routing.feed_invalid"
    title = "The feed is not valid"


class FeedExists(Conflict):
    """Raised when a catalogue feed's address is followed already."""

    code = "routing.feed_exists"
    title = "The feed is followed already"


class FeedNotFound(NotFound):
    """Raised when no catalogue feed has that id."""

    code = "routing.feed_not_found"
    title = "There is no such feed"


class VendorNotFound(NotFound):
    """Raised when no vendor has that name; names those there are."""

    code = "routing.vendor_not_found"
    title = "There is no such vendor"


class ModelNotFound(NotFound):
    """Raised when the vendor serves no model of that name here."""

    code = "routing.model_unknown"
    title = "There is no such model"


class RouteNotFound(NotFound):
    """Raised when no route has that name."""

    code = "routing.route_not_found"
    title = "There is no such route"


class BudgetNotFound(NotFound):
    """Raised when no open budget has that id, or the viewer may not see it."""

    code = "routing.budget_not_found"
    title = "There is no such budget"


class RunNotFound(NotFound):
    """Raised when no run has that id or label, or the viewer may not see its agent's runs."""

    code = "routing.run_not_found"
    title = "There is no such run"


class CallsNotFound(NotFound):
    """Raised when the calls of an agent are asked for by somebody who may not see them."""

    code = "routing.calls_not_found"
    title = "There is no such agent, or you may not see its calls"


class BudgetExists(Conflict):
    """Raised when a budget of this measure and period holds for the subject already."""

    code = "routing.budget_exists"
    title = "There is such a budget already"


class VendorExists(Conflict):
    """Raised when a vendor of that name is connected already."""

    code = "routing.vendor_exists"
    title = "A vendor of that name exists"


class ModelExists(Conflict):
    """Raised when the vendor serves that model already."""

    code = "routing.model_exists"
    title = "The vendor serves that model already"


class RouteMoved(Conflict):
    """Raised when the route is no longer at the revision that the caller has read."""

    code = "routing.route_moved"
    title = "The route has changed since you read it"


class AlreadyDisabled(Conflict):
    """Raised when what is to be stopped is stopped already."""

    code = "routing.already_disabled"
    title = "It is disabled already"


class VendorDisabled(Conflict):
    """Raised when a vendor is to be tried that nothing may call."""

    code = "routing.vendor_disabled"
    title = "The vendor is disabled"


class NotDisabled(Conflict):
    """Raised when what is to be started was not stopped."""

    code = "routing.not_disabled"
    title = "It is not disabled"


class MayNotStop(Denied):
    """Raised when somebody wants to stop, or lift, what is not theirs."""

    code = "routing.may_not_stop"
    title = "You may not stop this"


class SubjectNotFound(NotFound):
    """Raised when what is to be stopped does not exist, or the viewer may not see it."""

    code = "routing.stop_subject_not_found"
    title = "There is nothing of that name to stop"


class StopNotFound(NotFound):
    """Raised when there is no such stop."""

    code = "routing.stop_not_found"
    title = "There is no such stop"


class StopInForce(Conflict):
    """Raised when the same is stopped already; names that stop."""

    code = "routing.stop_in_force"
    title = "It is stopped already"


class StopLifted(Conflict):
    """Raised when a stop is to be lifted or proven that was lifted."""

    code = "routing.stop_lifted"
    title = "The stop was lifted already"


class LiftNeedsPeople(Denied):
    """Raised when a stop of everything is to be lifted by something that is no person."""

    code = "routing.lift_needs_people"
    title = "A stop of everything is lifted by two people"


class RunTooLong(TooLarge):
    """Raised when a run has more entries than can be replayed or compared at once."""

    code = "routing.run_too_long"
    title = "The run is too long for this"


class TargetNotFound(NotFound):
    """Raised when a re-evaluation names neither a route nor a model that is there."""

    code = "routing.target_not_found"
    title = "There is no such route or model"


class NothingToReevaluate(Invalid):
    """Raised for a run that holds no call which could be asked again."""

    code = "routing.nothing_to_reevaluate"
    title = "The run holds no call that can be asked again"


class ReevaluationNotFound(NotFound):
    """Raised when there is no such re-evaluation, or the viewer may not see it."""

    code = "routing.reevaluation_not_found"
    title = "There is no such re-evaluation"


class ShiftRefused(Invalid):
    """Raised when an agent cannot be moved to a model: says which agent, which route and why."""

    code = "routing.shift_refused"
    title = "The agent cannot be moved to this model"


class GatewayUnreachable(Unavailable):
    """Raised when the gateway, which alone calls vendors, did not answer the internal request."""

    code = "routing.gateway_unreachable"
    title = "The gateway does not answer"
