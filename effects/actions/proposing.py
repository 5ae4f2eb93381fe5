"""An agent asks for something to be done: guarded, judged, recorded, and put to people.

Judging waits for nobody's lock: the policy is asked first, and asked again when what it was
told of changed meanwhile. Then everything happens in one transaction or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from effects.acting import canonical_action
from effects.actions.asking import put_to_people, strangers_in
from effects.arguments import check_arguments, leaves_of
from effects.facts import Counts, agent_facts, counts_of, gather_facts
from effects.gates.checks import Check, gates_for
from effects.gates.errors import CheckInvalid, CheckUnknown
from effects.gates.judging import Verdict, judge_fast, refusal_of
from effects.gates.keeping import keep_gates
from effects.models import AskedAgain, Operation, Proposal
from effects.queries.proposals import asked_under, line_of, operation_named, operation_now
from effects.recording import say
from effects.refusals import KeyReused, KeyUnusable, MayNotPropose, QueueFull
from effects.ruling import judges_still, rule_on
from effects.runs import begin_run, run_id_of
from kernel.canonical import canonical, digest
from kernel.db import ring
from kernel.refs import new_id
from ledger.models import Entry
from ledger.record import hold_chains
from ledger.verbs import Verb
from policy.decision import Decision
from registry.actors import Actor
from registry.errors.authentication import AgentKeyExpired, AgentKeyRevoked
from registry.models import Agent, AgentKey
from registry.queries.credentials import key_now
from routing.queries.stops import is_stopped

CARRY_OUT: Final = "effects.carry_out"
_LONGEST_KEY: Final = 200
_TRIES: Final = 3
# How long a person or a worker has where the policy says nothing, because it denied.
_DENIED_FOR: Final = timedelta(seconds=1)

State, How = Proposal.State, Proposal.Decided


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an agent hands in."""

    adapter: str
    target: str
    arguments: Mapping[str, Any]
    idempotency_key: str
    run: str = ""

    def digest(self) -> str:
        """Name the request: its key aside. Raises: NotCanonical."""
        action = {"adapter": self.adapter, "target": self.target, "arguments": dict(self.arguments)}
        return digest({"run": self.run, "action": action})


@dataclass(frozen=True, slots=True)
class Judged:
    """What the policy and the fast checks made of an action, and what they were told."""

    facts: Mapping[str, Any]
    counts: Counts
    decision: Decision
    checks: tuple[Check, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    refusal: str = ""  # of a check


class _Outrun(Exception):
    """Raised when what the policy was told of is not so any more."""


def propose(wanted: Wanted, *, key: AgentKey, actor: Actor) -> tuple[Proposal, bool]:
    """Take an action in; say how it stands, and whether it is new.

    Records: proposal.made, proposal.judged, review.opened where people are asked.
    Raises: KeyUnusable, KeyReused, OperationUnknown, ArgumentsInvalid, ArgumentsTooLarge,
    ArgumentsRefused, RunUnknown, RunLabelUnusable, MayNotPropose, QueueFull, NotCanonical.
    """
    agent, asked = key.agent, wanted.digest()
    _check_key(wanted.idempotency_key)
    if earlier := _earlier(agent, wanted.idempotency_key, asked):
        return earlier, False
    run_id, label = run_id_of(agent, wanted.run)
    operation = operation_named(wanted.adapter, wanted.target)
    check_arguments(operation, wanted.arguments)
    for tries in range(_TRIES):
        judged = None if tries == _TRIES - 1 else _judge(agent, operation, wanted.arguments)
        try:
            with transaction.atomic():
                held, moment = _hold(agent, key)
                if earlier := _earlier(held, wanted.idempotency_key, asked):
                    return earlier, False
                if alike := _find_alike_or_room(held, operation, wanted, asked):
                    return alike, False
                hold_chains({f"agent:{held.public_id}", *({run_id} - {""})})
                # At last under the lock: then nothing can be outrun.
                judged = judged or _judge(held, operation, wanted.arguments)
                _check_still(judged, held, operation)
                begin_run(held, run_id, label)
                made = _make(
                    held, operation, wanted, judged, key=key, run_id=run_id, moment=moment,
                    asked=asked, actor=actor,
                )  # fmt: skip
                return made, True
        except _Outrun:
            continue
    raise MayNotPropose("The policy changed while it was asked. Try again.", why="policy")


def _check_key(key: str) -> None:
    if not (0 < len(key) <= _LONGEST_KEY and key.isprintable()):
        raise KeyUnusable(
            f"An idempotency key has 1 to {_LONGEST_KEY} printable characters.",
            field="idempotency_key",
        )


def _earlier(agent: Agent, key: str, asked: str) -> Proposal | None:
    found = asked_under(agent, key)
    if found is None:
        return None
    proposal, digest_then = found
    if digest_then != asked:
        raise KeyReused(
            "This idempotency key came with another request before. Use a new key.",
            proposal=proposal.public_id,
        )
    return proposal


def _judge(agent: Agent, operation: Operation, arguments: Mapping[str, Any]) -> Judged:
    counts = counts_of(agent)
    facts = gather_facts(agent, operation, arguments, counts)
    decision = rule_on(facts)
    if not (decision.allow or decision.ask):
        return Judged(facts, counts, decision)
    if nobody := strangers_in(decision.constraints):
        said = f"The policy asks {nobody[0]}, whom this service does not know."
        return Judged(facts, counts, decision, refusal=said)
    try:
        checks = gates_for(operation, decision.constraints)
    except (CheckInvalid, CheckUnknown) as error:
        return Judged(facts, counts, decision, refusal=error.detail)
    whole = {**facts, "action": {**facts["action"], "arguments": dict(arguments)}}
    verdicts = judge_fast(checks, whole)
    return Judged(facts, counts, decision, checks, verdicts, refusal_of(verdicts))


def _hold(agent: Agent, key: AgentKey) -> tuple[Agent, datetime]:
    """Lock the agent against itself alone, and look again at all that lets it ask."""
    rows = Agent.objects.select_for_update(of=("self",), no_key=True)
    related = ("owner", "backup_owner", "team", "current_version")
    held = rows.select_related(*related).get(pk=agent.pk)
    revoked_at, expires_at, moment = key_now(key)
    if revoked_at is not None:
        raise AgentKeyRevoked
    if expires_at <= moment:
        raise AgentKeyExpired
    if not held.is_callable or held.current_version is None:
        why = "suspended" if held.is_suspended else held.stage
        raise MayNotPropose(
            f"{held.name} is {why.replace('_', ' ')}; it acts for nobody now.", why=why
        )
    if is_stopped(held, key.public_id):
        raise MayNotPropose(
            f"A stop covers {held.name}; nothing is done until it is lifted.", why="stop"
        )
    return held, moment


def _find_alike_or_room(
    agent: Agent, operation: Operation, wanted: Wanted, asked: str
) -> Proposal | None:
    """Return the same action that waits already, and note the further key it was asked under.

    Raises: QueueFull, where there is no such action and no room for another.
    """
    open_now, alike = line_of(agent, _likeness(operation, wanted.arguments))
    if alike is None:
        _check_room(agent, open_now)
        return None
    waits = Proposal.objects.get(pk=alike)
    AskedAgain.objects.create(
        proposal=waits,
        agent=agent,
        idempotency_key=wanted.idempotency_key,
        request_digest=asked,
        asked_at=Now(),
    )
    return waits


def _likeness(operation: Operation, arguments: Mapping[str, Any]) -> str:
    return digest({"operation": operation.digest, "arguments": dict(arguments)})


def _check_room(agent: Agent, waits: int) -> None:
    most = settings.PROPOSALS_PER_AGENT
    if waits >= most:
        raise QueueFull(
            f"{waits} proposals of {agent.name} are open, and at most {most} may be."
            " Wait for answers, or withdraw some.",
            open=waits,
            limit=most,
            retry_after_seconds=60,
        )


def _check_still(judged: Judged, agent: Agent, operation: Operation) -> None:
    by = judged.decision.bundle_digest
    if judged.counts != counts_of(agent) or (by and not judges_still(by)):
        raise _Outrun
    # Demoted, handed over or given another manifest meanwhile: the answer was about another agent.
    if judged.facts["agent"] != agent_facts(agent, operation):
        raise _Outrun


def _make(  # noqa: PLR0913  the parts of one row
    agent: Agent,
    operation: Operation,
    wanted: Wanted,
    judged: Judged,
    *,
    key: AgentKey,
    run_id: str,
    moment: datetime,
    asked: str,
    actor: Actor,
) -> Proposal:
    decision = judged.decision
    lives = (
        timedelta(seconds=int(str(decision.constraints.get("expires_seconds", 0)))) or _DENIED_FOR
    )
    # Nothing of the operation as it was when it was looked up counts: it is as it is now.
    operation = operation_now(operation)
    proposal = Proposal(
        public_id=new_id("prp"),
        agent=agent,
        version=agent.current_version,
        operation=operation,
        run_id=run_id,
        key_id=key.public_id,
        idempotency_key=wanted.idempotency_key,
        request_digest=asked,
        likeness=_likeness(operation, wanted.arguments),
        argument_count=len(leaves_of(wanted.arguments)),
        rule=decision.rule,
        is_asked=decision.ask,
        reason=decision.reason,
        constraints=decision.constraints,
        bundle_digest=decision.bundle_digest,
        input_digest=decision.input_digest,
        created_at=moment,
        expires_at=moment + lives,
    )
    action, _ = canonical_action(proposal, operation, wanted.arguments)
    proposal.action_digest = digest(action)
    made = say(
        proposal,
        Verb.PROPOSAL_MADE,
        _made_facts(proposal),
        kind=Entry.Kind.PROPOSAL,
        payload=canonical(action),
        actor=actor,
    )
    proposal.action_entry = made
    _settle_at_once(proposal, judged, moment)
    proposal.save(force_insert=True)
    _record_judgement(proposal, judged)
    waits = keep_gates(proposal, judged.checks, judged.verdicts, actor=_POLICY)
    if proposal.state == State.APPROVED:
        ring(CARRY_OUT, proposal.public_id)
    elif proposal.state == State.PROPOSED and not waits:
        put_to_people(proposal, actor=actor, held=agent)
    return proposal


_POLICY: Final = Actor.system("policy")


def _settle_at_once(proposal: Proposal, judged: Judged, moment: datetime) -> None:
    """Decide what needs nobody: a denial, a check that says no, a permission."""
    decision = judged.decision
    is_slow = len(judged.verdicts) < len(judged.checks)
    if not (decision.allow or decision.ask):
        proposal.state, proposal.decided_how = State.DENIED, How.POLICY
    elif judged.refusal:
        proposal.state, proposal.decided_how = State.DENIED, How.CHECK
        proposal.reason = judged.refusal
    elif decision.allow and not is_slow:
        proposal.state, proposal.decided_how = State.APPROVED, How.POLICY
        proposal.decided_digest = proposal.action_digest
        proposal.decided_entry = proposal.action_entry
    if proposal.state != State.PROPOSED:
        proposal.decided_at = moment
    if proposal.state == State.DENIED:
        proposal.ended_at = moment


def _made_facts(proposal: Proposal) -> dict[str, Any]:
    operation = proposal.operation
    return {
        "action": proposal.action_digest,
        "operation": operation.public_id,
        "connection": operation.connection.public_id,
        "adapter": operation.connection.adapter,
        "effect": operation.effect,
        "key": proposal.key_id,
        "run": proposal.run_id,
    }


def _record_judgement(proposal: Proposal, judged: Judged) -> None:
    decision = judged.decision
    answer = "allow" if decision.allow else "ask" if decision.ask else "deny"
    say(
        proposal,
        Verb.PROPOSAL_JUDGED,
        {
            "answer": answer,
            "rule": decision.rule,
            "bundle": decision.bundle_digest,
            "input": decision.input_digest,
            "action": proposal.action_digest,
            "state": proposal.state,
        },
        kind=Entry.Kind.DECISION,
        payload=canonical(judged.facts),
        actor=_POLICY,
    )
