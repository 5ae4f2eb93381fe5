"""The pages of feeds: where entries go, how far behind each is, and adding one."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from kernel.errors import Conflict, Invalid
from kernel.pages import cut
from outlets.actions.feeds import (
    MAY_SET,
    Wanted,
    add_feed,
    pause_feed,
    remove_feed,
    resume_feed,
    try_feed,
)
from outlets.forms.exports import FeedForm
from outlets.queries.feeds import feed_for, feeds_for, lag_of
from registry.actors import Actor
from registry.portal import sentence, signed_in, told


@signed_in
@require_GET
def feeds(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the feeds with their lag."""
    page = cut(request, feeds_for(actor), ordering="-added_at")
    rows = [(feed, lag_of(feed)) for feed in page]
    context = {"page": page, "rows": rows, "may_set": actor.has(*MAY_SET)}
    return render(request, "outlets/feeds.html", context)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Add a feed."""
    actor.require(*MAY_SET)
    form = FeedForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            feed = add_feed(Wanted(**form.cleaned_data), actor=actor)
        except (Invalid, Conflict) as error:
            form.add_error(None, sentence(error))
        else:
            messages.success(request, f"Entries go to {feed.name} from now on.")
            return redirect("outlets:feed", feed.public_id)
    status = 422 if form.errors else 200
    return render(request, "outlets/feed_new.html", {"form": form}, status=status)


@signed_in
@require_GET
def feed(request: HttpRequest, actor: Actor, feed: str) -> HttpResponse:
    """Show one feed."""
    shown = feed_for(actor, feed)
    context = {"feed": shown, "lag": lag_of(shown), "may_set": actor.has(*MAY_SET)}
    return render(request, "outlets/feed.html", context)


@signed_in
@require_POST
def pause(request: HttpRequest, actor: Actor, feed: str) -> HttpResponse:
    """Stop sending for a while."""
    pause_feed(feed_for(actor, feed), actor=actor, reason=request.POST.get("reason", ""))
    return redirect("outlets:feed", feed)


@signed_in
@require_POST
def resume(request: HttpRequest, actor: Actor, feed: str) -> HttpResponse:
    """Go on where it was paused."""
    resume_feed(feed_for(actor, feed), actor=actor)
    return redirect("outlets:feed", feed)


@signed_in
@require_POST
def attempt(request: HttpRequest, actor: Actor, feed: str) -> HttpResponse:
    """Have one event sent that stands for nothing."""
    with told(request):
        try_feed(feed_for(actor, feed), actor=actor)
        messages.info(request, "One event is on its way; the result shows here in a moment.")
    return redirect("outlets:feed", feed)


@signed_in
@require_POST
def remove(request: HttpRequest, actor: Actor, feed: str) -> HttpResponse:
    """End a feed for good."""
    found = feed_for(actor, feed)
    remove_feed(found, actor=actor, reason=request.POST.get("reason", ""))
    messages.success(request, f"{found.name} gets no further entries.")
    return redirect("outlets:feeds")
