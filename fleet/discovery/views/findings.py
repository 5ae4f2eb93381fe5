"""The pages of findings: what was found, why we think so, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from fleet.discovery.actions import deciding
from fleet.discovery.forms.findings import AssignForm, ClaimForm, MergeForm
from fleet.discovery.models import Evidence, Finding
from fleet.discovery.queries.figures import figures_for
from fleet.discovery.queries.findings import (
    DECIDING,
    SEEING,
    evidence_of,
    finding_for,
    findings_for,
    may_decide,
    places_of,
)
from fleet.discovery.queries.lists import RISKS, SOURCES, filtered
from fleet.discovery.queries.told import facts_of
from fleet.discovery.signs import FORMATS
from kernel.errors import Conflict, Denied, Invalid, NotFound
from kernel.pages import asked, chosen, cut, found, wanted_order
from registry.actors import Actor
from registry.portal import sentence, signed_in, told
from registry.queries import agent_for, person_for
from registry.queries.references import data_classes

_STATES: Final = {
    "open": "Open", "new": "New", "assigned": "Assigned", "claimed": "Claimed",
    "merged": "Merged", "blocked": "Blocked", "dismissed": "Dismissed", "all": "All states",
}  # fmt: skip
_ORDERS: Final = {
    "risk": "risk", "found": "found_at", "seen": "last_seen_at", "cost": "cost_micros",
}  # fmt: skip
_REFUSALS: Final = (Invalid, Conflict, NotFound, Denied)


@signed_in
@require_GET
def findings(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List what this person may see, the most urgent first; open ones unless asked otherwise."""
    state = chosen(request, "state", _STATES) or "open"
    source, kind = chosen(request, "source", SOURCES), chosen(request, "kind", Finding.Kind.values)
    risk, words = chosen(request, "risk", tuple(RISKS)), asked(request, "search")
    vendor, owner = asked(request, "vendor"), asked(request, "owner")
    rows = filtered(
        findings_for(actor),
        {"state": "" if state == "all" else state, "source": source, "kind": kind, "risk": risk,
         "vendor": vendor, "owner": owner},
    )  # fmt: skip
    rows = found(rows, words, "title", "vendor", "owner__email")
    order = wanted_order(request, _ORDERS, "-risk")
    context = {
        "page": cut(request, rows, ordering=order),
        "figures": figures_for(actor),
        "sees_all": actor.has(*SEEING),
        "state": state,
        "selects": [
            _select("state", "Open", state, list(_STATES.items())[1:]),
            _select("risk", "Any risk", risk, [(name, f"{name.capitalize()} risk")
                                               for name in RISKS]),
            _select("kind", "Anything", kind, [(value, label[:1].upper() + label[1:])
                                               for value, label in Finding.Kind.choices]),
            _select("source", "Any source", source, [(name, name) for name in SOURCES]),
        ],
        "is_narrowed": bool(words or source or kind or risk or vendor or owner or state != "open"),
    }  # fmt: skip
    return render(request, "discovery/findings.html", context)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def finding(request: HttpRequest, actor: Actor, finding: str) -> HttpResponseBase:
    """Show one finding; what is posted here is a claim."""
    shown = finding_for(actor, finding)
    draft = deciding.draft_of(shown, shown.owner or actor.person)
    data = request.POST if request.method == "POST" else None
    form = ClaimForm(data, draft=draft, classes=data_classes())
    if request.method == "POST" and form.is_valid():
        try:
            agent = deciding.claim_finding(shown, form.draft(), actor=actor)
        except _REFUSALS as error:
            _told_at(form, error)
        else:
            messages.success(request, f"{agent.title} is registered, as a draft. Submit it next.")
            return redirect("registry:agent", agent.name)
    status = 422 if form.errors else 200
    return render(request, "discovery/finding.html", _context(shown, actor, form), status=status)


@signed_in
@require_POST
def assign(request: HttpRequest, actor: Actor, finding: str) -> HttpResponse:
    """Ask somebody to answer for it."""
    shown, form = finding_for(actor, finding), AssignForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Name an e-mail address and, if you like, a day.")
        return redirect("discovery:finding", finding)
    with told(request):
        try:
            person = person_for(form.cleaned_data["owner"])
            deciding.assign_finding(shown, person, actor=actor, due_on=form.cleaned_data["due_on"])
            messages.success(request, f"{person} is asked.")
        except NotFound as error:
            messages.error(request, sentence(error))
    return redirect("discovery:finding", finding)


@signed_in
@require_POST
def merge(request: HttpRequest, actor: Actor, finding: str) -> HttpResponse:
    """Say which registered agent it is."""
    shown, form = finding_for(actor, finding), MergeForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Name an agent.")
        return redirect("discovery:finding", finding)
    with told(request):
        try:
            agent = agent_for(actor, form.cleaned_data["agent"])
            deciding.merge_finding(shown, agent, actor=actor)
            messages.success(request, f"It belongs to {agent.title} from now on.")
        except NotFound as error:
            messages.error(request, sentence(error))
    return redirect("discovery:finding", finding)


@signed_in
@require_POST
def hand_back(request: HttpRequest, actor: Actor, finding: str) -> HttpResponse:
    """Say that it is somebody else's."""
    with told(request):
        deciding.hand_back_finding(
            finding_for(actor, finding), actor=actor, reason=_reason(request)
        )
        messages.success(request, "Handed back. Security or platform asks somebody else.")
    return redirect("discovery:findings")


def _saying_why(step: Callable[..., Finding], done: str) -> Callable[..., HttpResponseBase]:
    """Return the page of a step that takes nothing but a reason."""

    @signed_in
    @require_POST
    def page(request: HttpRequest, actor: Actor, finding: str) -> HttpResponse:
        with told(request):
            step(finding_for(actor, finding), actor=actor, reason=_reason(request))
            messages.success(request, done)
        return redirect("discovery:finding", finding)

    return page


block = _saying_why(deciding.block_finding, "Blocked. Seen again a day from now, it comes back.")
dismiss = _saying_why(deciding.dismiss_finding, "Dismissed. Other evidence brings it back.")
reopen = _saying_why(deciding.reopen_finding, "It is open again.")


def _context(shown: Finding, actor: Actor, form: ClaimForm) -> dict[str, Any]:
    asks = {"owner": shown.likely.email if shown.likely else "", "due_on": None}
    return {
        "finding": shown,
        "evidence": [_said(row) for row in evidence_of(shown)[:50]],
        "places": list(places_of(shown)[:100]),
        "form": form,
        "assign_form": AssignForm(initial=asks),
        "merge_form": MergeForm(initial={"agent": shown.resembles.name if shown.resembles else ""}),
        "may_decide": shown.is_open and may_decide(actor, shown),
        "may_settle": actor.has(*DECIDING),
        "is_theirs": actor.is_person(shown.owner),
        "formats": FORMATS,
    }


def _said(row: Evidence) -> dict[str, Any]:
    return {
        "source": row.source,
        "summary": row.summary,
        "confidence": row.confidence,
        "last_seen_at": row.last_seen_at,
        "told": facts_of(row),
    }


def _told_at(form: ClaimForm, error: Any) -> None:
    problems = error.facts.get("errors")
    if isinstance(problems, list):
        for problem in problems:
            form.add_error(None, f"{problem.get('key', '')}: {problem.get('message', '')}")
    else:
        form.add_error(None, sentence(error))


def _reason(request: HttpRequest) -> str:
    return request.POST.get("reason", "")


def _select(name: str, usual: str, value: str, options: list[tuple[str, str]]) -> dict[str, Any]:
    return {"name": name, "label": usual, "any": usual, "value": value, "options": options}
