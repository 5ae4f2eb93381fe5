"""The pages of sources: files that are read, accounts that are read by the clock."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from fleet.discovery.actions.readings import PIECE, cancel_reading, take_upload
from fleet.discovery.actions.sources import add_source, ask_source, remove_source
from fleet.discovery.forms.intake import SourceForm, UploadForm
from fleet.discovery.queries.findings import DECIDING
from fleet.discovery.queries.intake import reading_for, readings_for, source_for, sources_for
from fleet.discovery.scanning.served import scanner_digest
from kernel.errors import Conflict, Invalid, TooLarge
from kernel.pages import cut
from registry.actors import Actor
from registry.models import Role
from registry.portal import sentence, signed_in, told


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def sources(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Show the sources and readings; what is posted here is a file."""
    readings = readings_for(actor)
    form = UploadForm(*((request.POST, request.FILES) if request.method == "POST" else ()))
    if request.method == "POST":
        actor.require(*DECIDING)
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            row = take_upload(
                file.chunks(PIECE),
                kind=form.cleaned_data["format"],
                title=file.name or "",
                actor=actor,
            )
        except (Invalid, TooLarge) as error:
            form.add_error(None, sentence(error))
        else:
            messages.success(request, "The worker reads it in a moment; you can leave this page.")
            return redirect("discovery:reading", row.public_id)
    page = cut(request, readings, ordering="-asked_at")
    context = {
        "page": page,
        "sources": list(sources_for(actor).order_by("name")[:100]),
        "form": form,
        "may_read": actor.has(*DECIDING),
        "may_connect": actor.has(Role.PLATFORM),
        "asks_again": any(row.is_under_way for row in page),
        "digest": scanner_digest(),
    }
    status = 422 if form.errors else 200
    return render(request, "discovery/sources.html", context, status=status)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Connect an account."""
    actor.require(Role.PLATFORM)
    form = SourceForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            source = add_source(form.wanted(), actor=actor)
        except (Invalid, Conflict) as error:
            form.add_error(None, sentence(error))
        else:
            messages.success(request, f"{source.name} is read in a moment, and then by the clock.")
            return redirect("discovery:sources")
    status = 422 if form.errors else 200
    return render(request, "discovery/source_new.html", {"form": form}, status=status)


@signed_in
@require_GET
def reading(request: HttpRequest, actor: Actor, reading: str) -> HttpResponse:
    """Show one reading, how far it is, and which lines it could not read."""
    shown = reading_for(actor, reading)
    context = {"reading": shown, "may_cancel": shown.is_under_way and actor.has(*DECIDING)}
    return render(request, "discovery/reading.html", context)


@signed_in
@require_POST
def cancel(request: HttpRequest, actor: Actor, reading: str) -> HttpResponse:
    """Stop a reading."""
    with told(request):
        cancel_reading(reading_for(actor, reading), actor=actor)
        messages.success(request, "The reading is cancelled, and its file removed.")
    return redirect("discovery:reading", reading)


@signed_in
@require_POST
def read_now(request: HttpRequest, actor: Actor, source: str) -> HttpResponse:
    """Read an account now."""
    with told(request):
        ask_source(source_for(actor, source), actor=actor)
        messages.info(request, "The worker reads it in a moment.")
    return redirect("discovery:sources")


@signed_in
@require_POST
def remove(request: HttpRequest, actor: Actor, source: str) -> HttpResponse:
    """Read an account no more."""
    with told(request):
        remove_source(source_for(actor, source), actor=actor)
        messages.success(request, "It is read no more, and its key is retired.")
    return redirect("discovery:sources")
