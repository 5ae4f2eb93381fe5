"""Every refusal of the gateway. How each looks on the wire is its dialect's business.

    DomainError
    ├── Malformed        400  TwoCredentials, HeaderRepeated, BodyEncoded, BodyBroken,
    │                         NotAChatCall, CallUnreadable, DialectMismatch,
    │                         ConversationNotServed, RunLabelUnusable (runs)
    ├── Unauthenticated  401  KeyMissing, KeyMalformed, KeyUnknown, KeyExpired, KeyRevoked,
    │                         NotInternal
    ├── OverBudget       402  BudgetSpent, BudgetUnpriced, CallOverLimit
    ├── Denied           403  AgentNotApproved, AgentSuspended, AgentKilled, AgentRetired,
    │                         RouteNotDeclared, CallDenied, ApprovalRequired
    ├── NotFound         404  ModelNotFound, ModelRetired, ModelPaused, ResponseNotFound,
    │                         NoSuchPath, NoSuchVendor
    ├── MethodNotTaken   405
    ├── Throttled        429  LimitReached
    ├── InternalFault    500
    ├── Unavailable      503  NotGoverned, Undecided, RouteUnserved, VendorNotReady,
    │                         ReceiptNotReached, ShuttingDown
    └── VendorFault      502  VendorUnreachable, VendorCut, VendorGarbage, VendorRedirected,
                         504  VendorSlow

Never 409: clients made for vendors repeat it.
"""

from __future__ import annotations

import traceback

from kernel.errors import (
    Denied,
    DomainError,
    Malformed,
    NotFound,
    OverBudget,
    Throttled,
    Unauthenticated,
    Unavailable,
)


class TwoCredentials(Malformed):
    """Raised when a request carries two credentials that differ: nobody may guess which counts."""

    code = "routing.two_credentials"
    title = "The request carries two different credentials"


class HeaderRepeated(Malformed):
    """Raised when a header that must be single comes twice."""

    code = "routing.header_repeated"
    title = "A header that must be single comes twice"


class BodyEncoded(Malformed):
    """Raised for a body that would have to be decoded before it could be capped or framed."""

    code = "routing.body_encoded"
    title = "Compressed request bodies are not taken"


class BodyBroken(Malformed):
    """Raised when a body stops before its end."""

    code = "routing.body_broken"
    title = "The body did not arrive"


class NotAChatCall(Malformed):
    """Raised when a member that the gateway itself must read is missing or of another type."""

    code = "routing.not_a_chat_call"
    title = "The body is not a chat completion request"


class CallUnreadable(Malformed):
    """Raised for the same in the body, or the query, of any other call."""

    code = "routing.call_unreadable"
    title = "The call lacks something that the gateway must read"


class DialectMismatch(Malformed):
    """Raised when all that could serve a call speaks another dialect and none translates it."""

    code = "routing.dialect_mismatch"
    title = "What serves this route speaks another dialect"


class ConversationNotServed(Malformed):
    """Raised for a conversation kept at a vendor: whose it is cannot be known here."""

    code = "routing.conversation_not_served"
    title = "Conversations that a vendor keeps are not served here"


class KeyMissing(Unauthenticated):
    """Raised when there is no credential at all."""

    code = "routing.key_missing"
    title = (
        "No agent key. Send it as 'Authorization: Bearer usp_…' or 'x-api-key: usp_…'; "
        "the portal shows a key once, when it is made."
    )


class KeyMalformed(Unauthenticated):
    """Raised when the credential is not an agent key, or only part of one."""

    code = "routing.key_malformed"
    title = "This is not a whole agent key; one has 63 characters and begins with usp_."


class KeyUnknown(Unauthenticated):
    """Raised when no such key exists. The same answer for a wrong id and a wrong secret."""

    code = "routing.key_unknown"
    title = "This agent key is not known here."


class KeyExpired(Unauthenticated):
    """Raised for a key past its expiry."""

    code = "routing.key_expired"
    title = "This agent key has expired; its owner can make a new one in the portal."


class KeyRevoked(Unauthenticated):
    """Raised for a revoked key."""

    code = "routing.key_revoked"
    title = "This agent key was revoked; its owner can make a new one in the portal."


class NotInternal(Unauthenticated):
    """Raised when an internal address is asked without the installation's own signature."""

    code = "routing.not_internal"
    title = "This address is for the processes of this installation."


class BudgetSpent(OverBudget):
    """Raised when what a call may cost does not fit into a budget any more."""

    code = "routing.budget_spent"
    title = "A budget has no room for this call"


class BudgetUnpriced(OverBudget):
    """Raised when a budget on cost holds and nobody knows what the call would cost."""

    code = "routing.budget_unpriced"
    title = "A budget holds, and the model's price is not known"


class CallOverLimit(OverBudget):
    """Raised for a call that no window of a limit could ever take: waiting does not help."""

    code = "routing.call_over_limit"
    title = "This call alone is above a limit"


class LimitReached(Throttled):
    """Raised when a limit on requests, tokens or open calls is reached; says how long to wait."""

    code = "routing.limit_reached"
    title = "A limit is reached"


class AgentNotApproved(Denied):
    """Raised for an agent that nobody has approved yet."""

    code = "routing.agent_not_approved"
    title = "The agent is not approved yet"


class AgentSuspended(Denied):
    """Raised for a suspended agent."""

    code = "routing.agent_suspended"
    title = "The agent is suspended; its page in the portal says why."


class AgentKilled(Denied):
    """Raised for an agent that was killed."""

    code = "routing.agent_killed"
    title = "The agent was killed; its page in the portal says why."


class AgentRetired(Denied):
    """Raised for a retired agent."""

    code = "routing.agent_retired"
    title = "The agent is retired."


class RouteNotDeclared(Denied):
    """Raised when a route exists and the agent's manifest does not name it."""

    code = "routing.route_not_declared"
    title = "The agent does not declare this route"


class RouteNotDelegated(Denied):
    """Raised when an agent calls, for another, a route that it was not delegated."""

    code = "routing.route_not_delegated"
    title = "The route is not part of this delegation"


class CallDenied(Denied):
    """Raised when policy denies; carries the rule."""

    code = "routing.call_denied"
    title = "Policy denies this call"


class ApprovalRequired(Denied):
    """Raised when policy asks for an approval that is not there."""

    code = "routing.approval_required"
    title = "This call needs an approval"


class ModelNotFound(NotFound):
    """Raised when the model named is no route here. Does not list what there is."""

    code = "routing.model_not_found"
    title = "There is no such model or task route"


class ModelRetired(NotFound):
    """Raised when all that served a route has retired; names the successor where it is known."""

    code = "routing.model_retired"
    title = "The model has been retired"


class ModelPaused(NotFound):
    """Raised when all that could serve an agent is a model that is paused for it."""

    code = "routing.model_paused"
    title = "The model is paused for this agent"


class ResponseNotFound(NotFound):
    """Raised for a stored response that this agent did not make: absent and another's are one."""

    code = "routing.response_not_found"
    title = "There is no such response"


class NoSuchPath(NotFound):
    """Raised for an address the gateway does not serve."""

    code = "routing.no_such_path"
    title = "The gateway does not serve this address"


class NoSuchVendor(NotFound):
    """Raised when an internal request names a vendor that is not connected."""

    code = "routing.no_such_vendor"
    title = "There is no such vendor, or it is disabled"


class MethodNotTaken(DomainError):
    """Raised for a method that an address does not take."""

    status = 405
    code = "routing.method_not_taken"
    title = "This address does not take that method"


class NotGoverned(Unavailable):
    """Raised when the gateway cannot prove that its rules are fresh: nothing is let through."""

    code = "routing.not_governed"
    title = "Calls cannot be governed right now, so none are made. Try again shortly."


class ReceiptNotReached(Unavailable):
    """Raised when the record of a call does not come as far as policy demands: it never left."""

    code = "routing.receipt_not_reached"
    title = "The record of this call did not come far enough in time"


class Undecided(Unavailable):
    """Raised when policy could not be asked: a denial for now, and not the agent's fault."""

    code = "routing.undecided"
    title = "Policy cannot be asked right now"


class RouteUnserved(Unavailable):
    """Raised when no target of a route is enabled."""

    code = "routing.route_unserved"
    title = "Nothing serves this route right now"


class VendorNotReady(Unavailable):
    """Raised when a vendor has no secret that can be opened."""

    code = "routing.vendor_not_ready"
    title = "The vendor has no usable secret"


class ShuttingDown(Unavailable):
    """Raised when the gateway ends before the call does."""

    code = "routing.shutting_down"
    title = "The gateway is being restarted"


class InternalFault(DomainError):
    """Raised for what nobody expected; says nothing about it."""

    code = "routing.internal_fault"
    title = "Something went wrong in the gateway; its log says what."


class VendorFault(DomainError):
    """A failure on the vendor's side of the gateway, which no answer of the vendor describes."""

    status = 502
    code = "routing.vendor_fault"
    title = "The vendor did not answer properly"


class VendorUnreachable(VendorFault):
    """Raised when no connection comes about."""

    code = "routing.vendor_unreachable"
    title = "The vendor cannot be reached"


class VendorCut(VendorFault):
    """Raised when the vendor's answer ends before its end."""

    code = "routing.upstream_cut"
    title = "The vendor's answer ended before it was complete"


class VendorGarbage(VendorFault):
    """Raised when a success carries something that is no answer; the bytes are in the ledger."""

    code = "routing.vendor_garbage"
    title = "The vendor answered with something that is not JSON"


class VendorRedirected(VendorFault):
    """Raised instead of a redirect: an agent's key must not follow it somewhere else."""

    code = "routing.vendor_redirected"
    title = "The vendor answered with a redirect, which is not followed"


class VendorSlow(VendorFault):
    """Raised when the vendor is silent for too long."""

    status = 504
    code = "routing.vendor_slow"
    title = "The vendor took too long"


class DataBlocked(Denied):
    """Raised for a call with data that its route does not let through: it reached nobody."""

    code = "routing.data_blocked"
    title = "The call holds data that this route does not let through"


class AnswerBlocked(Denied):
    """Raised for an answer with data that its route does not let through."""

    code = "routing.answer_blocked"
    title = "The answer holds data that this route does not let through"


class DetectorFailed(Unavailable):
    """Raised when a text could not be looked at: what is unseen does not pass."""

    code = "routing.detector_failed"
    title = "What was said could not be looked at, and so does not pass"


def place_of(fault: BaseException) -> list[str]:
    """Return where a fault came up, last call last; its message may quote what was said."""
    return [f"{each.name}:{each.lineno}" for each in traceback.extract_tb(fault.__traceback__)[-6:]]
