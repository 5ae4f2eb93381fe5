"""How far an agent has come on its way to the first call, and what comes next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from approvals.models import Review
from approvals.queries import open_review_of
from fleet.queries.inventory import has_called
from kernel import clock
from registry.models import Agent
from registry.queries import keys_of

# Each step as it is called before and after it is taken.
_WAY: Final = {
    "submit": ("Submit for review", "Submitted"),
    "review": ("Wait for the review", "Approved"),
    "key": ("Issue a key", "Key issued"),
    "call": ("Make the first call", "First call"),
}


@dataclass(frozen=True, slots=True)
class Progress:
    """Where an agent stands: ``next`` is submit, review, key, call, or empty when it runs."""

    next: str
    review: Review | None = None

    @property
    def steps(self) -> list[dict[str, str]]:
        """The way as a stepper shows it; registering is done as soon as there is an agent."""
        at = list(_WAY).index(self.next) if self.next else len(_WAY)
        shown = [{"label": "Registered", "state": "done"}]
        for place, (before, after) in enumerate(_WAY.values()):
            state = "done" if place < at else "now" if place == at else "next"
            shown.append({"label": after if state == "done" else before, "state": state})
        return shown


def progress_of(agent: Agent) -> Progress:
    """Return how far an agent has come; one that is halted or over goes nowhere."""
    if agent.stage == Agent.Stage.DRAFT:
        return Progress("submit")
    if agent.stage == Agent.Stage.IN_REVIEW:
        return Progress("review", open_review_of(str(agent.ref), Review.Kind.REGISTRATION))
    if not agent.is_callable or has_called(agent):
        return Progress("")
    usable = keys_of(agent).filter(revoked_at__isnull=True, expires_at__gt=clock.now())
    return Progress("call" if usable.exists() else "key")


def open_reviews_of(agent: Agent) -> list[Review]:
    """Return the reviews of an agent that wait for an answer."""
    asked = Review.objects.filter(subject=str(agent.ref), state=Review.State.OPEN)
    return list(asked.select_related("requester").order_by("id"))
