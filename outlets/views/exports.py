"""The pages of exports: what was asked for, how far it is, and how to check what was fetched."""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from kernel.errors import Conflict, Denied, Invalid, NotFound
from kernel.pages import cut
from outlets.actions.exporting import ask_export, cancel_export
from outlets.forms.exports import ExportForm
from outlets.queries.exports import (
    OVERSEEING,
    asked_scope,
    export_for,
    exports_for,
    may_fetch,
)
from outlets.queries.targets import SEEING, schedules_for, targets_for
from registry.actors import Actor
from registry.models import Role
from registry.portal import sentence, signed_in, told
from registry.queries.directory import names_of

_CHECK: Final = (
    "python3 unsprawl_verify.py {name} \\\n"
    '  --key "$(cat ledger.pub)" --witness "$(cat witness.pub)"'
)


@signed_in
@require_GET
def exports(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the exports this person may see, and the copies that go out by the clock."""
    page = cut(request, exports_for(actor), ordering="-asked_at")
    schedules = list(schedules_for(actor)[:50]) if actor.has(*SEEING) else []
    context = {
        "page": page,
        "schedules": schedules,
        "sees_targets": actor.has(*SEEING),
        "asks_again": any(export.is_under_way for export in page),
    }
    return render(request, "outlets/exports.html", context)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Ask for an export."""
    oversees = actor.has(*OVERSEEING)
    initial = {"scope": "run", "payloads": True, "named": request.GET.get("run", "")[:300]}
    form = ExportForm(
        request.POST if request.method == "POST" else None,
        oversees=oversees,
        targets=targets_for(actor)[:200] if actor.has(*SEEING) else (),
        initial=initial,
    )
    if request.method == "POST" and form.is_valid():
        try:
            scope, title = asked_scope(actor, form.asked())
            made = ask_export(
                scope,
                title,
                actor=actor,
                payloads=form.cleaned_data["payloads"],
                reason=form.cleaned_data["reason"],
                target=form.cleaned_data.get("target", ""),
            )
        except (Invalid, Conflict, NotFound, Denied) as error:
            form.add_error(None, sentence(error))
        else:
            return redirect("outlets:export", made.public_id)
    status = 422 if form.errors else 200
    return render(request, "outlets/export_new.html", {"form": form}, status=status)


@signed_in
@require_GET
def export(request: HttpRequest, actor: Actor, export: str) -> HttpResponse:
    """Show one export, how far it is, and how to check its file."""
    shown = export_for(actor, export)
    names = names_of({shown.asked_by})
    context = {
        "export": shown,
        "asked_by": names.get(shown.asked_by, shown.asked_by),
        "may_fetch": may_fetch(actor, shown),
        "may_cancel": shown.is_under_way
        and (shown.asked_by == str(actor.ref) or actor.has(Role.SECURITY)),
        "check": _CHECK.format(name=shown.filename),
        "days": settings.EXPORT_DAYS,
    }
    return render(request, "outlets/export.html", context)


@signed_in
@require_POST
def cancel(request: HttpRequest, actor: Actor, export: str) -> HttpResponse:
    """Stop an export that is under way."""
    with told(request):
        cancel_export(export_for(actor, export), actor=actor)
        messages.success(request, "The export is cancelled; what was written is removed.")
    return redirect("outlets:export", export)
