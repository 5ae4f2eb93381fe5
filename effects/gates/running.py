"""Judging by what takes time, in the worker: one claim, one answer, and then what follows of it.

Nothing is held while somebody else is asked. A claim that runs out is taken up again; what
could not be asked three times is a no. After the last yes people are asked, or the action
goes on; after the first no it is over.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from effects.actions.asking import put_to_people
from effects.actions.deciding import approve_proposal, end_proposal, lock_proposal
from effects.gates.checks import Check, gates_for
from effects.gates.judging import Verdict
from effects.gates.keeping import settle_gate
from effects.gates.opinion import NotAsked, second_opinion
from effects.gates.reference import NotLookedUp, look_up
from effects.models import Gate, Proposal
from effects.reading import action_of
from kernel.errors import DomainError
from registry.actors import Actor

logger = logging.getLogger("unsprawl.gates")

TRIES: Final = 3
CLAIMED_FOR: Final = timedelta(minutes=3)
AGAIN_AFTER: Final = timedelta(seconds=15)
AT_A_SWEEP: Final = 20

State, How = Proposal.State, Proposal.Decided


def run_waiting(*, actor: Actor) -> int:
    """Judge by the checks that wait; return how many were judged.

    Records: gate.passed, gate.failed, and what follows for the action.
    """
    due = Gate.objects.filter(_FREE, state=Gate.State.WAITING).order_by("created_at", "place")
    pks = list(due.values_list("pk", flat=True)[:AT_A_SWEEP])
    return sum(run_gate(pk, actor=actor) for pk in pks)


def run_gates(proposal: Proposal, *, actor: Actor) -> int:
    """Judge one action by its waiting checks, in their order; return how many were judged."""
    waiting = proposal.gates.filter(state=Gate.State.WAITING).order_by("place")
    return sum(run_gate(pk, actor=actor) for pk in list(waiting.values_list("pk", flat=True)))


def run_gate(pk: int, *, actor: Actor) -> bool:
    """Judge by one check, if nobody else does; say whether it was judged."""
    gate = _claim(pk)
    if gate is None:
        return False
    if gate.proposal.state != State.PROPOSED:
        verdict = Verdict(gate.name, gate.kind, "the action was over before it was judged")
    else:
        try:
            verdict = _judged(gate, actor)
        except (NotAsked, NotLookedUp) as reason:
            logger.warning("check %s was not judged: %s", gate.name, reason)
            if gate.attempts < TRIES:
                Gate.objects.filter(pk=pk, state=Gate.State.WAITING).update(
                    claimed_until=Now() + AGAIN_AFTER
                )
                return False
            verdict = Verdict(
                gate.name, gate.kind, "it could not be asked", said={"why": str(reason)}
            )
    _conclude(gate, verdict, actor)
    return True


_FREE: Final = Q(claimed_until__isnull=True) | Q(claimed_until__lte=Now())


def _claim(pk: int) -> Gate | None:
    free = Gate.objects.filter(_FREE, pk=pk, state=Gate.State.WAITING)
    if not free.update(claimed_until=Now() + CLAIMED_FOR, attempts=F("attempts") + 1):
        return None
    related = ("proposal__agent", "proposal__operation__connection")
    return Gate.objects.select_related(*related).get(pk=pk)


def _judged(gate: Gate, actor: Actor) -> Verdict:
    """Return the verdict. Raises: NotAsked, NotLookedUp."""
    proposal = gate.proposal
    try:
        check = _check_of(gate)
        action = action_of(proposal)
    except DomainError as error:
        return Verdict(gate.name, gate.kind, f"it cannot be judged ({error.code})")
    if check is None:
        return Verdict(gate.name, gate.kind, "the operation does not have it any more")
    arguments = action["arguments"]
    if check.kind == "reference":
        found, run_id, note = look_up(check.settings, proposal, arguments), "", ""
    elif check.settings["agent"] == proposal.agent.name:
        found, run_id, note = "nobody is their own second opinion", "", ""
    else:
        shown = {
            "agent": proposal.agent.name,
            "operation": proposal.operation.target,
            "title": proposal.operation.title,
            "arguments": arguments,
        }
        opinion = second_opinion(check.settings, shown, label=proposal.public_id, actor=actor)
        found, run_id, note = opinion.reason, opinion.run_id, opinion.note
    reason = (check.reason or found) if found else ""
    return Verdict(check.name, check.kind, reason, run_id, {"note": note, "found": found})


def _check_of(gate: Gate) -> Check | None:
    """Raises: CheckInvalid, CheckUnknown."""
    checks = gates_for(gate.proposal.operation, gate.proposal.constraints)
    return next((check for check in checks if check.name == gate.name), None)


@transaction.atomic
def _conclude(gate: Gate, verdict: Verdict, actor: Actor) -> None:
    proposal = lock_proposal(gate.proposal_id)
    if not settle_gate(gate, verdict, actor=actor) or proposal.state != State.PROPOSED:
        return
    if not verdict.has_passed:
        end_proposal(proposal, State.DENIED, how=How.CHECK, actor=actor, reason=verdict.refusal)
    elif not proposal.gates.filter(state=Gate.State.WAITING).exists():
        _go_on(proposal, actor)


def _go_on(proposal: Proposal, actor: Actor) -> None:
    """Ask people as the policy said, or let it be done where it asked nobody."""
    if proposal.is_asked:
        put_to_people(proposal, actor=Actor.agent(proposal.agent.ref))
    else:
        approve_proposal(proposal, how=How.POLICY, actor=actor)
