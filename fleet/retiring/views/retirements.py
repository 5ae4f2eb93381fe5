"""Agents that end: the list, the plan with what it would do, and the tombstone of each.

Everybody who is signed in may see that an agent ends, why, and what follows it. Planning,
cancelling and asking for its return are asked of the actions.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from approvals.models import Review
from approvals.queries import reviews_for
from fleet.retiring.actions.cancelling import cancel_retirement
from fleet.retiring.actions.planning import plan_retirement
from fleet.retiring.actions.restoring import is_restorable, loss_of, request_restore
from fleet.retiring.forms.plans import PlanForm
from fleet.retiring.models import Retirement
from fleet.retiring.queries.dependants import dependants_of
from fleet.retiring.queries.foreseen import foresee_each
from fleet.retiring.queries.retirements import (
    counts,
    may_plan,
    narrowed,
    retirement_for,
    retirements_for,
    standing_of,
)
from kernel.errors import Conflict, Denied, Invalid
from kernel.pages import asked, chosen, cut
from registry.actors import Actor
from registry.models import Agent, Role
from registry.portal import sentence, signed_in, told
from registry.queries import agent_for, answers_for
from registry.queries.agents import sees_inside
from registry.queries.directory import names_of


@signed_in
@require_GET
def retirements(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List every agent that ends or has ended."""
    state = chosen(request, "state", Retirement.State.values)
    words = asked(request, "search")
    rows = narrowed(retirements_for(actor), words, state)
    number = counts()
    options = [(each.value, f"{each.label} ({number[each.value]})") for each in Retirement.State]
    context = {
        "page": cut(request, rows, ordering="-planned_at"),
        "selects": [{"name": "state", "label": "Any state", "value": state, "options": options}],
        "is_narrowed": bool(state or words),
        "number": number,
    }
    return render(request, "retiring/retirements.html", context)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def plan(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Say what the end of an agent would do, and plan it."""
    agent = agent_for(actor, request.GET.get("agent", ""))
    if not may_plan(actor, agent):
        raise Denied("Only the owner or the platform role plans the end of an agent.")
    standing = standing_of(agent)
    if standing is not None and standing.state != Retirement.State.ANNOUNCED:
        return redirect("retiring:retirement", standing.public_id)
    form = PlanForm(request.POST or None, initial=_before(standing))
    if request.method == "POST" and "begin" in request.POST and form.is_valid():
        try:
            made = plan_retirement(
                agent.name, form.plan(), actor=actor, reason=form.cleaned_data["reason"]
            )
        except (Invalid, Conflict, Denied) as error:
            form.add_error(None, sentence(error))
        else:
            messages.success(request, f"The end of {agent.title} is announced.")
            return redirect("retiring:retirement", made.public_id)
    context = {"agent": agent, "form": form, "standing": standing, **_seen(agent)}
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "retiring/plan.html", context, status=status)


@signed_in
@require_GET
def retirement(request: HttpRequest, actor: Actor, public_id: str) -> HttpResponse:
    """Show a plan with its steps; once it is carried out, the tombstone."""
    row = retirement_for(actor, public_id)
    agent = row.agent
    names = names_of({row.planned_by, row.closed_by} - {""})
    rights, is_inside = may_plan(actor, agent), sees_inside(actor, agent)
    context = {
        "row": row,
        "agent": agent,
        "steps": row.steps.order_by("place"),
        "paths": (row.proof.get("paths") or []) if is_inside else [],
        "report": row.proof,
        "planned_by": names.get(row.planned_by, row.planned_by),
        "closed_by": names.get(row.closed_by, row.closed_by),
        "may_plan": rights and row.state == Retirement.State.ANNOUNCED,
        "may_restore": is_restorable(row)
        and (answers_for(actor, agent) or actor.has(Role.SECURITY)),
        "loss": loss_of(row),
        "review": _review(actor, row),
        "figures": _figures(row) if is_inside else [],
    }
    return render(request, "retiring/retirement.html", context)


@signed_in
@require_POST
def cancel(request: HttpRequest, actor: Actor, public_id: str) -> HttpResponse:
    """Let the agent stay."""
    with told(request):
        row = cancel_retirement(public_id, actor=actor, reason=request.POST.get("reason", ""))
        messages.success(request, f"{row.agent.title} stays.")
    return redirect("retiring:retirement", public_id)


@signed_in
@require_POST
def restore(request: HttpRequest, actor: Actor, public_id: str) -> HttpResponse:
    """Ask for the agent to come back."""
    with told(request):
        request_restore(
            public_id,
            actor=actor,
            reason=request.POST.get("reason", ""),
            knows_loss=request.POST.get("typed", "") == "lost",
        )
        messages.info(request, "Another person of security or platform is asked.")
    return redirect("retiring:retirement", public_id)


def _before(standing: Retirement | None) -> dict[str, Any]:
    if standing is None:
        return {}
    return {
        "on": standing.drains_at.date() if standing.drains_at else None,
        "drain_minutes": standing.drain_minutes,
        "successor": standing.successor.name if standing.successor else "",
        "data": standing.data,
        "shred_after_days": standing.shred_after_days,
        "reason": standing.reason,
    }


def _seen(agent: Agent) -> dict[str, Any]:
    found = dependants_of([agent]).get(agent.public_id, [])
    return {"dependants": found, "touches": foresee_each([agent])[0]}


def _figures(row: Retirement) -> list[tuple[str, Any, str]]:
    said = row.figures
    if not said:
        return []
    return [
        ("Calls", said.get("calls", 0), "count"),
        ("Runs", said.get("runs", 0), "count"),
        ("Effects", said.get("effects", 0), "count"),
        ("Cost", said.get("cost_micros", 0), "money"),
        ("Versions", said.get("versions", 0), "count"),
    ]


def _review(actor: Actor, row: Retirement) -> Review | None:
    rows = reviews_for(actor).filter(kind=Review.Kind.RESTORE, subject=str(row.agent.ref))
    return rows.filter(created_at__gte=row.planned_at).order_by("-id").first()
