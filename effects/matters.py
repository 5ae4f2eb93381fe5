"""An action as the subject of its review: what it is now, who has a part in it, what its end does.

Locked in one order everywhere: the proposal, its review, the person who decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db.models.functions import Now

from approvals.models import Review
from effects.acting import canonical_action
from effects.actions.asking import barred_from, strangers_in
from effects.actions.deciding import approve_proposal, end_proposal, lock_proposal
from effects.adapters.errors import SettingsInvalid
from effects.arguments import changed_paths, check_arguments, leaves_of
from effects.facts import counts_of, gather_facts
from effects.gates.checks import gates_for
from effects.gates.errors import CheckInvalid, CheckUnknown
from effects.gates.judging import judge_fast, refusal_of
from effects.launch.corrections import keep_correction
from effects.models import Proposal
from effects.reading import action_of
from effects.recording import say
from effects.refusals import CorrectionRefused
from effects.ruling import judges_still, rule_on
from kernel.canonical import canonical, digest
from kernel.errors import DomainError
from ledger.models import Entry
from ledger.verbs import Verb
from policy.decision import Decision
from registry.actors import Actor
from registry.models import Agent

GONE: Final = ""  # the digest of an action that can no more be done
State, How = Proposal.State, Proposal.Decided
_ENDS: Final = {
    Review.State.REJECTED: (State.DENIED, How.PEOPLE),
    Review.State.EXPIRED: (State.EXPIRED, How.TIME),
    Review.State.WITHDRAWN: (State.WITHDRAWN, How.VOID),
}


def lock_matter(review: Review) -> ProposalMatter:
    """Lock the proposal that a review is about."""
    found = Proposal.objects.get(public_id=review.subject_ref.id)
    return ProposalMatter(lock_proposal(found.pk))


@dataclass
class ProposalMatter:
    """One action that people are asked about, its row held."""

    proposal: Proposal
    taken_back_by: str = ""

    @property
    def agent_id(self) -> str:
        return self.proposal.agent.public_id

    def present_digest(self) -> str | None:
        """Make the action anew from the rows as they are now."""
        proposal = self.proposal
        agent, operation = proposal.agent, proposal.operation
        is_late = Proposal.objects.filter(pk=proposal.pk, expires_at__lte=Now()).exists()
        is_gone = operation.retired_at is not None or operation.connection.disabled_at is not None
        is_gone = is_gone or not judges_still(proposal.bundle_digest)
        if is_late or is_gone or agent.stage not in Agent.CALLABLE or agent.killed_at is not None:
            return GONE
        try:
            recorded = action_of(proposal, decided=True)
            made, _ = canonical_action(proposal, operation, recorded["arguments"])
        except (DomainError, KeyError):
            return GONE
        return digest(made)

    def barred(self) -> set[str]:
        return barred_from(self.proposal)

    def owner_ids(self) -> set[str]:
        return {self.proposal.agent.owner.public_id}

    def approve(self, *, actor: Actor) -> None:
        approve_proposal(self.proposal, how=How.PEOPLE, actor=actor)

    def refuse(self, *, actor: Actor, reason: str, is_final: bool) -> None:
        """End the action as its review ended; a comment stays with the review."""
        ended = Review.objects.values_list("state", flat=True).get(public_id=self._review_id())
        state, how = _ENDS[Review.State(ended)]
        end_proposal(self.proposal, state, how=self.taken_back_by or how, actor=actor)

    def edit(self, arguments: Mapping[str, Any], *, actor: Actor) -> str:
        """Correct the arguments: a new action, checked and judged like the first.

        Both actions stay on record. Records: proposal.edited, proposal.judged. Raises:
        CorrectionRefused, ArgumentsInvalid, ArgumentsTooLarge, ArgumentsRefused.
        """
        proposal, operation = self.proposal, self.proposal.operation
        before = action_of(proposal, decided=True)
        check_arguments(operation, arguments)
        if canonical(before["arguments"]) == canonical(dict(arguments)):
            return digest(before)
        try:
            action, _ = canonical_action(proposal, operation, arguments)
        except SettingsInvalid as error:
            raise CorrectionRefused(error.detail) from None
        decision, facts = self._judged(arguments)
        self._keep(before, action, actor)
        say(
            proposal,
            Verb.PROPOSAL_JUDGED,
            {
                "answer": "allow" if decision.allow else "ask",
                "rule": decision.rule,
                "bundle": decision.bundle_digest,
                "input": decision.input_digest,
                "action": digest(action),
                "state": proposal.state,
            },
            kind=Entry.Kind.DECISION,
            payload=canonical(facts),
            actor=Actor.system("policy"),
        )
        return digest(action)

    def _judged(self, arguments: Mapping[str, Any]) -> tuple[Decision, Mapping[str, Any]]:
        """Ask the policy and the checks about a correction. Raises: CorrectionRefused."""
        proposal = self.proposal
        agent, operation = proposal.agent, proposal.operation
        counts = counts_of(agent, but=proposal.pk)
        facts = gather_facts(agent, operation, arguments, counts, edited=True)
        decision = rule_on(facts)
        if not (decision.allow or decision.ask):
            raise CorrectionRefused(
                f"Policy refuses it as edited: {decision.reason}", rule=decision.rule
            )
        if proposal.bundle_digest != decision.bundle_digest:
            raise CorrectionRefused("The policy has changed; this question is void.")
        self._require_same_people(decision)
        try:
            checks = gates_for(operation, decision.constraints)
        except (CheckInvalid, CheckUnknown) as error:
            raise CorrectionRefused(error.detail) from None
        whole = {**facts, "action": {**facts["action"], "arguments": dict(arguments)}}
        verdicts = judge_fast(checks, whole)
        if said := refusal_of(verdicts):
            raise CorrectionRefused(said)
        if len(verdicts) < len(checks):
            raise CorrectionRefused(
                "This operation has checks that take time; ask the agent to propose the correction."
            )
        return decision, facts

    def _require_same_people(self, decision: Decision) -> None:
        """A correction needs nobody else, and no more of them. Raises: CorrectionRefused."""
        asked = self.proposal.constraints
        now: dict[str, Any] = decision.constraints if decision.ask else asked
        named = [str(ref) for ref in now.get("approvers") or []]
        is_wider = int(now.get("quorum", 1)) > int(asked.get("quorum", 1))
        if is_wider or set(named) != set(asked.get("approvers") or []) or strangers_in(now):
            raise CorrectionRefused(
                "As edited, policy asks other people, or more of them. Reject it and say what"
                " you would approve."
            )

    def _keep(self, before: Mapping[str, Any], action: Mapping[str, Any], actor: Actor) -> None:
        proposal = self.proposal
        asked = action_of(proposal)["arguments"]
        # The distance is from what the agent asked, however often it is edited.
        changed = changed_paths(asked, action["arguments"])
        leaves = len(leaves_of(asked))
        entry = say(
            proposal,
            Verb.PROPOSAL_EDITED,
            {
                "action": digest(action),
                "corrects": digest(before),
                "changed": len(changed),
                "arguments": leaves,
            },
            kind=Entry.Kind.PROPOSAL,
            payload=canonical(dict(action)),
            actor=actor,
        )
        proposal.decided_digest, proposal.decided_entry = digest(action), entry
        proposal.edited_count = len(changed)
        proposal.save(update_fields=["decided_digest", "decided_entry", "edited_count"])
        keep_correction(proposal, asked, action["arguments"])

    def _review_id(self) -> str:
        return self.proposal.review_id
