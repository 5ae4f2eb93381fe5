"""How a proposal stops waiting: one update that names the state it leaves.

Whoever changes one locks it first, by `lock_proposal`: the row, then the chains that its
entries extend, so that nobody waits for one who waits for them.
"""

from __future__ import annotations

from typing import Any, Final

from django.db import transaction
from django.db.models.functions import Now

from effects.models import Proposal
from effects.recording import say, streams_of
from effects.refusals import ProposalOver
from kernel.db import ring
from ledger.record import hold_chains
from ledger.verbs import Verb
from registry.actors import Actor

CARRY_OUT: Final = "effects.carry_out"
State, How = Proposal.State, Proposal.Decided
_VERBS: Final = {
    State.APPROVED: Verb.PROPOSAL_APPROVED,
    State.DENIED: Verb.PROPOSAL_DENIED,
    State.EXPIRED: Verb.PROPOSAL_EXPIRED,
    State.WITHDRAWN: Verb.PROPOSAL_WITHDRAWN,
}


@transaction.atomic
def approve_proposal(proposal: Proposal, *, how: str, actor: Actor) -> None:
    """Let an action be carried out, as it is in force, and wake a worker for it.

    Time is asked of the database once more: what expired while it was decided is not done.
    Records: proposal.approved. Raises: ProposalOver.
    """
    _leave(
        proposal,
        State.APPROVED,
        how,
        actor=actor,
        decided_digest=proposal.decided_digest or proposal.action_digest,
        decided_entry=proposal.decided_entry or proposal.action_entry,
    )
    ring(CARRY_OUT, proposal.public_id)


@transaction.atomic
def end_proposal(
    proposal: Proposal, state: str, *, how: str, actor: Actor, reason: str = ""
) -> None:
    """End an action that is not to be: denied, expired or withdrawn.

    Records: proposal.denied, proposal.expired or proposal.withdrawn. Raises: ProposalOver.
    """
    more = {"reason": reason} if how == How.CHECK and reason else {}
    _leave(proposal, State(state), how, actor=actor, ended_at=Now(), **more)


def lock_proposal(pk: int) -> Proposal:
    """Lock a proposal and what is recorded of it; return it as it is now."""
    related = ("agent", "agent__owner", "agent__current_version", "operation__connection")
    rows = Proposal.objects.select_for_update(of=("self",)).select_related(*related)
    proposal = rows.get(pk=pk)
    hold_chains(streams_of(proposal))
    return proposal


def _leave(
    proposal: Proposal, state: Proposal.State, how: str, *, actor: Actor, **changes: Any
) -> None:
    waiting = Proposal.objects.filter(pk=proposal.pk, state=State.PROPOSED)
    if state == State.APPROVED:
        waiting = waiting.filter(expires_at__gt=Now())
    if not waiting.update(state=state, decided_how=how, decided_at=Now(), **changes):
        raise over(proposal)
    bound = proposal.decided_digest or proposal.action_digest
    say(proposal, _VERBS[state], {"how": str(how), "action": bound}, actor=actor)


def over(proposal: Proposal) -> ProposalOver:
    """Return the refusal that says how a proposal stands."""
    proposal.refresh_from_db()
    return ProposalOver(f"This proposal is {proposal.state} already.", state=proposal.state)
