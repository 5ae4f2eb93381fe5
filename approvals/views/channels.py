"""The pages of channels: where questions are told of, what arrived and what did not."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from approvals.actions import channels as act
from approvals.actions.channels import MAY_SET, Issued
from approvals.channels.reading import channel_for, channels_seen_by, notice_for, notices_of
from approvals.forms import ChannelForm
from approvals.models import Channel, Notice, Review
from kernel.errors import Conflict, Invalid
from kernel.pages import asked, chosen, cut, found
from registry.actors import Actor
from registry.portal import sentence, signed_in, told

_SHOWN: Final = (
    "address", "place", "workspace", "carries", "events", "kinds", "min_effect", "decides_up_to",
)  # fmt: skip
_WORDS: Final = ("audience", "agents", "teams")
_SEARCHED: Final = ("review__public_id", "person__email", "failure")


@signed_in
@require_GET
def channels(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the channels."""
    page = cut(request, channels_seen_by(actor), ordering="-added_at")
    return render(
        request, "approvals/channels.html", {"page": page, "may_set": actor.has(*MAY_SET)}
    )


@signed_in
@sensitive_post_parameters("secret", "signing_secret")
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Add a channel; a secret of ours is shown in the answer, once."""
    actor.require(*MAY_SET)
    form = ChannelForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            issued = act.add_channel(form.wanted(), actor=actor)
        except (Invalid, Conflict) as error:
            form.add_error(None, sentence(error))
        else:
            return _issued(request, actor, issued, f"Reviews are told to {issued.channel.name}.")
    context = {"form": form, "title": "Add a channel", "button": "Add it"}
    status = 422 if form.errors else 200
    return render(request, "approvals/channel_edit.html", context, status=status)


@signed_in
@sensitive_post_parameters("secret", "signing_secret")
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, actor: Actor, channel: str) -> HttpResponseBase:
    """Change what a channel is told; secrets that are left empty stay as they are."""
    actor.require(*MAY_SET)
    kept = channel_for(actor, channel)
    form = ChannelForm(
        request.POST if request.method == "POST" else None, initial=_as_asked(kept), kept=kept
    )
    if request.method == "POST" and form.is_valid():
        try:
            issued = act.change_channel(kept, form.wanted(), actor=actor)
        except (Invalid, Conflict) as error:
            form.add_error(None, sentence(error))
        else:
            return _issued(request, actor, issued, "Saved.")
    context = {"form": form, "title": "Change", "button": "Save", "channel": kept}
    status = 422 if form.errors else 200
    return render(request, "approvals/channel_edit.html", context, status=status)


@signed_in
@require_GET
def channel(request: HttpRequest, actor: Actor, channel: str) -> HttpResponse:
    """Show one channel with what it was told."""
    return _shown(request, actor, channel_for(actor, channel))


@signed_in
@require_POST
def rotate(request: HttpRequest, actor: Actor, channel: str) -> HttpResponse:
    """Make a new secret and show it, once."""
    kept = channel_for(actor, channel)
    with told(request):
        answers = request.POST.get("answers") == "yes"
        issued = act.rotate_channel(kept, actor=actor, answers=answers)
        return _shown(request, actor, kept, issued=issued)
    return redirect("approvals:channel", channel)


@signed_in
@require_POST
def attempt(request: HttpRequest, actor: Actor, channel: str) -> HttpResponse:
    """Have one message sent that asks nothing."""
    act.try_channel(channel_for(actor, channel), actor=actor)
    messages.info(request, "A test is on its way; what became of it shows below in a moment.")
    return redirect("approvals:channel", channel)


@signed_in
@require_POST
def pause(request: HttpRequest, actor: Actor, channel: str) -> HttpResponse:
    """Send nothing and take nothing for a while."""
    act.pause_channel(
        channel_for(actor, channel), actor=actor, reason=request.POST.get("reason", "")
    )
    return redirect("approvals:channel", channel)


@signed_in
@require_POST
def resume(request: HttpRequest, actor: Actor, channel: str) -> HttpResponse:
    """Go on."""
    act.resume_channel(channel_for(actor, channel), actor=actor)
    return redirect("approvals:channel", channel)


@signed_in
@require_POST
def remove(request: HttpRequest, actor: Actor, channel: str) -> HttpResponse:
    """End a channel for good."""
    kept = channel_for(actor, channel)
    act.remove_channel(kept, actor=actor, reason=request.POST.get("reason", ""))
    messages.success(request, f"{kept.name} is told of nothing more.")
    return redirect("approvals:channels")


@signed_in
@require_POST
def retry(request: HttpRequest, actor: Actor, channel: str, notice: str) -> HttpResponse:
    """Send one message again."""
    kept = notice_for(actor, channel_for(actor, channel), notice)
    with told(request):
        act.retry_notice(kept, actor=actor)
        messages.info(request, "It is on its way again.")
    return redirect("approvals:channel", channel)


def _shown(request: HttpRequest, actor: Actor, kept: Channel, **given: Any) -> HttpResponse:
    state = chosen(request, "state", Notice.State.values)
    rows = notices_of(actor, kept)
    if state:
        rows = rows.filter(state=state)
    rows = found(rows, asked(request, "search"), *_SEARCHED)
    states = [(each.value, each.label) for each in Notice.State]
    select = {"name": "state", "label": "Any state", "value": state, "options": states}
    context = {
        "channel": kept,
        "events": [Notice.Event(each).label.lower() for each in kept.events],
        "kinds": [Review.Kind(each).label.lower() for each in kept.kinds],
        "page": cut(request, rows, ordering="-created_at"),
        "selects": [select],
        "is_narrowed": bool(state or asked(request, "search")),
        "may_set": actor.has(*MAY_SET),
        "is_webhook": kept.kind == Channel.Kind.WEBHOOK,
        "issued": None,
    } | given
    response = render(request, "approvals/channel.html", context)
    response["Cache-Control"] = "no-store"
    return response


def _issued(request: HttpRequest, actor: Actor, issued: Issued, said: str) -> HttpResponseBase:
    if not (issued.secret or issued.answers_secret):
        messages.success(request, said)
        return redirect("approvals:channel", issued.channel.public_id)
    return _shown(request, actor, issued.channel, issued=issued)


def _as_asked(kept: Channel) -> dict[str, Any]:
    shown = {name: getattr(kept, name) for name in _SHOWN}
    return shown | {name: ", ".join(getattr(kept, name)) for name in _WORDS}
