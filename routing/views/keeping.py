"""Retention and erasure in the portal: what is kept how long, what is held, what is erased.

Security, platform and auditors see it, security decides. What is typed for a data subject is
posted, never put into an address, and nothing but its tag is shown again.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from approvals.models import Review
from approvals.queries import reviews_for
from kernel.errors import Conflict, Invalid
from kernel.pages import cut
from ledger.retention.months import Month
from registry.actors import Actor
from registry.portal import sentence, signed_in, told
from registry.queries.directory import names_of
from routing.forms.keeping import AgeForm, EraseForm, HoldForm, WhomForm
from routing.keeping.deciding import end_hold, place_hold, set_age
from routing.keeping.erasing import erasure_for, preview_erasure, request_erasure
from routing.keeping.looking import (
    entries_about,
    erasures_for,
    hold_for,
    holds_for,
    kept,
    tombstones_of,
)
from routing.keeping.meaning import may_decide, require_decider

_MONTHS_SHOWN = 13


@signed_in
@require_GET
def retention(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show ages, months, holds and erasures."""
    state = kept(actor)
    past = [month for month in state.months if month.bytes and not _is_ahead(month)]
    context = {
        "kept": state,
        "months": past[:_MONTHS_SHOWN],
        "bars": [_bar(month) for month in past[:_MONTHS_SHOWN]],
        "holds": list(holds_for(actor).filter(ended_at__isnull=True)[:20]),
        "page": cut(request, erasures_for(actor), ordering="-requested_at"),
        "may_decide": may_decide(actor),
    }
    return render(request, "routing/retention.html", context)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def age(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Set how long payloads of a class are kept."""
    require_decider(actor)
    form = AgeForm(request.POST if request.method == "POST" else None, initial=request.GET.dict())
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            row = set_age(said["data_class"], said["days"], actor=actor, reason=said["reason"])
        except Invalid as error:
            form.add_error(None, sentence(error))
        else:
            when = (
                f"from {row.effective_at:%-d %B %Y} on" if row.effective_at > row.set_at else "now"
            )
            messages.success(request, f"The age holds {when}.")
            return redirect("routing:retention")
    context = {"form": form, "kept": kept(actor)}
    return render(request, "routing/age.html", context, status=422 if form.errors else 200)


@signed_in
@require_GET
def holds(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show every legal hold."""
    page = cut(request, holds_for(actor), ordering="-placed_at")
    return render(request, "routing/holds.html", {"page": page, "may_decide": may_decide(actor)})


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def hold_new(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Place a legal hold."""
    require_decider(actor)
    form = HoldForm(request.POST if request.method == "POST" else None, initial=request.GET.dict())
    if request.method == "POST" and form.is_valid():
        said = dict(form.cleaned_data)
        try:
            placed = place_hold(said.pop("scope"), said.pop("subject"), actor=actor, **said)
        except Invalid as error:
            form.add_error(None, sentence(error))
        else:
            messages.success(request, f"Held: {placed.title}.")
            return redirect("routing:hold", placed.public_id)
    return render(
        request, "routing/hold_new.html", {"form": form}, status=422 if form.errors else 200
    )


@signed_in
@require_GET
def hold(request: HttpRequest, actor: Actor, hold: str) -> HttpResponse:
    """Show one legal hold."""
    shown = hold_for(actor, hold)
    names = names_of({shown.placed_by, shown.ended_by} - {""})
    context = {
        "hold": shown,
        "placed_by": names.get(shown.placed_by, shown.placed_by),
        "ended_by": names.get(shown.ended_by, shown.ended_by),
        "review": _review(actor, Review.Kind.HOLD_END, str(shown.ref)),
        "may_decide": may_decide(actor),
    }
    return render(request, "routing/hold.html", context)


@signed_in
@require_POST
def hold_end(request: HttpRequest, actor: Actor, hold: str) -> HttpResponse:
    """Ask for a hold to end; ask again after a second person agreed, and it ends."""
    with told(request):
        ending = end_hold(hold, actor=actor, reason=request.POST.get("reason", ""))
        if ending.review is None:
            messages.success(request, "The hold has ended.")
        else:
            messages.info(
                request,
                "Another person with the security role is asked. When they have said yes, end it"
                " here once more.",
            )
    return redirect("routing:hold", hold)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def erasure_new(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Choose whom, see what would go, ask for it."""
    require_decider(actor)
    if request.method == "POST" and "reason" in request.POST:
        return _ask(request, actor)
    form = WhomForm(request.POST if request.method == "POST" else None, initial=request.GET.dict())
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            return _previewed(request, actor, said)
        except Invalid as error:
            form.add_error("subject", sentence(error))
    return render(
        request, "routing/erasure_new.html", {"form": form}, status=422 if form.errors else 200
    )


@signed_in
@require_GET
def erasure(request: HttpRequest, actor: Actor, erasure: str) -> HttpResponse:
    """Show one erasure: how far it has come, and its proof."""
    shown = erasure_for(actor, erasure)
    names = names_of({shown.requested_by})
    context = {
        "erasure": shown,
        "requested_by": names.get(shown.requested_by, shown.requested_by),
        "review": _review(actor, Review.Kind.ERASURE, str(shown.ref)),
        "tombstones": tombstones_of(shown),
        "entries": entries_about(shown)[:20],
    }
    return render(request, "routing/erasure.html", context)


def _previewed(
    request: HttpRequest, actor: Actor, said: dict[str, Any], ask: EraseForm | None = None
) -> HttpResponse:
    found, name, seen = preview_erasure(
        said["scope"], said["subject"], actor=actor, data_classes=said["data_classes"]
    )
    again = name or found  # a tag stands for itself: what was typed goes no further
    form = ask or EraseForm(
        initial={"scope": said["scope"], "subject": again, "data_classes": said["data_classes"]}
    )
    context = {"form": form, "seen": seen, "whose": said["scope"], "named": again}
    return render(
        request, "routing/erasure_preview.html", context, status=422 if form.errors else 200
    )


def _ask(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    form = EraseForm(request.POST)
    said = form.cleaned_data if form.is_valid() else {}
    try:
        if said:
            scope, subject = said.pop("scope"), said.pop("subject")
            made = request_erasure(scope, subject, actor=actor, **said)
            messages.success(request, "Another person with the security role is asked.")
            return redirect("routing:erasure", made.public_id)
    except (Invalid, Conflict) as error:
        form.add_error(None, sentence(error))
    whom = WhomForm(request.POST)
    if not whom.is_valid():
        return render(request, "routing/erasure_new.html", {"form": whom}, status=422)
    return _previewed(request, actor, whom.cleaned_data, form)


def _review(actor: Actor, kind: str, subject: str) -> Review | None:
    return reviews_for(actor).filter(kind=kind, subject=subject).order_by("-id").first()


def _is_ahead(month: Month) -> bool:
    return not month.payloads and not month.keys and month.dropped_at is None


def _bar(month: Month) -> dict[str, Any]:
    tone = "neutral" if month.dropped_at else "warning" if month.is_due else "primary"
    note = "dropped" if month.dropped_at else "goes next" if month.is_due else ""
    return {
        "label": month.starts_at.strftime("%B %Y"),
        "value": 0 if month.dropped_at else month.bytes,
        "display": f"{month.bytes / 2**20:.1f} MiB",
        "note": note,
        "tone": tone,
    }
