"""Why somebody may decide a review, or may not, in a sentence.

Says beforehand what deciding would answer; the action asks again under the lock.
"""

from __future__ import annotations

from dataclasses import dataclass

from approvals.models import Review, ReviewDecision
from approvals.queries import able_deciders
from kernel import clock
from registry.actors import Actor
from registry.errors.agents import AgentNotFound
from registry.models import Agent, Role
from registry.queries import agent_for


@dataclass(frozen=True, slots=True)
class Standing:
    """How one viewer stands to one review."""

    agent: Agent | None  # what it is about, when that is an agent that is still there
    why_not: str  # empty when the viewer may decide
    may_withdraw: bool
    able: int  # how many people could decide it; too few, and it can only expire


def standing_of(actor: Actor, review: Review, decisions: list[ReviewDecision]) -> Standing:
    """Return how the viewer stands to a review."""
    agent = _subject(actor, review)
    parties = {review.requester.public_id, *review.excluded}
    if agent is not None:
        parties.add(agent.owner.public_id)
    is_open = review.state == Review.State.OPEN and review.expires_at > clock.now()
    asked = actor.is_person(review.requester) or (
        agent is not None and actor.is_person(agent.owner)
    )
    return Standing(
        agent=agent,
        why_not=_why_not(actor, review, decisions, parties),
        may_withdraw=is_open and asked and actor.has(Role.EMPLOYEE),
        able=able_deciders(review, parties) if is_open else 0,
    )


def _why_not(
    actor: Actor, review: Review, decisions: list[ReviewDecision], parties: set[str]
) -> str:
    lacks_role = actor.person is None or not actor.has(Role(review.required_role))
    answered = any(actor.is_person(decision.decider) for decision in decisions)
    reasons = (
        (review.state != Review.State.OPEN, f"It is {review.state} already."),
        (review.expires_at <= clock.now(), "It has expired, and expiry means no."),
        (lacks_role, f"Only people with the {review.required_role} role decide it."),
        (actor.is_person(review.requester), "You asked this yourself; somebody else decides."),
        (actor.ref.id in parties, "You own what this is about; somebody else decides."),
        (answered, "Your answer is on record; it is given once."),
    )
    return next((reason for holds, reason in reasons if holds), "")


def _subject(actor: Actor, review: Review) -> Agent | None:
    if review.subject_ref.kind != "agent":
        return None
    try:
        return agent_for(actor, review.subject_ref.id)
    except AgentNotFound:
        return None
