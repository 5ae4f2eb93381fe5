"""The pages of what is not known: why, what was asked, and where a person says what happened."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from effects.actions.reconciling import MAY_SETTLE, ask_now, settle_by_person
from effects.errors import NotUnknown
from effects.forms import SettleForm
from effects.queries.unknown import told_of, unknown_for, unknown_named
from kernel import clock
from kernel.errors import Conflict, Denied, Invalid
from kernel.pages import cut
from registry.actors import Actor
from registry.portal import sentence, signed_in, told


@signed_in
@require_GET
def unknown(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List what is not known, the newest first."""
    page = cut(request, unknown_for(actor), ordering="-created_at")
    rows = [told_of(proposal) for proposal in page]
    return render(request, "effects/unknown.html", {"page": page, "rows": rows})


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def one(request: HttpRequest, actor: Actor, proposal: str) -> HttpResponseBase:
    """Show one of them; what is posted here says what happened."""
    try:
        shown = unknown_named(actor, proposal)
    except NotUnknown:
        raise Http404 from None
    form = SettleForm(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        actor.require(*MAY_SETTLE)
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            settle_by_person(
                proposal,
                actor=actor,
                was_done=said["end"] == "done",
                note=said["note"],
                again=said["end"] == "again",
            )
        except (Invalid, Conflict, Denied) as error:
            form.add_error(None, sentence(error))
        else:
            messages.success(request, "It is on record what became of it.")
            return redirect("effects:unknown")
    context = {
        "item": shown,
        "form": form,
        "may_settle": actor.has(*MAY_SETTLE),
        "may_try_again": shown.proposal.expires_at > clock.now(),
    }
    status = 422 if form.errors else 200
    return render(request, "effects/unknown_one.html", context, status=status)


@signed_in
@require_POST
def ask(request: HttpRequest, actor: Actor, proposal: str) -> HttpResponse:
    """Have the other system asked at once."""
    with told(request):
        ask_now(proposal, actor=actor)
        messages.success(request, "The other system is being asked.")
    return redirect("effects:unknown")
