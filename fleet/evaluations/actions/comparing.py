"""Comparing what came back: contracts first, then pair by pair, then each candidate's verdict.

Owns the two passes over what was said. What stays behind are flags and figures in rows; the
contracts that were inferred are sealed in one entry.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import transaction

from fleet.evaluations.actions.reading import Reading
from fleet.evaluations.actions.sealing import record_sealed
from fleet.evaluations.comparing.contracts import (
    NONE,
    Contract,
    Inferring,
    declared_in,
    task_of,
    tools_in,
)
from fleet.evaluations.comparing.pairs import Asked, Side, badness_of, compare_sides, side_of
from fleet.evaluations.errors import GoldenInvalid
from fleet.evaluations.expecting.content import GoldenContent, read_content
from fleet.evaluations.expecting.expectations import fault_of_answer
from fleet.evaluations.models import Arm, Asking, Case, Evaluation
from ledger.verbs import Verb
from registry.actors import Actor
from routing.comparing.spoken import answer_of
from routing.models import Call

BATCH: Final = 20
COMPARED: Final = (Arm.Kind.AGAIN, Arm.Kind.CANDIDATE)


@dataclass(frozen=True, slots=True)
class _Material:
    """What some cases asked, and what came back from everybody."""

    requests: Mapping[str, bytes] = field(repr=False)
    golden: Mapping[str, GoldenContent] = field(repr=False)
    recorded: Mapping[str, bytes] = field(repr=False)  # the baseline's answers, by case's entry
    answers: Mapping[str, bytes] = field(repr=False)  # by the asking's entry
    calls: Mapping[str, Call] = field(repr=False)


def compare_answers(evaluation: Evaluation, *, actor: Actor) -> None:
    """Compare every pair and write down how it stands.

    Done again, it comes out the same. Records: payload.read, evaluation.compared. Raises:
    what a reading raises.
    """
    reading = Reading(evaluation, actor, "to compare the answers")
    contracts = _infer(evaluation, reading)
    _seal_contracts(evaluation, contracts, actor)
    for cases in _batches(evaluation):
        _compare_batch(evaluation, cases, contracts, reading)


def _infer(evaluation: Evaluation, reading: Reading) -> Inferring:
    """Infer contracts from the baseline's recorded answers."""
    inferring = Inferring()
    recorded = Case.objects.filter(
        evaluation=evaluation, kind=Case.Kind.RECORDED, status=Call.Status.OK
    )
    for cases in _some(list(recorded.order_by("id"))):
        named = [case.entry_id for case in cases]
        requests, answers = reading.of(named), reading.answers_to(named)
        for case in cases:
            request = requests[case.entry_id].payload if case.entry_id in requests else None
            if request is None or case.entry_id not in answers:
                continue
            if declared_in(request).how == NONE:
                inferring.take(task_of(case.route, request), answer_of(answers[case.entry_id]))
    return inferring


@transaction.atomic
def _seal_contracts(evaluation: Evaluation, contracts: Inferring, actor: Actor) -> None:
    told = contracts.told()
    if not told or evaluation.contracts_entry:
        return
    evaluation.contracts_entry = record_sealed(
        Verb.EVALUATION_COMPARED,
        evaluation.ref,
        actor=actor.ref,
        agent=evaluation.agent,
        payload=json.dumps(told, ensure_ascii=False, sort_keys=True).encode(),
        facts={"evaluation": evaluation.public_id, "contracts": len(told)},
    )
    evaluation.save(update_fields=["contracts_entry"])


def _compare_batch(
    evaluation: Evaluation, cases: Sequence[Case], contracts: Inferring, reading: Reading
) -> None:
    askings = list(
        Asking.objects.filter(case__in=cases, arm__kind__in=COMPARED).order_by("case_id", "arm_id")
    )
    by_case: dict[int, list[Asking]] = {}
    for asking in askings:
        by_case.setdefault(asking.case_id, []).append(asking)
    material = _material(cases, askings, reading)
    for case in cases:
        asked, base = _asked(case, material, contracts)
        for asking in by_case.get(case.pk, []):
            if asking.state != Asking.State.GONE:
                _put_down(case, asking, asked, base, material)
    Asking.objects.bulk_update(askings, ["outcome", "badness"])


def _material(cases: Sequence[Case], askings: Sequence[Asking], reading: Reading) -> _Material:
    said = reading.of([case.entry_id for case in cases])
    requests: dict[str, bytes] = {}
    golden: dict[str, GoldenContent] = {}
    for case in cases:
        payload = said[case.entry_id].payload if case.entry_id in said else None
        if payload is None:
            continue
        if case.golden is None:
            requests[case.entry_id] = payload
            continue
        try:
            content = read_content(payload)
        except GoldenInvalid:
            continue
        golden[case.entry_id] = content
        requests[case.entry_id] = content.body(case.route)
    named = [asking.entry_id for asking in askings if asking.entry_id]
    recorded = [case.entry_id for case in cases if case.golden is None]
    calls = Call.objects.filter(intent_id__in=named)
    return _Material(
        requests,
        golden,
        reading.answers_to(recorded),
        reading.answers_to(named),
        {call.intent_id: call for call in calls},
    )


def _asked(case: Case, material: _Material, contracts: Inferring) -> tuple[Asked, Side]:
    request = material.requests.get(case.entry_id, b"")
    contract = declared_in(request) if request else Contract()
    if contract.how == NONE and case.golden is None and request:
        contract = contracts.contract(task_of(case.route, request))
    base = side_of(material.recorded.get(case.entry_id), is_ok=case.status == Call.Status.OK)
    return Asked(contract, tools_in(request) if request else {}), base


def _put_down(case: Case, asking: Asking, asked: Asked, base: Side, material: _Material) -> None:
    """Write down how one answer stands beside the baseline's."""
    other = side_of(
        material.answers.get(asking.entry_id), is_ok=asking.state == Asking.State.ANSWERED
    )
    outcome = compare_sides(asked, base, other)
    call = material.calls.get(asking.entry_id)
    if call is not None:
        outcome |= {
            "cost_micros": call.cost_micros,
            "duration_ms": call.duration_ms,
            "tokens": [call.input_tokens, call.output_tokens],
        }
    if case.golden is None:
        outcome |= {
            "base_cost_micros": case.cost_micros,
            "base_duration_ms": case.duration_ms,
            "base_tokens": [case.input_tokens, case.output_tokens],
        }
    else:
        outcome["golden"] = _golden(case, material, other)
    asking.outcome, asking.badness = outcome, badness_of(outcome)


def _golden(case: Case, material: _Material, other: Side) -> dict[str, Any]:
    content = material.golden.get(case.entry_id)
    if content is None or not other.is_answered:
        return {"ok": False, "fault": "not answered", "expects": content and content.expects}
    fault = fault_of_answer(content.expects, content.expected, other.answer)
    holds = None if fault is None else not fault
    return {"ok": holds, "fault": fault or "", "expects": content.expects}


def _batches(evaluation: Evaluation) -> Iterator[list[Case]]:
    rows = Case.objects.filter(evaluation=evaluation).select_related("golden").order_by("id")
    yield from _some(list(rows))


def _some(rows: list[Case]) -> Iterator[list[Case]]:
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]
