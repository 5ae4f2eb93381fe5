"""Every refusal about evaluations, golden cases and the criteria of the gate.

Invalid   422   CriteriaInvalid · CandidateUnusable · NothingToEvaluate · GoldenInvalid
NotFound  404   EvaluationNotFound · PairNotFound · GoldenNotFound
Denied    403   MayNotEvaluate
Conflict  409   EvaluationRunning · EstimateAboveCap · GoldenExists · GoldenEnded
"""

from __future__ import annotations

from kernel.errors import Conflict, Denied, Invalid, NotFound


class CriteriaInvalid(Invalid):
    """Raised when a bound of the gate cannot be kept; names it and what it may be."""

    code = "fleet.criteria_invalid"
    title = "The criteria are not valid"


class CandidateUnusable(Invalid):
    """Raised when a model cannot be compared with the baseline; says why."""

    code = "fleet.candidate_unusable"
    title = "That model cannot be a candidate"


class NothingToEvaluate(Invalid):
    """Raised when an agent has neither readable runs on the baseline nor golden cases."""

    code = "fleet.nothing_to_evaluate"
    title = "There is nothing to evaluate with"


class GoldenInvalid(Invalid):
    """Raised when a golden case does not say what is asked, or what must come of it."""

    code = "fleet.golden_invalid"
    title = "The golden case is not valid"


class EvaluationNotFound(NotFound):
    """Raised when no evaluation has this id, or the viewer may not see it."""

    code = "fleet.evaluation_not_found"
    title = "There is no such evaluation"


class PairNotFound(NotFound):
    """Raised when an evaluation has no such pair of answers."""

    code = "fleet.pair_not_found"
    title = "There is no such pair of answers"


class GoldenNotFound(NotFound):
    """Raised when the agent has no golden case of this id, or the viewer may not see it."""

    code = "fleet.golden_not_found"
    title = "There is no such golden case"


class MayNotEvaluate(Denied):
    """Raised when somebody neither answers for the agent nor governs."""

    code = "fleet.may_not_evaluate"
    title = "You may not evaluate models for this agent"


class EvaluationRunning(Conflict):
    """Raised when the same comparison is under way already; names it."""

    code = "fleet.evaluation_running"
    title = "This evaluation is under way already"


class EstimateAboveCap(Conflict):
    """Raised when an evaluation would cost more than the one who begins it allows."""

    code = "fleet.estimate_above_cap"
    title = "It would cost more than allowed"


class GoldenExists(Conflict):
    """Raised when the agent has a golden case of this name in use."""

    code = "fleet.golden_exists"
    title = "There is a golden case of this name"


class GoldenEnded(Conflict):
    """Raised when a golden case that is no longer in use is changed or retired."""

    code = "fleet.golden_ended"
    title = "This golden case is no longer in use"
