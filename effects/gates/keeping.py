"""Gates on record: one row and one entry for every verdict, in the transaction that acts on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import transaction
from django.db.models.functions import Now

from effects.gates.checks import Check
from effects.gates.judging import Verdict
from effects.models import Gate, Proposal
from kernel.canonical import canonical
from kernel.db import ring
from kernel.refs import new_id
from ledger.entries import Fact
from ledger.models import Entry
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor

TASK = "effects.run_gates"
State = Gate.State


@transaction.atomic(savepoint=False)
def keep_gates(
    proposal: Proposal,
    checks: Sequence[Check],
    verdicts: Iterable[Verdict],
    *,
    action_digest: str = "",
    actor: Actor,
) -> bool:
    """Keep what the fast checks said of an action, and line up the slow ones; say whether any wait.

    After a no nothing waits: the action is over. The caller denies it in this transaction.
    Records: gate.passed, gate.failed.
    """
    judged = {verdict.name: verdict for verdict in verdicts}
    is_over = any(not verdict.has_passed for verdict in judged.values())
    digest = action_digest or proposal.action_digest
    waits = False
    for place, check in enumerate(checks):
        verdict = judged.get(check.name)
        if verdict is None and (is_over or check.is_fast):
            continue
        gate = Gate.objects.create(
            public_id=new_id("gat"),
            proposal=proposal,
            action_digest=digest,
            name=check.name,
            kind=check.kind,
            place=place,
            created_at=Now(),
        )
        if verdict is None:
            waits = True
        else:
            settle_gate(gate, verdict, actor=actor)
    if waits:
        ring(TASK)
    return waits


@transaction.atomic
def settle_gate(gate: Gate, verdict: Verdict, *, actor: Actor) -> bool:
    """Move a gate out of ``waiting``; of racing judges one wins.

    Records: gate.passed or gate.failed.
    """
    state = State.PASSED if verdict.has_passed else State.FAILED
    waiting = Gate.objects.select_for_update().filter(pk=gate.pk, state=State.WAITING)
    if not waiting.exists():
        return False
    proposal = gate.proposal
    facts: dict[str, Fact] = {
        "proposal": proposal.public_id,
        "check": gate.name,
        "kind": gate.kind,
        "digest": gate.action_digest,
    }
    if verdict.run_id:
        facts["run"] = verdict.run_id
    kept = record(
        Verb.GATE_PASSED if verdict.has_passed else Verb.GATE_FAILED,
        gate.ref,
        actor=actor.ref,
        kind=Entry.Kind.DECISION,
        facts=facts,
        agent_id=proposal.agent.public_id,
        payload=canonical({"reason": verdict.reason, **(verdict.said or {})}),
    )
    moved = Gate.objects.filter(pk=gate.pk, state=State.WAITING).update(
        state=state,
        reason=verdict.reason,
        run_id=verdict.run_id,
        entry=kept.entry_id,
        claimed_until=None,
        judged_at=Now(),
    )
    gate.refresh_from_db()
    return bool(moved)
