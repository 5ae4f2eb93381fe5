"""The pages of proposals: what agents asked to do, and one of them with its whole course."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from approvals.models import Review
from effects.actions.withdrawing import withdraw_proposal
from effects.models import Proposal
from effects.queries.proposals import (
    entries_of,
    gates_of,
    may_withdraw,
    proposal_for,
    proposals_for,
    review_of,
)
from effects.showing import show_action
from kernel.errors import NotFound
from kernel.pages import asked, chosen, cut, found
from ledger.queries import SeenEntry
from registry.actors import Actor
from registry.portal import signed_in, told
from registry.queries.directory import names_of
from routing.queries.calls import run_shown_to

_SEARCHED: Final = (
    "public_id", "agent__name", "operation__name", "operation__connection__name", "rule", "run_id",
)  # fmt: skip


@signed_in
@require_GET
def proposals(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the proposals this viewer may see, the newest first."""
    state = chosen(request, "state", Proposal.State.values)
    agent, target = asked(request, "agent"), asked(request, "operation")
    rows = proposals_for(actor)
    if state:
        rows = rows.filter(standing=state)  # type: ignore[misc]  # annotated
    if agent:
        rows = rows.filter(agent__name=agent)
    if target:
        place, _, name = target.partition(".")
        rows = rows.filter(operation__connection__name=place, operation__name=name)
    rows = found(rows, asked(request, "search"), *_SEARCHED)
    page = cut(request, rows, ordering="-created_at")
    is_narrowed = any((state, agent, target, asked(request, "search")))
    options = [(each.value, each.label) for each in Proposal.State]
    context = {
        "page": page,
        "selects": [{"name": "state", "label": "Any state", "value": state, "options": options}],
        "is_narrowed": is_narrowed,
        "here": reverse("effects:proposals"),
        "clear": reverse("effects:proposals") if is_narrowed else "",
    }
    return render(request, "effects/proposals.html", context)


@signed_in
@require_GET
def proposal(request: HttpRequest, actor: Actor, proposal: str) -> HttpResponse:
    """Show a proposal: its course, its whole action, and what is on record of it."""
    row = proposal_for(actor, proposal)
    review, entries = review_of(row), entries_of(row)
    context: dict[str, Any] = {
        "proposal": row,
        "review": review,
        "effect": getattr(row, "carried_out", None),
        "gates": gates_of(row),
        "course": _course(row, review),
        "action": show_action(row, actor=actor),
        "events": _events(entries, names_of({str(entry.actor) for entry in entries})),
        "run": _run(actor, row),
        "may_withdraw": may_withdraw(actor, row),
    }
    return render(request, "effects/proposal.html", context)


@signed_in
@require_POST
def withdraw(request: HttpRequest, actor: Actor, proposal: str) -> HttpResponse:
    """Take a proposal back."""
    row = proposal_for(actor, proposal)
    with told(request):
        withdraw_proposal(row.public_id, actor=actor)
        messages.success(request, "It is withdrawn. Nothing will be done.")
    return redirect("effects:proposal", row.public_id)


def _run(actor: Actor, proposal: Proposal) -> Any:
    try:
        return run_shown_to(actor, proposal.run_id) if proposal.run_id else None
    except NotFound:
        return None


def _course(proposal: Proposal, review: Review | None) -> list[dict[str, str]]:
    """Draw proposed → judged → asked → decided → sent → ended, as far as it came."""
    effect = getattr(proposal, "carried_out", None)
    states = Proposal.State
    is_over = proposal.ended_at is not None
    reached = {
        "Proposed": True,
        "Judged": True,
        "Asked": review is not None,
        "Decided": proposal.decided_at is not None,
        "Sent": effect is not None and effect.sent_at is not None,
        "Ended": is_over,
    }
    last = [name for name, is_reached in reached.items() if is_reached][-1]
    waits_for = {
        states.PROPOSED: "Decided", states.APPROVED: "Sent", states.CLAIMED: "Sent",
        states.SENT: "Ended", states.UNKNOWN: "Ended",
    }  # fmt: skip
    now = last if is_over else waits_for.get(states(proposal.state), last)
    skipped = [name for name in ("Asked", "Sent") if not reached[name] and is_over]
    skipped += ["Asked"] if not reached["Asked"] and reached["Decided"] else []
    return [
        {"label": name, "state": "done" if is_reached else "now" if name == now else ""}
        for name, is_reached in reached.items()
        if name not in skipped
    ]


def _named(actor: str) -> str:
    """Name a part of ours that acted by itself."""
    kind, _, ident = actor.partition(":")
    return ident.replace("-", " ").capitalize() if kind == "system" else actor


def _events(entries: list[SeenEntry], names: dict[str, str]) -> list[dict[str, Any]]:
    """Tell what is on record of a proposal, one line each."""
    told = {"answer": "policy says", "rule": "rule", "decision": "", "how": "by", "status": ""}
    return [
        {
            "title": entry.verb.replace(".", " ").replace("_", " ").capitalize(),
            "at": entry.recorded_at,
            "actor": names.get(str(entry.actor)) or _named(str(entry.actor)),
            "text": " · ".join(
                f"{word} {entry.facts[name]}".strip()
                for name, word in told.items()
                if entry.facts.get(name)
            ),
        }
        for entry in entries
    ]
