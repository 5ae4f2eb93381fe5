"""Every refusal about proposals.

NotFound  404   ProposalNotFound · RunUnknown
Denied    403   MayNotPropose · NotYoursToTakeBack
Conflict  409   KeyReused · ProposalOver
TooLarge  413   ArgumentsTooLarge
Invalid   422   OperationUnknown · ArgumentsInvalid · KeyUnusable · CorrectionRefused
Throttled 429   QueueFull
"""

from __future__ import annotations

from kernel.errors import Conflict, Denied, Invalid, NotFound, Throttled, TooLarge


class ProposalNotFound(NotFound):
    """Raised when no proposal has that id, or the viewer may not know of it."""

    code = "effects.proposal_not_found"
    title = "There is no such proposal"


class RunUnknown(NotFound):
    """Raised when an agent names a run by an id that is none of its own."""

    code = "effects.run_unknown"
    title = "The agent has no such run"


class MayNotPropose(Denied):
    """Raised when an agent is stopped, suspended or in no stage that acts; says which."""

    code = "effects.may_not_propose"
    title = "This agent may not propose now"


class NotYoursToTakeBack(Denied):
    """Raised when somebody but the agent and its owner would withdraw a proposal."""

    code = "effects.not_yours_to_take_back"
    title = "Only the agent or its owner withdraws a proposal"


class KeyReused(Conflict):
    """Raised when an idempotency key comes again with another request."""

    code = "effects.idempotency_key_reused"
    title = "The idempotency key stands for another request"


class ProposalOver(Conflict):
    """Raised when a proposal can no longer be withdrawn; says how it stands."""

    code = "effects.proposal_over"
    title = "This proposal does not wait any more"


class ArgumentsTooLarge(TooLarge):
    """Raised when an action's arguments are more than people and policy can read."""

    code = "effects.arguments_too_large"
    title = "The arguments are too large"


class OperationUnknown(Invalid):
    """Raised when no connection in use offers what an agent asks to do."""

    code = "effects.operation_unknown"
    title = "There is no such operation"


class ArgumentsInvalid(Invalid):
    """Raised when arguments are not what the operation takes; names each place."""

    code = "effects.arguments_invalid"
    title = "The operation does not take these arguments"


class CorrectionRefused(Invalid):
    """Raised when a reviewer's correction is none that this review can approve."""

    code = "effects.correction_refused"
    title = "This correction cannot be approved here"


class KeyUnusable(Invalid):
    """Raised when an idempotency key is empty, too long or not printable."""

    code = "effects.idempotency_key_unusable"
    title = "The idempotency key cannot be used"


class QueueFull(Throttled):
    """Raised when an agent has as many open proposals as it may; says how many."""

    code = "effects.queue_full"
    title = "Too many proposals of this agent wait"
