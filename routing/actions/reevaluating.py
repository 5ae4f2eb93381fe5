"""Asking a recorded run's calls once more of another target, in a run of its own.

Owns what is asked: each recorded prompt as it stands, with the conversation and the results of
tools as they were then (teacher-forced), one call a step. Calls go through the gateway's
internal way, governed and recorded like the agent's own; nobody carries out what comes back.
A re-evaluation that was broken off goes on where the record ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

import structlog
from django.db import connection, transaction
from django.db.models import F

from kernel import clock
from kernel.errors import DomainError, Unavailable
from kernel.refs import Ref, new_id
from ledger.entries import Fact
from ledger.queries import entries_of_stream, seen
from ledger.reading import tags_of
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor, RoleMissing
from registry.models import Agent, Role
from routing.actions.replaying import recorded_run
from routing.actions.trials import Trial, make_trial
from routing.errors import NothingToReevaluate
from routing.gateway.replaying.recorded import RecordedEntry
from routing.gateway.runs import run_named
from routing.models import Reevaluation, Run
from routing.queries.calls import run_for
from routing.queries.reevaluations import ASKABLE, Aim, aim_for, askable_calls, estimate_of

logger = structlog.get_logger("unsprawl.reevaluation")

AT_ONCE: Final = 4
_AT_A_SWEEP: Final = 5

Tell = Callable[[Reevaluation], None]


def reevaluate(run: str, target: str, *, actor: Actor) -> Reevaluation:
    """Begin to ask a run's calls of another target; `carry_out` makes them.

    Who answers for the agent, platform and security may: it spends the agent's budgets.
    Records: run.reevaluated. Raises: RunNotFound, TargetNotFound, RoleMissing,
    NothingToReevaluate.
    """
    found, aim = run_for(actor, run), aim_for(target)
    _require_say(actor, found)
    steps = askable_calls(found.run_id).values("call_id", "intent_id")
    count = len({row["call_id"] or row["intent_id"] for row in steps})
    if not count:
        raise NothingToReevaluate("Nothing of this run has come back from a model.")
    return _begin(found, aim, count, actor)


@transaction.atomic
def _begin(run: Run, aim: Aim, steps: int, actor: Actor) -> Reevaluation:
    public_id = new_id("ree")
    label = f"{public_id} of {run.run_id}"  # its label may name a person, and be erased
    named = run_named(run.agent_id, label)
    now = clock.now()
    Run.objects.create(
        run_id=named.run_id, agent_id=run.agent_id, label=named.label, started_at=now
    )
    made = Reevaluation.objects.create(
        public_id=public_id,
        run_id=run.run_id,
        new_run_id=named.run_id,
        agent_id=run.agent_id,
        target=aim.name,
        steps=steps,
        estimate_micros=estimate_of(run.run_id, aim.model),
        requested_by=str(actor.ref),
        requested_at=now,
    )
    facts: dict[str, Fact] = {
        "reevaluation": public_id,
        "target": aim.name,
        "new_run": named.run_id,
        "steps": steps,
        "estimate_micros": made.estimate_micros,
        "effects": "blocked",
    }
    record(
        Verb.RUN_REEVALUATED, Ref("run", run.run_id), actor=actor.ref, facts=facts,
        agent_id=run.agent_id,
    )  # fmt: skip
    return made


@transaction.atomic
def cancel_reevaluation(reevaluation: Reevaluation, *, actor: Actor) -> Reevaluation:
    """End one that runs: no further call is made. One that is over stays as it is.

    Records: run.reevaluation_cancelled. Raises: RoleMissing, RunNotFound.
    """
    _require_say(actor, run_for(actor, reevaluation.run_id))
    ended = Reevaluation.objects.filter(pk=reevaluation.pk, state=Reevaluation.State.RUNNING)
    if ended.update(state=Reevaluation.State.CANCELLED, ended_at=clock.now()):
        record(
            Verb.REEVALUATION_CANCELLED,
            Ref("run", reevaluation.run_id),
            actor=actor.ref,
            facts={"reevaluation": reevaluation.public_id, "target": reevaluation.target},
            agent_id=reevaluation.agent_id,
        )
    reevaluation.refresh_from_db()
    return reevaluation


def carry_out(
    reevaluation: Reevaluation, *, actor: Actor, tell: Tell = lambda made: None
) -> Reevaluation:
    """Make the calls that are not on record yet, a few at once, until done or cancelled.

    Where somebody else carries it out already, it is left to them. What time does not mend
    (nothing can be read any more, the target is gone) ends it as failed.
    Records: payload.read, run.reevaluation_failed; the gateway records each call. Raises:
    GatewayUnreachable, and what `recorded_run` raises.
    """
    with _claim(reevaluation) as is_ours:
        if not is_ours:
            return reevaluation
        try:
            return _carried_out(reevaluation, actor, tell)
        except Unavailable:
            raise  # what is away comes back; the next sweep goes on where this one ended
        except DomainError as error:
            _fail(reevaluation, error.code, actor)
            raise


@transaction.atomic
def _fail(reevaluation: Reevaluation, code: str, actor: Actor) -> None:
    running = Reevaluation.objects.filter(pk=reevaluation.pk, state=Reevaluation.State.RUNNING)
    if running.update(state=Reevaluation.State.FAILED, ended_at=clock.now()):
        record(
            Verb.REEVALUATION_FAILED,
            Ref("run", reevaluation.run_id),
            actor=actor.ref,
            facts={
                "reevaluation": reevaluation.public_id,
                "target": reevaluation.target,
                "code": code,
            },
            agent_id=reevaluation.agent_id,
        )
    reevaluation.refresh_from_db()


def _carried_out(reevaluation: Reevaluation, actor: Actor, tell: Tell) -> Reevaluation:
    reason = f"to ask it of {reevaluation.target} ({reevaluation.public_id})"
    run = recorded_run(reevaluation.run_id, actor=actor, reason=reason)
    told = aim_for(reevaluation.target).told
    asked = [*_askable(run.entries)]
    if not asked:
        raise NothingToReevaluate("Nothing that was asked in this run can be read any more.")
    answered = _answered(reevaluation.new_run_id)
    tags = tags_of([(one.entry_id, one.recorded_at) for one in asked])
    trials = [
        _trial(reevaluation, told, one, tags[one.entry_id])
        for one in asked
        if one.entry_id not in answered
    ]
    Reevaluation.objects.filter(pk=reevaluation.pk).update(
        steps=len(asked), done=len(asked) - len(trials)
    )
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="trial") as threads:
        for start in range(0, len(trials), AT_ONCE):
            reevaluation.refresh_from_db()
            if reevaluation.state != Reevaluation.State.RUNNING:
                return reevaluation
            answers = list(threads.map(make_trial, trials[start : start + AT_ONCE]))
            failed = sum(one.get("status") != "ok" for one in answers)
            Reevaluation.objects.filter(pk=reevaluation.pk).update(
                done=F("done") + len(answers), failed=F("failed") + failed
            )
            reevaluation.refresh_from_db()
            tell(reevaluation)
    running = Reevaluation.objects.filter(pk=reevaluation.pk, state=Reevaluation.State.RUNNING)
    running.update(state=Reevaluation.State.DONE, ended_at=clock.now())
    reevaluation.refresh_from_db()
    return reevaluation


def carry_out_waiting(*, actor: Actor) -> int:
    """Carry out what waits, one after the other; return how many were looked at."""
    waiting = Reevaluation.objects.filter(state=Reevaluation.State.RUNNING).order_by("id")
    found = list(waiting[:_AT_A_SWEEP])
    for one in found:
        try:
            carry_out(one, actor=actor)
        except DomainError as error:
            logger.warning("reevaluation.held_up", reevaluation=one.public_id, code=error.code)
    return len(found)


@contextmanager
def _claim(reevaluation: Reevaluation) -> Iterator[bool]:
    """Carry one out alone: a session's lock, which goes with the session if that dies."""
    place = ["unsprawl.reevaluation", reevaluation.public_id]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtext(%s), hashtext(%s))", place)
        row = cursor.fetchone()
    if not (row and row[0]):
        yield False
        return
    try:
        yield True
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(hashtext(%s), hashtext(%s))", place)


def _askable(entries: tuple[RecordedEntry, ...]) -> Iterator[RecordedEntry]:
    """Yield the last attempt of each call whose body is here and can be asked again."""
    last: dict[str, RecordedEntry] = {}
    for one in entries:
        if one.kind == "intent" and not one.facts.get("shadow"):
            last[one.text("call") or one.entry_id] = one
    for one in last.values():
        if one.payload is not None and one.text("operation") in ASKABLE:
            yield one


def _answered(run_id: str) -> set[str]:
    """Return which calls were asked again already, by the record of the new run."""
    rows = entries_of_stream(run_id).filter(kind="intent")
    return {str(seen(row).facts.get("of")) for row in rows}


def _trial(
    reevaluation: Reevaluation, told: dict[str, str], intent: RecordedEntry, tag: str
) -> Trial:
    assert intent.payload is not None  # noqa: S101  callers have looked
    run = Run.objects.get(run_id=reevaluation.new_run_id)
    return Trial(
        run_id=run.run_id,
        label=run.label,
        agent_id=reevaluation.agent_id,
        route=intent.text("route"),
        target=told,
        operation=intent.text("operation"),
        body=intent.payload,
        of=intent.entry_id,
        tag=tag,
        named=reevaluation.public_id,
    )


def _require_say(actor: Actor, run: Run) -> None:
    """Raises: RoleMissing for whoever neither answers for the agent nor governs."""
    if not may_reevaluate(actor, run):
        raise RoleMissing(
            "Its owner, its backup owner, platform and security may re-evaluate an agent's run:"
            " the calls count against its budgets."
        )


def may_reevaluate(actor: Actor, run: Run) -> bool:
    """Tell whether somebody may spend an agent's budgets on asking again."""
    if actor.has(Role.PLATFORM, Role.SECURITY):
        return True
    agent = Agent.objects.filter(public_id=run.agent_id).first()
    if agent is None:
        return False
    return actor.is_person(agent.owner) or actor.is_person(agent.backup_owner)
