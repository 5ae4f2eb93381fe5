"""Evaluations in the portal: the list, beginning one, its report, cancelling it."""

from __future__ import annotations

import json
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from fleet.evaluations.actions.asking import spent_on
from fleet.evaluations.actions.beginning import Plan, begin_evaluation, plan_evaluation
from fleet.evaluations.actions.ending import cancel_evaluation
from fleet.evaluations.forms.beginning import BeginForm
from fleet.evaluations.models import Arm, Evaluation
from fleet.evaluations.picture import lines_of
from fleet.evaluations.queries.evaluations import (
    evaluation_for,
    evaluations_for,
    may_evaluate,
)
from fleet.evaluations.queries.models import model_named
from fleet.evaluations.queries.pairs import AXES, pairs_of, progress_of
from fleet.evaluations.queries.reports import stale_because
from fleet.evaluations.report import CUT_SHORT, HELD_UP, as_csv, more_runs_of, sentence_of, told
from fleet.evaluations.sampling.drawing import REASONS
from kernel.errors import DomainError
from kernel.pages import asked, chosen, cut, found
from registry.actors import Actor
from registry.models import Agent
from registry.portal import sentence, signed_in
from registry.portal import told as tell
from registry.queries.agents import agent_for

PAIRS: Final = 50
_MOST_CSV: Final = 100_000


@signed_in
@require_GET
def evaluations(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List what one may see."""
    rows = evaluations_for(actor).prefetch_related("arms")
    state = chosen(request, "state", Evaluation.State.values)
    if state:
        rows = rows.filter(state=state)
    words = asked(request, "search")
    rows = found(rows, words, "agent__name", "agent__title", "baseline_name", "public_id")
    options = [(one.value, one.label) for one in Evaluation.State]
    context = {
        "page": cut(request, rows, ordering="-requested_at"),
        "selects": [{"name": "state", "label": "Any state", "value": state, "options": options}],
        "is_narrowed": bool(state or words),
    }
    return render(request, "evaluations/evaluations.html", context)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def begin(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Choose models, see what it would ask and cost, begin."""
    agent = agent_for(actor, name)
    is_begun = request.method == "POST"
    given = request.POST if is_begun else request.GET
    form = BeginForm(agent, given if "candidates" in given or is_begun else None)
    context: dict[str, Any] = {"agent": agent, "form": form, "may": may_evaluate(actor, agent)}
    if form.is_valid():
        try:
            if is_begun:
                made = begin_evaluation(
                    **_chosen(agent, form), cap_micros=form.cap_micros, actor=actor
                )
                return redirect("evaluations:evaluation", made.public_id)
            if context["may"]:
                plan = plan_evaluation(**_chosen(agent, form))
                context |= {"plan": plan, "excluded": _excluded(plan)}
        except DomainError as error:
            if error.status not in {409, 422}:
                raise
            context["refusal"] = sentence(error)
    return render(request, "evaluations/begin.html", context)


@signed_in
@require_GET
def evaluation(request: HttpRequest, actor: Actor, evaluation: str) -> HttpResponse:
    """Show a report: the sentence, the picture, then the worst differences."""
    made = evaluation_for(actor, evaluation)
    done, whole = progress_of(made)
    arms = list(made.arms.filter(kind=Arm.Kind.CANDIDATE).select_related("model").order_by("id"))
    axis = chosen(request, "axis", AXES)
    target = chosen(request, "candidate", [arm.target for arm in arms])
    context = {
        "evaluation": made,
        "agent": made.agent,
        "done": done,
        "whole": whole,
        "ratio": done / whole if whole else 0.0,
        "is_running": made.state == Evaluation.State.RUNNING,
        "may": may_evaluate(actor, made.agent),
        "stale": stale_because(made) if made.digest else "",
        "waits_for": HELD_UP.get(made.held_up, made.held_up),
        "cut_short": CUT_SHORT.get(made.cut_short, ""),
        "candidates": [
            {
                "arm": arm,
                "sentence": sentence_of(made, arm),
                "lines": lines_of(arm.figures),
                "more_runs": more_runs_of(arm) if arm.verdict == "inconclusive" else None,
            }
            for arm in arms
        ],
        "spent": spent_on(made),
        "again": made.arms.filter(kind=Arm.Kind.AGAIN).first(),
        "excluded": [(REASONS.get(why, why), count) for why, count in made.excluded.items()],
        "pairs": list(pairs_of(made, arm=target, axis=axis)[:PAIRS]),
        "selects": _selects(arms, axis, target),
        "is_narrowed": bool(axis or target),
    }
    return render(request, "evaluations/evaluation.html", context)


@signed_in
@require_POST
def cancel(request: HttpRequest, actor: Actor, evaluation: str) -> HttpResponse:
    """End one that runs."""
    made = evaluation_for(actor, evaluation)
    with tell(request):
        made = cancel_evaluation(made, actor=actor)
        messages.success(request, f"The evaluation is {made.state}.")
    return redirect("evaluations:evaluation", made.public_id)


@signed_in
@require_GET
def as_document(request: HttpRequest, actor: Actor, evaluation: str, form: str) -> HttpResponse:
    """Give a report as JSON, or its pairs as CSV."""
    made = evaluation_for(actor, evaluation)
    if form == "csv":
        body, kind = as_csv(list(pairs_of(made)[:_MOST_CSV])), "text/csv; charset=utf-8"
    else:
        body = json.dumps(told(made, stale_because(made)), indent=2)
        kind = "application/json"
    response = HttpResponse(body, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="{made.public_id}.{form}"'
    return response


def _chosen(agent: Agent, form: BeginForm) -> dict[str, Any]:
    given = form.cleaned_data
    return {
        "agent": agent,
        "baseline": model_named(given["baseline"]),
        "candidates": [model_named(name) for name in given["candidates"]],
        "sample": given["sample"],
        "asks_baseline": given["ask_baseline"],
    }


def _excluded(plan: Plan) -> list[tuple[str, int]]:
    return [(REASONS.get(why, why), count) for why, count in plan.sample.excluded.items()]


def _selects(arms: list[Arm], axis: str, target: str) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = [
        {
            "name": "axis",
            "label": "Any difference",
            "value": axis,
            "options": [(name, label) for name, (label, _) in AXES.items()],
        }
    ]
    if len(arms) > 1:
        options = [(arm.target, arm.target) for arm in arms]
        made.append(
            {"name": "candidate", "label": "Any candidate", "value": target, "options": options}
        )
    return made
