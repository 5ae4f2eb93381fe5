"""Asking: the worker makes the calls that wait, a few at once, and goes on where it was broken off.

Owns the queue of askings and the one golden call that others may have made. Calls go through
the gateway's internal way, governed and recorded like the agent's own; nobody carries out
what comes back.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import QuerySet, Sum

from fleet.evaluations.actions.judging import Bodies
from fleet.evaluations.actions.reading import Reading, tags_for
from fleet.evaluations.actions.sealing import record_reading
from fleet.evaluations.expecting.content import GoldenContent, read_content
from fleet.evaluations.expecting.expectations import fault_of_answer
from fleet.evaluations.models import Arm, Asking, Case, Evaluation, GoldenCase
from fleet.evaluations.queries.recorded import results_of
from fleet.evaluations.sampling.estimating import AT_ONCE
from kernel import clock
from kernel.errors import DomainError
from ledger.payloads import open_recorded
from ledger.queries import entries_of_stream, seen
from ledger.reading import Said
from registry.actors import Actor
from routing.actions.trials import Trial, make_trial
from routing.comparing.spoken import Answer, answer_of
from routing.gateway.runs import run_named
from routing.gateway.wires.wire import read_json
from routing.models import Call, Model, Run

BATCH: Final = 24  # askings whose questions are in memory at once
State = Asking.State
# What ends the asking: no later call would fare better.
_SPENT: Final = frozenset({"budget_spent", "budget_unpriced"})
# What passes: the same call is asked again by the next sweep.
_PASSES: Final = frozenset({"limit_reached", "shutting_down", "not_governed", "undecided"})
# What a person mends, of a candidate: without it nothing would be learnt of it. Today's model
# need not be there to be compared with.
MENDED: Final = frozenset({"vendor_not_ready"})
_OPERATIONS: Final = {Arm.Kind.EMBEDDING.value: "embeddings"}
ASKED_KINDS: Final = (Arm.Kind.AGAIN, Arm.Kind.CANDIDATE)


class HeldUp(Exception):
    """Raised when calls wait for something that passes; names its code."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of one golden call."""

    status: str  # ok, error, refused
    error: str
    entry_id: str
    holds: bool | None  # None: only a judge could tell, or nothing came back
    fault: str
    reported_model: str
    duration_ms: int | None
    cost_micros: int | None
    input_tokens: int
    output_tokens: int
    is_substituted: bool = False
    fingerprint: str = ""  # the vendor's name of the set-up that answered (OpenAI's own field)
    answer: Answer = field(default_factory=Answer, repr=False)


def ask_golden(
    golden: GoldenCase, target: Model | str, *, actor: Actor, label: str = "golden probes"
) -> Answered:
    """Ask a golden case of a model, or of a route by its name, and say whether it holds.

    The call goes into the agent's run of that label. Records: payload.read; the gateway
    records the call. Raises: GatewayUnreachable, GoldenInvalid, and what a reading raises.
    """
    content = open_golden(golden, actor=actor, reason=f"to ask it again ({label})")
    return ask_opened(golden, content, target, label=label)


def open_golden(golden: GoldenCase, *, actor: Actor, reason: str) -> GoldenContent:
    """Return what a case asks and expects, to automation.

    Records: payload.read. Raises: GoldenInvalid, and what a reading raises.
    """
    record_golden_reading(golden, actor=actor, reason=reason)
    return read_content(open_recorded(golden.entry_id))


def ask_opened(
    golden: GoldenCase, content: GoldenContent, target: Model | str, *, label: str
) -> Answered:
    """Ask a case that was opened. Raises: GatewayUnreachable."""
    agent = golden.agent
    named = run_named(agent.public_id, label)
    Run.objects.get_or_create(
        run_id=named.run_id,
        defaults={"agent_id": agent.public_id, "label": named.label, "started_at": clock.now()},
    )
    told = make_trial(
        Trial(
            run_id=named.run_id,
            label=named.label,
            agent_id=agent.public_id,
            route=golden.route,
            target={"route": target} if isinstance(target, str) else aim_of(target),
            operation=golden.operation,
            body=content.body(golden.route),
            of=golden.entry_id,
            tag=golden.tag,
            named=golden.public_id,
        )
    )
    entry_id = str(told.get("entry") or "")
    raw = _answer_to(entry_id)
    answer = answer_of(raw) if raw is not None else Answer()
    status = str(told.get("status") or "refused")
    is_ok = status == "ok" and raw is not None
    fault = fault_of_answer(content.expects, content.expected, answer) if is_ok else None
    call = Call.objects.filter(intent_id=entry_id).first()
    return Answered(
        status=status,
        error=str(told.get("error") or ""),
        entry_id=entry_id,
        holds=None if fault is None else not fault,
        fault=fault or "",
        reported_model=call.reported_model if call is not None else "",
        duration_ms=call.duration_ms if call is not None else None,
        cost_micros=call.cost_micros if call is not None else None,
        input_tokens=call.input_tokens if call is not None else 0,
        output_tokens=call.output_tokens if call is not None else 0,
        is_substituted=call is not None and call.is_substituted,
        fingerprint=_fingerprint(raw) if is_ok and raw is not None else "",
        answer=answer,
    )


def record_golden_reading(golden: GoldenCase, *, actor: Actor, reason: str) -> None:
    """Say that automation opens a golden case. Records: payload.read."""
    with transaction.atomic():
        record_reading(golden.ref, actor=actor.ref, agent=golden.agent, reason=reason, payloads=1)


def aim_of(model: Model) -> dict[str, str]:
    """Return how the gateway is told of a model."""
    return {"vendor": model.vendor.public_id, "model": model.name}


def ask_waiting(
    evaluation: Evaluation, kinds: Sequence[str], *, actor: Actor, until: float
) -> bool:
    """Ask what waits of some kinds of arms; return whether nothing waits any more.

    Records: payload.read; the gateway records each call. Raises: GatewayUnreachable, HeldUp,
    and what a reading raises.
    """
    under_way = _take_from_record(evaluation, kinds)
    waiting = _waiting(evaluation, kinds).exclude(pk__in=under_way)
    reading = Reading(evaluation, actor, "to ask other models the same")
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="evaluation") as threads:
        while batch := list(waiting.all()[:BATCH]):
            if _ask_batch(evaluation, batch, reading, threads, until):
                return False
            if time.monotonic() >= until:
                return not _waiting(evaluation, kinds).exists()
    if under_way:
        raise HeldUp("under_way")
    return True


def _ask_batch(
    evaluation: Evaluation,
    batch: list[Asking],
    reading: Reading,
    threads: ThreadPoolExecutor,
    until: float,
) -> bool:
    """Ask a batch; return whether it was left before its end."""
    trials = _trials(evaluation, batch, reading)
    for start in range(0, len(trials), AT_ONCE):
        evaluation.refresh_from_db(fields=["state", "cut_short"])
        if evaluation.state != Evaluation.State.RUNNING or time.monotonic() >= until:
            return True
        if _is_over_cap(evaluation):
            cut_short(evaluation, "cap")
            return True
        some = trials[start : start + AT_ONCE]
        answers = list(threads.map(make_trial, [trial for _, trial in some]))
        for (asking, _), told in zip(some, answers, strict=True):
            _note(asking, told)
        codes = {str(told.get("error") or "") for told in answers if told["status"] == "refused"}
        if codes & _SPENT:
            cut_short(evaluation, "budget")
            return True
        waits = {
            str(told["error"])
            for (asking, _), told in zip(some, answers, strict=True)
            if _is_to_wait(asking, told)
        }
        if waits:
            raise HeldUp(min(waits))
    return False


def cut_short(evaluation: Evaluation, why: str) -> None:
    """Ask nothing more of an evaluation; what was answered is compared."""
    Evaluation.objects.filter(pk=evaluation.pk, cut_short="").update(cut_short=why)
    waiting = Asking.objects.filter(arm__evaluation=evaluation, state=State.WAITING)
    waiting.update(state=State.REFUSED, error="not_asked", asked_at=clock.now())
    evaluation.refresh_from_db(fields=["cut_short"])


@contextmanager
def claimed(evaluation: Evaluation) -> Iterator[bool]:
    """Carry one out alone: a session's lock, which goes with the session if that dies."""
    place = ["unsprawl.evaluation", evaluation.public_id]
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


def _waiting(evaluation: Evaluation, kinds: Sequence[str]) -> QuerySet[Asking]:
    # Case by case, so that what was answered before a cap can be compared.
    return (
        Asking.objects.filter(arm__evaluation=evaluation, arm__kind__in=kinds, state=State.WAITING)
        .select_related("arm__model__vendor", "case__golden")
        .order_by("case_id", "arm_id")
    )


def _trials(
    evaluation: Evaluation, batch: list[Asking], reading: Reading
) -> list[tuple[Asking, Trial]]:
    tags = tags_for([asking.case for asking in batch])
    made: list[tuple[Asking, Trial]] = []
    for asking, body, why in _bodies(batch, reading):
        if body is None:
            _is_gone(asking, why)
            continue
        arm, case = asking.arm, asking.case
        is_own = arm.kind in ASKED_KINDS
        trial = Trial(
            run_id=arm.run_id,
            label=arm.label,
            agent_id=evaluation.agent.public_id,
            route=case.route,
            target={"route": arm.target} if arm.model is None else aim_of(arm.model),
            operation=case.operation if is_own else _OPERATIONS.get(arm.kind, "chat"),
            body=body,
            of=case.entry_id,
            tag=tags.get(case.entry_id, ""),
            named=evaluation.public_id,
        )
        made.append((asking, trial))
    return made


def _bodies(batch: list[Asking], reading: Reading) -> Iterator[tuple[Asking, bytes | None, str]]:
    """Yield what each asking of a batch says to its target; why not, where there is nothing."""
    own = [asking for asking in batch if asking.arm.kind in ASKED_KINDS]
    said = reading.of([asking.case.entry_id for asking in own])
    for asking in own:
        yield asking, *body_of(asking.case, said)
    judging = [asking for asking in batch if asking.arm.kind not in ASKED_KINDS]
    if judging:
        bodies = Bodies.of(judging, reading)
        for asking in judging:
            yield asking, bodies.body(asking), ""


def body_of(case: Case, said: Mapping[str, Said]) -> tuple[bytes | None, str]:
    """Return the request of a case; where it cannot be read, why."""
    found = said.get(case.entry_id)
    if found is None or found.payload is None:
        return None, found.unread if found is not None and found.unread else "it is not there"
    if case.golden is None:
        return found.payload, ""
    try:
        return read_content(found.payload).body(case.route), ""
    except DomainError as error:
        return None, error.code


def _is_to_wait(asking: Asking, told: Mapping[str, Any]) -> bool:
    error = str(told.get("error") or "")
    is_mended = error in MENDED and asking.arm.kind == Arm.Kind.CANDIDATE
    return told.get("status") == "refused" and (error in _PASSES or is_mended)


def _note(asking: Asking, told: Mapping[str, Any]) -> None:
    status, error = str(told.get("status") or "refused"), str(told.get("error") or "")
    if _is_to_wait(asking, told):
        return  # for the next sweep
    state = {"ok": State.ANSWERED, "refused": State.REFUSED}.get(status, State.FAILED)
    Asking.objects.filter(pk=asking.pk, state=State.WAITING).update(
        state=state,
        entry_id=str(told.get("entry") or ""),
        error=(error or ("" if status == "ok" else status))[:80],
        asked_at=clock.now(),
    )


def _is_gone(asking: Asking, why: str) -> None:
    if why:
        Case.objects.filter(pk=asking.case_id).update(unread=why[:200])
    Asking.objects.filter(pk=asking.pk).update(state=State.GONE, asked_at=clock.now())


def _take_from_record(evaluation: Evaluation, kinds: Sequence[str]) -> set[int]:
    """Take what a killed worker had asked, and could not note, from the record.

    Returned are those that have left and not come back: they are not asked twice. Either the
    gateway still waits for them, or the reaper of lost calls will say that they are lost.
    """
    under_way: set[int] = set()
    for arm in evaluation.arms.filter(kind__in=kinds, askings__state=State.WAITING).distinct():
        rows = entries_of_stream(arm.run_id).filter(kind="intent")
        asked = {str(told.facts.get("of")): told.entry_id for told in map(seen, rows)}
        if not asked:
            continue
        results = results_of(list(asked.values()))
        waiting = arm.askings.filter(state=State.WAITING, case__entry_id__in=list(asked))
        for asking in waiting.select_related("case", "arm"):
            entry_id = asked[asking.case.entry_id]
            result = results.get(entry_id)
            if result is None:
                under_way.add(asking.pk)
                continue
            status = str(result.facts.get("status") or "")
            _note(asking, {"status": status, "entry": entry_id,
                           "error": result.facts.get("error")})  # fmt: skip
    return under_way


def _is_over_cap(evaluation: Evaluation) -> bool:
    if evaluation.cap_micros is None:
        return False
    return spent_on(evaluation) >= evaluation.cap_micros


def spent_on(evaluation: Evaluation) -> int:
    """Return what an evaluation's calls have cost so far."""
    runs = Arm.objects.filter(evaluation=evaluation).values("run_id")
    found = Call.objects.filter(run_id__in=runs).aggregate(sum=Sum("cost_micros"))
    return int(found["sum"] or 0)


def _fingerprint(raw: bytes) -> str:
    document = read_json(raw)
    found = document.get("system_fingerprint") if isinstance(document, dict) else None
    return found[:80] if isinstance(found, str) and found.isprintable() else ""


def _answer_to(entry_id: str) -> bytes | None:
    result = results_of([entry_id]).get(entry_id) if entry_id else None
    if result is None or result.payload is None:
        return None
    return open_recorded(result.entry_id)
