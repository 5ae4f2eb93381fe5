"""Putting an action to people: whom, how many, until when, and who may not.

What the policy answered lies on the proposal's row, so that whoever lets it pass a last
check asks exactly as the policy said.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction

from approvals.actions import Question, ask
from approvals.audience import is_audience
from approvals.models import Review
from effects.models import Operation, Proposal
from kernel import clock
from kernel.refs import Ref
from registry.actors import Actor
from registry.models import Agent, AgentKey, Person
from routing.models import RunLink

# Where the policy names nobody, those who guard the company are asked.
_USUAL: Final = ("role:security",)
_DEEPEST: Final = 5


@transaction.atomic(savepoint=False)
def put_to_people(proposal: Proposal, *, actor: Actor, held: Agent | None = None) -> Review:
    """Open the review of an action that policy wants asked; it is about its digest.

    ``held`` is its agent, where the caller holds that row and has just read it.
    Records: review.opened. Raises: ReviewAlreadyOpen.
    """
    agent, operation = proposal.agent, proposal.operation
    bound: dict[str, Any] = proposal.constraints
    after = bound.get("escalate_seconds") if bound.get("escalate_to") else None
    question = Question(
        kind=Review.Kind.PROPOSAL,
        subject=proposal.ref,
        subject_name=agent.name,
        digest=proposal.action_digest,
        text=f"May {agent.name} do {operation.target}?",
        # An agent asks on behalf of whoever answers for it.
        requester=agent.owner,
        audience=tuple(bound.get("approvers") or _USUAL),
        quorum=int(bound.get("quorum", 1)),
        excluded=frozenset(barred_from(proposal, held=held)),
        evidence=_evidence(proposal),
        # The proposal's end is the database's word; a review that outlives it decides nothing.
        open_for=max(proposal.expires_at - clock.now(), timedelta(seconds=1)),
        escalate_after=None if after is None else timedelta(seconds=int(after)),
        escalate_to=tuple(bound["escalate_to"]) if after is not None else (),
        asked_by=agent.ref,
        operation=operation.target,
        stakes=_stakes(operation),
    )
    review = ask(question, actor=actor)
    Proposal.objects.filter(pk=proposal.pk).update(review_id=review.public_id)
    proposal.review_id = review.public_id
    return review


def strangers_in(constraints: Mapping[str, Any]) -> list[str]:
    """Return whom a policy names that nobody here can be; an action put to them is denied."""
    named = [*constraints.get("approvers", ()), *constraints.get("escalate_to", ())]
    return [ref for ref in named if not is_audience(ref)]


def barred_from(proposal: Proposal, *, held: Agent | None = None) -> set[str]:
    """Return the people who have a part in an action, and so do not decide it.

    The owner and the backup owner; who issued the key that asked; who wrote the version in
    force; who added the connection or the operation (unless the company says they may); and
    who owns an agent on whose behalf the run goes on.
    """
    people = ("owner", "backup_owner", "current_version")
    agent = held or Agent.objects.select_related(*people).get(pk=proposal.agent_id)
    parties = [agent.owner.ref, *([agent.backup_owner.ref] if agent.backup_owner else [])]
    said = list(
        AgentKey.objects.filter(public_id=proposal.key_id).values_list("created_by", flat=True)
    )
    if agent.current_version is not None:
        said.append(agent.current_version.created_by)
    if not settings.AUTHORS_MAY_APPROVE:
        # Who added a thing never changes, so it need not be read again.
        said += [proposal.operation.added_by, proposal.operation.connection.added_by]
    found = {ref.id for ref in [*parties, *_parsed(said)] if ref.kind == "person"}
    return found | _owners_behind(proposal.run_id)


def _parsed(said: list[str]) -> list[Ref]:
    return [Ref.parse(text) for text in said if ":" in text]


def _owners_behind(run_id: str) -> set[str]:
    """Return the owners of the agents whose runs this one does work for, up to the root."""
    runs, agents = {run_id} - {""}, set[str]()
    for _ in range(_DEEPEST):
        links = RunLink.objects.filter(child_run__in=runs)
        above = set(links.values_list("parent_run", "parent_agent"))
        runs = {run for run, _ in above}
        agents |= {agent for _, agent in above}
        if not runs:
            break
    people = Person.objects.filter(owned_agents__public_id__in=agents)
    return set(people.values_list("public_id", flat=True))


def _stakes(operation: Operation) -> Review.Stakes:
    """Name what is never decided together with others: money, and what stays done."""
    is_high = operation.effect in {Operation.Effect.MONEY, Operation.Effect.DELETE}
    is_lasting = not operation.is_reversible and operation.effect != Operation.Effect.READ
    return Review.Stakes.HIGH if is_high or is_lasting else Review.Stakes.USUAL


def _evidence(proposal: Proposal) -> dict[str, Any]:
    """What may lie in the clear beside the question: never an argument."""
    operation = proposal.operation
    return {
        "proposal": proposal.public_id,
        "connection": operation.connection.title,
        "operation": operation.title,
        "adapter": operation.connection.adapter,
        "effect": operation.effect,
        "is_reversible": operation.is_reversible,
        "run": proposal.run_id,
        "rule": proposal.rule,
        "reason": proposal.reason,
        "arguments": proposal.argument_count,
    }
