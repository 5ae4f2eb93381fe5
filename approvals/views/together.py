"""Several reviews of one sort at once: what they are is shown whole, then answered."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from approvals import actions as act
from kernel.errors import Invalid
from registry.actors import Actor
from registry.portal import sentence, signed_in


@signed_in
@require_POST
def together(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show what was picked, or answer it once that was confirmed."""
    picked = _picked(request)
    try:
        reviews = act.reviews_together(picked, actor=actor)
        if request.POST.get("confirmed") != "yes":
            return _shown(request, reviews=reviews, picked=picked)
        decision, comment = request.POST.get("decision", ""), request.POST.get("comment", "")
        if decision == "reject" and not comment.strip():
            said = "Say why: the owner needs a reason to act on."
            return _shown(request, status=422, reviews=reviews, picked=picked, refusal=said)
        outcomes = act.decide_reviews(picked, actor=actor, decision=decision, comment=comment)
    except Invalid as error:
        messages.error(request, sentence(error))
        return redirect("approvals:reviews")
    rows = [(each.review, each.refusal and sentence(each.refusal)) for each in outcomes]
    return _shown(request, outcomes=rows, done=sum(not refusal for _, refusal in rows))


def _picked(request: HttpRequest) -> list[tuple[str, str]]:
    pairs = [value.partition(" ") for value in request.POST.getlist("pick")]
    most: int = settings.REVIEWS_TOGETHER
    return [(public_id.replace("\x00", ""), digest) for public_id, _, digest in pairs[: most + 1]]


def _shown(request: HttpRequest, *, status: int = 200, **context: Any) -> HttpResponse:
    return render(request, "approvals/together.html", context, status=status)
