"""Taking a proposal back, and ending those whose time is up.

Expiry means no. It is asked of the database's clock by whoever decides or begins, so a sweep
that is late changes nothing but when the end is said.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models.functions import Now

from approvals.actions.settling import lock_review, settle_review
from approvals.models import Review
from effects.actions.deciding import How, State, end_proposal, lock_proposal, over
from effects.matters import ProposalMatter
from effects.models import Proposal
from effects.queries.proposals import proposal_for
from effects.recording import say
from effects.refusals import NotYoursToTakeBack
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Agent, Role


@transaction.atomic
def withdraw_proposal(public_id: str, *, actor: Actor) -> Proposal:
    """Take back what waits, or is approved and was not begun. Its agent may, and its owner.

    Records: proposal.withdrawn, review.withdrawn. Raises: ProposalNotFound,
    NotYoursToTakeBack, ProposalOver.
    """
    seen = proposal_for(actor, public_id)
    # First the proposal, then its review: as whoever decides it does.
    proposal = lock_proposal(seen.pk)
    is_agent = actor.ref == proposal.agent.ref
    is_owner = actor.is_person(proposal.agent.owner) and actor.has(Role.EMPLOYEE)
    if not (is_agent or is_owner):
        raise NotYoursToTakeBack
    how = How.AGENT if is_agent else How.OWNER
    review = _open_review(proposal)
    if review is not None:
        matter = ProposalMatter(proposal, taken_back_by=how)
        settle_review(review, Review.State.WITHDRAWN, matter, actor=actor)
    elif proposal.state == State.APPROVED:
        _take_back(proposal, how, actor)
    else:
        end_proposal(proposal, State.WITHDRAWN, how=how, actor=actor)
    proposal.refresh_from_db()
    return proposal


def void_proposals_of(agent: Agent, *, actor: Actor) -> int:
    """End every action of an agent that is retired and that was not begun; return how many.

    Records: proposal.withdrawn, review.withdrawn for each.
    """
    states = [State.PROPOSED, State.APPROVED]
    rows = Proposal.objects.filter(agent=agent, state__in=states).order_by("id")
    return sum(_void(pk, actor) for pk in list(rows.values_list("pk", flat=True)))


@transaction.atomic
def _void(pk: int, actor: Actor) -> bool:
    proposal = lock_proposal(pk)
    review = _open_review(proposal)
    if review is not None:
        matter = ProposalMatter(proposal, taken_back_by=How.VOID)
        settle_review(review, Review.State.WITHDRAWN, matter, actor=actor, reason="agent retired")
    elif proposal.state == State.APPROVED:
        _take_back(proposal, How.VOID, actor)
    elif proposal.state == State.PROPOSED:
        end_proposal(proposal, State.WITHDRAWN, how=How.VOID, actor=actor)
    else:
        return False
    return True


def expire_proposals(*, actor: Actor) -> int:
    """End what waits and was not decided in time, its review with it; return how many.

    Records: proposal.expired, review.expired.
    """
    late = Proposal.objects.filter(state=State.PROPOSED, expires_at__lte=Now())
    late = late.order_by("expires_at")
    return sum(_expire(pk, actor) for pk in list(late.values_list("pk", flat=True)[:500]))


@transaction.atomic
def _expire(pk: int, actor: Actor) -> bool:
    proposal = lock_proposal(pk)
    if proposal.state != State.PROPOSED:
        return False
    review = _open_review(proposal)
    if review is None:
        end_proposal(proposal, State.EXPIRED, how=How.TIME, actor=actor)
    else:
        settle_review(review, Review.State.EXPIRED, ProposalMatter(proposal), actor=actor)
    return True


def _open_review(proposal: Proposal) -> Review | None:
    if not proposal.review_id:
        return None
    review = lock_review(proposal.review_id)
    return review if review.state == Review.State.OPEN else None


def _take_back(proposal: Proposal, how: str, actor: Actor) -> None:
    # Of withdrawing and claiming one names the state first.
    rows = Proposal.objects.filter(pk=proposal.pk, state=State.APPROVED)
    if not rows.update(state=State.WITHDRAWN, decided_how=how, ended_at=Now()):
        raise over(proposal)
    say(
        proposal,
        Verb.PROPOSAL_WITHDRAWN,
        {"how": how, "action": proposal.decided_digest},
        actor=actor,
    )
