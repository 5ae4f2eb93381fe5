"""One watch: what its calls show, what golden cases show, and the plans by which they are asked."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from fleet.drift.actions import planning
from fleet.drift.forms import PlanForm
from fleet.drift.models import ProbePlan, Watch
from fleet.drift.picture import figures_of, pictures_of
from fleet.drift.queries.plans import (
    changes_of,
    plan_for,
    planners_of,
    plans_for,
    rounds_of,
    spent_of,
    watch_for,
    watched_model,
)
from fleet.drift.queries.watches import changes_on, seen_of
from fleet.evaluations.queries.evaluations import may_evaluate
from fleet.health.schedules import next_expected
from kernel import clock
from kernel.errors import Conflict, Denied, Invalid, NotFound
from registry.actors import Actor
from registry.portal import sentence, signed_in, told
from registry.queries.agents import agent_inside_for

ROUNDS: Final = 60
SHOWN: Final = 10
_FIELDS: Final = frozenset({"agent", "cron", "zone", "cap", "cases"})
WAITS: Final = {
    "cap": "The month's cap is used up: raise it, or wait for the next month.",
    "unpriced": "The model has no price any more, so nothing can be held for it.",
    "no_cases": "No golden case is left to ask: add one to the agent.",
    "paused": "It was paused while a round was asked.",
    "gateway": "The gateway did not answer; the round goes on by itself.",
    "limit_reached": "The agent's rate limit is used up; the round goes on by itself.",
    "shutting_down": "The gateway is restarting; the round goes on by itself.",
    "not_governed": "The gateway has no policy yet; the round goes on by itself.",
    "undecided": "The gateway could not decide; the round goes on by itself.",
}


@signed_in
@require_GET
def watch(request: HttpRequest, actor: Actor, watch: str) -> HttpResponse:
    """Show one watch."""
    found = watch_for(actor, watch)
    plans = list(plans_for(actor).filter(watch=found).order_by("id"))
    shown = [_shown(plan, actor) for plan in plans]
    context = {
        "watch": found,
        "seen": seen_of([found])[0],
        "changes": changes_on(found),
        "plans": shown,
        "is_waiting": any(one["is_waiting"] for one in shown),
        "may_add": bool(planners_of(actor, found)),
    }
    return render(request, "drift/watch.html", context)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest, actor: Actor, watch: str) -> HttpResponse:
    """Have golden cases asked of a watch's model."""
    found = watch_for(actor, watch)
    form = PlanForm(planners_of(actor, found), request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            agent = agent_inside_for(actor, form.cleaned_data["agent"])
            model = watched_model(found)
            planning.add_plan(agent, model, form.draft(), actor=actor, route=found.route)
        except (Invalid, Conflict, Denied, NotFound) as error:
            _refused(form, error)
        else:
            messages.success(request, "They are asked from the next time of the schedule on.")
            return redirect("drift:watch", found.public_id)
    return _form(request, form, found)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest, actor: Actor, plan: str) -> HttpResponse:
    """Ask at other times, other cases, or for another amount."""
    found = plan_for(actor, plan)
    given = request.POST.copy() if request.method == "POST" else None
    if given is not None:
        given["agent"] = found.agent.name
    form = PlanForm([found.agent], given, initial=PlanForm.initial_of(found))
    form.fields["agent"].disabled = True
    if given is not None and form.is_valid():
        try:
            planning.change_plan(found, form.draft(), actor=actor)
        except (Invalid, Conflict, Denied) as error:
            _refused(form, error)
        else:
            messages.success(request, "It is changed.")
            return redirect("drift:watch", found.watch.public_id)
    return _form(request, form, found.watch, plan=found)


@signed_in
@require_POST
def act(request: HttpRequest, actor: Actor, plan: str, what: str) -> HttpResponse:
    """Ask now, pause, resume, end, or take what is seen as the usual."""
    found = plan_for(actor, plan)
    if what not in _ACTS:
        raise Http404
    carry_out, words = _ACTS[what]
    with told(request):
        carry_out(found, actor=actor)
        messages.success(request, words)
    return redirect("drift:watch", found.watch.public_id)


_ACTS: Final[dict[str, tuple[Any, str]]] = {
    "ask": (planning.ask_now, "A round is asked now."),
    "pause": (planning.pause_plan, "Nothing is asked until it is resumed."),
    "resume": (planning.resume_plan, "It is asked again by its schedule."),
    "end": (planning.end_plan, "It has ended. What was asked stays."),
    "accept": (planning.accept_changes, "Later rounds are compared with those from now on."),
}


def _shown(plan: ProbePlan, actor: Actor) -> dict[str, Any]:
    rounds = [figures_of(one) for one in rounds_of(plan, ROUNDS)]
    now, changes = clock.now(), changes_of([plan])
    spent = spent_of(plan, now)
    last = rounds[0].round if rounds else None
    return {
        "plan": plan,
        "may": may_evaluate(actor, plan.agent),
        "rounds": rounds[:SHOWN],
        "pictures": pictures_of(rounds, changes, plan.model.currency),
        "standing": [one for one in changes if one.over_at is None],
        "last": last,
        "probes": list(last.probes.select_related("golden").order_by("golden__name"))
        if last is not None
        else [],
        "is_waiting": plan.asked_at is not None or (last is not None and last.ended_at is None),
        "waits": WAITS.get(plan.waits, plan.waits),
        "spent": spent,
        "ratio": spent / plan.cap_micros,
        "next_at": next_expected(plan.cron, plan.zone, now),
    }


def _form(
    request: HttpRequest, form: PlanForm, found: Watch, plan: ProbePlan | None = None
) -> HttpResponse:
    context = {"form": form, "watch": found, "plan": plan}
    status = 422 if form.errors else 200
    return render(request, "drift/plan.html", context, status=status)


def _refused(form: PlanForm, error: Invalid | Conflict | Denied | NotFound) -> None:
    field = str(error.facts.get("field") or "")
    form.add_error(field if field in _FIELDS else None, sentence(error))
