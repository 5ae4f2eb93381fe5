"""One pair side by side. Shown to nobody before the reading itself is on record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from fleet.evaluations.comparing.contracts import DECLARED, INFERRED, declared_in, task_of
from fleet.evaluations.models import Asking, Evaluation
from fleet.evaluations.queries.evaluations import evaluation_for
from fleet.evaluations.queries.golden import golden_case_for
from fleet.evaluations.queries.pairs import pair_of
from fleet.evaluations.queries.recorded import results_of
from kernel.errors import DomainError
from ledger.errors import EvidenceAltered, PayloadAbsent, PayloadsClosed, PayloadShredded
from ledger.payloads import read_payload
from registry.actors import Actor
from registry.portal import sentence, signed_in
from routing.comparing.differences import worded
from routing.comparing.spoken import Answer, answer_of, question_of
from routing.errors import RunNotFound
from routing.forms.reasons import ReasonForm
from routing.gateway.wires.wire import read_json
from routing.queries.calls import run_for

_REFUSALS: Final = (EvidenceAltered, PayloadAbsent, PayloadShredded, PayloadsClosed)
MOST: Final = 20_000  # characters of a text that are shown


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def pair(request: HttpRequest, actor: Actor, evaluation: str, arm: str, case: str) -> HttpResponse:
    """Show how a pair stands; with a reason, also what was said."""
    made = evaluation_for(actor, evaluation)
    asking = pair_of(made, arm, case)
    may_read = _may_read(actor, asking)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    context: dict[str, Any] = {
        "evaluation": made,
        "asking": asking,
        "outcome": asking.outcome or {},
        "form": form,
        "may_read": may_read,
        "said": None,
    }
    if request.method == "POST" and may_read and form.is_valid():
        context["said"] = _said(made, asking, actor, form.cleaned_data["reason"])
    status = 422 if form.errors else 200
    response = render(request, "evaluations/pair.html", context, status=status)
    response["Cache-Control"] = "no-store"
    return response


def _may_read(actor: Actor, asking: Asking) -> bool:
    try:
        if asking.case.golden is not None:
            golden_case_for(actor, asking.case.golden.public_id)
        else:
            run_for(actor, asking.case.run_id)
    except (RunNotFound, DomainError):
        return False
    return True


def _said(made: Evaluation, asking: Asking, actor: Actor, reason: str) -> dict[str, Any]:
    """Return what was asked and both answers, word by word; each reading is on record."""
    case = asking.case
    question = _read(case.entry_id, actor, reason)
    results = results_of([one for one in (case.entry_id, asking.entry_id) if one])
    sides = [
        _answer(results[entry].entry_id, actor, reason) if entry in results else None
        for entry in (case.entry_id if case.golden is None else "", asking.entry_id)
    ]
    one, other = (_text(side) for side in sides)
    pieces = worded(one[:MOST], other[:MOST])
    return {
        "question": [] if isinstance(question, str) else _turns(question["raw"], case.golden),
        "refused": question if isinstance(question, str) else "",
        "one": pieces[0],
        "other": pieces[1],
        "is_cut": max(len(one), len(other)) > MOST,
        "contract": {}
        if isinstance(question, str)
        else _contract(made, asking, question["raw"], actor, reason),
        "has_one": sides[0] is not None,
        "has_other": sides[1] is not None,
    }


def _contract(
    made: Evaluation, asking: Asking, request: bytes, actor: Actor, reason: str
) -> dict[str, Any]:
    """Return the form that the answer owed: as the call declares it, or as it was inferred."""
    form = (asking.outcome or {}).get("format") or {}
    if form.get("how") == DECLARED:
        return dict(declared_in(request).schema)
    if form.get("how") != INFERRED or not made.contracts_entry:
        return {}
    found = _read(made.contracts_entry, actor, reason)
    told = read_json(found["raw"]) if not isinstance(found, str) else None
    task = task_of(asking.case.route, request)
    return dict(told[task]) if isinstance(told, dict) and task in told else {}


def _turns(raw: bytes, golden: object) -> list[Mapping[str, str]]:
    if golden is not None:
        return [{"role": "golden case", "text": raw.decode("utf-8", "replace")[:MOST]}]
    return [{"role": turn.role, "text": turn.text[:MOST]} for turn in question_of(raw).turns]


def _answer(entry_id: str, actor: Actor, reason: str) -> Answer | None:
    found = _read(entry_id, actor, reason)
    return None if isinstance(found, str) else answer_of(found["raw"])


def _read(entry_id: str, actor: Actor, reason: str) -> dict[str, bytes] | str:
    try:
        return {"raw": read_payload(entry_id, actor=actor.ref, reason=reason)}
    except _REFUSALS as error:
        return sentence(error)


def _text(answer: Answer | None) -> str:
    if answer is None:
        return ""
    calls = [f"→ {call.name}({call.arguments})" for call in answer.calls]
    return "\n".join([*([answer.text] if answer.text else []), *calls])
