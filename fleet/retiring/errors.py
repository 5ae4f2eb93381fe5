"""Refusals of retirements and of batches."""

from __future__ import annotations

from kernel.errors import Conflict, Denied, Invalid, NotFound


class RetirementNotFound(NotFound):
    """Raised when no retirement has this id, or none stands for this agent."""

    code = "fleet.retirement_not_found"
    title = "There is no such retirement"


class RetirementUnderWay(Conflict):
    """Raised when a plan is changed or cancelled that has begun to be carried out."""

    code = "fleet.retirement_under_way"
    title = "The retirement is under way"


class PlanUnusable(Invalid):
    """Raised for a plan whose day, drain or days cannot be."""

    code = "fleet.plan_unusable"
    title = "The plan cannot be carried out"


class ShreddingNeedsOffice(Denied):
    """Raised when somebody without the office plans that data be destroyed."""

    code = "fleet.shredding_needs_office"
    title = "Platform and security plan that data be destroyed"


class RestoreTooLate(Conflict):
    """Raised when a retired agent should come back after its 30 days."""

    code = "fleet.restore_too_late"
    title = "A retired agent comes back within 30 days"


class RestoreLoses(Conflict):
    """Raised when an agent should come back whose data were destroyed, and nobody said so."""

    code = "fleet.restore_loses"
    title = "What it had is partly destroyed"


class BatchNotFound(NotFound):
    """Raised when no batch has this id, or it is not this viewer's to see."""

    code = "fleet.batch_not_found"
    title = "There is no such batch"


class BatchBegun(Conflict):
    """Raised when a batch is begun or changed that runs already, or is over."""

    code = "fleet.batch_begun"
    title = "This batch was begun already"


class BatchUnusable(Invalid):
    """Raised for a batch of nothing, of too many, or without what its step needs."""

    code = "fleet.batch_unusable"
    title = "This cannot be done to these agents"


class BatchChanged(Conflict):
    """Raised when a batch is begun for another number of agents than it would be done to."""

    code = "fleet.batch_changed"
    title = "It would be done to another number of agents"
