"""Where the ends of models are from: documents, feeds, and bringing one."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from kernel.errors import DomainError, Invalid
from registry.actors import Actor
from registry.models import Role
from registry.portal import sentence, signed_in, told
from routing.actions import feeds as act
from routing.actions.importing import import_document
from routing.actions.overriding import MAY_OVERRIDE
from routing.catalogue.formats import MAX_BYTES
from routing.errors import CatalogueUnreadable
from routing.forms.sources import BringForm, FeedForm
from routing.queries.catalogue import loaded_documents
from routing.queries.lifecycle import feeds_followed
from routing.views.models import tabs


@signed_in
@require_GET
def sources(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List documents and feeds."""
    context = {
        "tabs": tabs("sources"),
        "documents": list(loaded_documents()),
        "feeds": list(feeds_followed()[:200]),
        "may_change": actor.has(Role.PLATFORM),
        "may_note": actor.has(*MAY_OVERRIDE),
        "feed_form": FeedForm(),
        "bring_form": BringForm(),
    }
    return render(request, "routing/sources.html", context)


@signed_in
@require_POST
def follow(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Follow a feed from now on."""
    actor.require(Role.PLATFORM)
    form = FeedForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Give an https address, and 1 to 720 hours.")
        return redirect("routing:sources")
    with told(request):
        act.add_feed(**form.cleaned_data, actor=actor)
        messages.success(request, "It is followed; the first look is within five minutes.")
    return redirect("routing:sources")


@signed_in
@require_POST
def look(request: HttpRequest, actor: Actor, feed: str) -> HttpResponse:
    """Have a feed looked at now."""
    with told(request):
        act.look_now(feed, actor=actor)
        messages.success(request, "It is looked at now; how that went is said here.")
    return redirect("routing:sources")


@signed_in
@require_POST
def remove(request: HttpRequest, actor: Actor, feed: str) -> HttpResponse:
    """Stop following a feed."""
    with told(request):
        act.remove_feed(feed, actor=actor)
        messages.success(request, "It is removed, and what it brought is out of the catalogue.")
    return redirect("routing:sources")


@signed_in
@require_POST
def bring(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Load a document that was uploaded."""
    actor.require(Role.PLATFORM)
    form = BringForm(request.POST, request.FILES)
    if not form.is_valid():
        messages.error(request, "Choose a file; the day is such as 2026-12-11.")
        return redirect("routing:sources")
    day = form.cleaned_data["as_of"]
    try:
        raw = form.cleaned_data["document"].read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise CatalogueUnreadable(f"A document has at most {MAX_BYTES} bytes.")
        loaded = import_document(
            raw, actor=actor, came_from="upload", region=form.cleaned_data["region"],
            as_of=day.isoformat() if day else "",
        )  # fmt: skip
    except DomainError as error:
        if not isinstance(error, Invalid | CatalogueUnreadable) and error.status != 400:
            raise
        messages.error(request, sentence(error))
    else:
        changed = loaded.models_changed
        messages.success(
            request,
            "It is loaded already."
            if loaded.unchanged
            else f"{loaded.rows} rows are loaded; {changed} models changed.",
        )
    return redirect("routing:sources")
