"""Why somebody may decide a review, or may not, in a sentence.

Says beforehand what deciding would answer; the action asks again under the lock.
"""

from __future__ import annotations

from dataclasses import dataclass

from approvals.audience import audience_now, in_words
from approvals.humans import accounts_of
from approvals.models import Review, ReviewDecision
from approvals.queries import able_deciders
from approvals.standing_in import Right, lent_for, rights_of
from kernel import clock
from registry.actors import Actor
from registry.errors.agents import AgentNotFound
from registry.models import Agent, Role
from registry.queries import agent_for


@dataclass(frozen=True, slots=True)
class Standing:
    """How one viewer stands to one review."""

    audience: str  # whom it is put to, in words
    agent: Agent | None  # what it is about, when that is an agent that is still there
    in_place_of: Right | None  # by whose right the viewer would decide, when not their own
    why_not: str  # empty when the viewer may decide
    may_withdraw: bool
    able: int  # how many people could decide it; too few, and it can only expire


def standing_of(actor: Actor, review: Review, decisions: list[ReviewDecision]) -> Standing:
    """Return how the viewer stands to a review."""
    agent, audience = _subject(actor, review), audience_now(review)
    parties = {review.requester.public_id, *review.excluded}
    if agent is not None:
        parties.add(agent.owner.public_id)
    is_open = review.state == Review.State.OPEN and review.expires_at > clock.now()
    asked = actor.is_person(review.requester) or (
        agent is not None and actor.is_person(agent.owner)
    )
    return Standing(
        audience=in_words(audience),
        agent=agent,
        in_place_of=lent_for(review, rights_of(actor)),
        why_not=_why_not(actor, review, decisions, parties, audience),
        may_withdraw=is_open and asked and actor.has(Role.EMPLOYEE),
        able=able_deciders(review, parties) if is_open else 0,
    )


def _why_not(
    actor: Actor,
    review: Review,
    decisions: list[ReviewDecision],
    parties: set[str],
    audience: list[str],
) -> str:
    if actor.person is None:
        return "Only people decide."
    human = {account.public_id for account in accounts_of(actor.person)}
    answered = any(
        human & {each.decider.public_id, each.on_behalf_of and each.on_behalf_of.public_id}
        for each in decisions
        if each.digest == review.asked_digest
    )
    is_asked = any(right.fits(audience) for right in rights_of(actor))
    reasons = (
        (review.state != Review.State.OPEN, f"It is {review.state} already."),
        (review.expires_at <= clock.now(), "It has expired, and expiry means no."),
        (not is_asked, f"Only {in_words(audience)} decide it."),
        (review.requester.public_id in human, "You asked this yourself; somebody else decides."),
        (bool(human & parties), "You own what this is about; somebody else decides."),
        (answered, "Your answer is on record; it is given once."),
    )
    return next((reason for holds, reason in reasons if holds), "")


def _subject(actor: Actor, review: Review) -> Agent | None:
    if not review.about_agent:
        return None
    try:
        return agent_for(actor, review.about_agent)
    except AgentNotFound:
        return None
