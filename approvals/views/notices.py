"""How one wants to be told of reviews: one's own page, under Account."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from approvals.actions.noticing import choose_notices
from approvals.channels.reading import preference_of
from approvals.forms import NoticesForm
from kernel.errors import Denied
from registry.actors import Actor
from registry.portal import signed_in


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def notices(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show and take one's choice."""
    if actor.person is None:
        raise Denied("Only a person has an account.")
    kept = preference_of(actor.person)
    form = NoticesForm(
        request.POST if request.method == "POST" else None,
        initial={"mail": kept.mail, "digest_hour": kept.digest_hour},
    )
    if request.method == "POST" and form.is_valid():
        choose_notices(actor=actor, **form.cleaned_data)
        messages.success(request, "Saved.")
        return redirect("approvals:notices")
    context = {"form": form, "sends_mail": bool(settings.EMAIL_HOST)}
    return render(request, "approvals/notices.html", context, status=422 if form.errors else 200)
