"""The inbox of reviews, and one review: everything a decider needs on one page.

What was asked and shown is the review's own evidence, fixed when it was put; the page adds
only how the viewer stands to it. After an answer comes the next review that waits.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_GET, require_POST

from approvals import actions as act
from approvals.eligibility import standing_of
from approvals.errors import EditRefused
from approvals.models import Review, ReviewDecision
from approvals.ports import drawing_of
from approvals.queries import (
    MOST_COUNTED,
    counted,
    decisions_of,
    newest_of,
    newest_waiting,
    review_for,
    reviews_for,
    waiting_for,
)
from approvals.standing_in import Right, lent_for, rights_of
from approvals.views.narrowing import Wanted
from kernel import clock
from kernel.api import BODY_LIMIT
from kernel.canonical import strict_loads
from kernel.errors import Conflict, Invalid
from kernel.pages import asked, chosen, cut
from registry.actors import Actor
from registry.manifest.writing import to_yaml
from registry.portal import note_count, sentence, signed_in, told

_TABS: Final = (("waiting", "Waiting for you"), ("mine", "Asked by you"), ("all", "All"))
_URGENT: Final = timedelta(hours=1)
_SOON: Final = timedelta(days=1)


@signed_in
@require_GET
def reviews(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the reviews, those that wait for the viewer first."""
    rights = rights_of(actor)
    theirs = waiting_for(actor, rights)
    # The sidebar shows the same number, and need not count again.
    waiting = note_count(request, "approvals:reviews", counted(theirs))
    usual = "waiting" if waiting else "all"
    tab = chosen(request, "show", [name for name, _ in _TABS]) or usual
    wanted = Wanted.read(request, is_waiting=tab == "waiting")
    rows = theirs if tab == "waiting" else reviews_for(actor)
    if tab == "mine":
        rows = rows.filter(requester=actor.person)
    # What ends first waits first; otherwise the newest comes first.
    ordering = "expires_at" if tab == "waiting" else "-created_at"
    page = cut(request, wanted.narrow(rows, actor), ordering=ordering)
    decisions = decisions_of(page.rows)
    context = {
        "page": page,
        "rows": [_row(review, decisions[review.pk], rights) for review in page],
        "tab": tab,
        "tabs": _tabs(tab, waiting),
        "wanted": wanted,
        "selects": wanted.selects(actor, is_waiting=tab == "waiting"),
        "is_narrowed": wanted.is_narrowed,
        "newest": newest_of(theirs) if tab == "waiting" else "",
        "together": settings.REVIEWS_TOGETHER,
    }
    return render(request, "approvals/reviews.html", context)


@signed_in
@require_GET
def fresh(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Say whether something new waits since the list was made; asked from time to time."""
    newest = newest_waiting(actor)
    context = {"is_fresh": newest > asked(request, "seen"), "seen": asked(request, "seen")}
    return render(request, "approvals/_fresh.html", context)


@signed_in
@require_GET
def preview(request: HttpRequest, actor: Actor, review: str) -> HttpResponse:
    """Show what a review asks beside the list; everything it is about is on its page."""
    shown = review_for(actor, review)
    decisions = decisions_of([shown])[shown.pk]
    context = {"review": shown, "decisions": decisions}
    standing = standing_of(actor, shown, decisions)
    return render(request, "approvals/_preview.html", context | {"standing": standing})


@signed_in
@require_GET
def review(request: HttpRequest, actor: Actor, review: str) -> HttpResponse:
    """Show a review."""
    return _shown(request, actor, review_for(actor, review))


@signed_in
@require_POST
def decide(request: HttpRequest, actor: Actor, review: str) -> HttpResponse:
    """Take an answer and go on to the next review that waits."""
    shown = review_for(actor, review)
    decision, comment = request.POST.get("decision", ""), request.POST.get("comment", "")
    if decision == "approve" and _asks_again(request, shown):
        return _confirmed(request, actor, shown, comment)
    try:
        done = act.decide_review(
            review,
            actor=actor,
            decision=decision,
            comment=comment,
            digest=_digest_seen(request, shown, decision),
            edited=_edited(request),
        )
    except (Invalid, Conflict) as error:
        # The page as it is now, with what was written still in it.
        shown = review_for(actor, review)
        written = request.POST.get("edited_arguments", "")
        context = {"comment": comment, "refusal": sentence(error), "edited": written}
        return _shown(request, actor, shown, status=error.status, **context)
    messages.success(request, _said(done, decision))
    following = waiting_for(actor).first()
    if following is not None:
        return redirect("approvals:review", following.public_id)
    return redirect("approvals:reviews")


@signed_in
@require_POST
def withdraw(request: HttpRequest, actor: Actor, review: str) -> HttpResponse:
    """Take a question back."""
    shown = review_for(actor, review)
    with told(request):
        act.withdraw_review(review, actor=actor, reason=request.POST.get("reason", ""))
        messages.success(request, "The question is taken back. It can be asked again.")
    return redirect("approvals:review", shown.public_id)


def _digest_seen(request: HttpRequest, review: Review, decision: str) -> str | None:
    """Return the digest of what was shown; it stands at the end of an action, below all of it.

    Whoever approves an action without it has not been shown the whole.
    """
    is_action = review.kind == Review.Kind.PROPOSAL and decision == "approve"
    return request.POST.get("digest", "" if is_action else None)


def _edited(request: HttpRequest) -> dict[str, Any] | None:
    """Return the arguments as the decider corrected them. Raises: NotJSON, EditRefused."""
    if request.POST.get("edited_arguments") is None:
        return None
    read = strict_loads(request.POST["edited_arguments"].encode(), limit=BODY_LIMIT)
    if not isinstance(read, dict):
        raise EditRefused("The arguments are a JSON object.", field="edited_arguments")
    return read


def _asks_again(request: HttpRequest, review: Review) -> bool:
    """Say whether an approval is asked about once more: what it does cannot be taken back."""
    is_grave = review.stakes == Review.Stakes.HIGH and review.standing == "open"  # type: ignore[attr-defined]  # annotated
    return is_grave and request.POST.get("confirmed") != "yes"


def _confirmed(request: HttpRequest, actor: Actor, review: Review, comment: str) -> HttpResponse:
    decisions = decisions_of([review])[review.pk]
    context = {
        "review": review,
        "standing": standing_of(actor, review, decisions),
        "comment": comment,
        # What was seen is what is confirmed, not what it may have become in between.
        "digest": request.POST.get("digest"),
        "edited": request.POST.get("edited_arguments"),
    }
    return render(request, "approvals/confirm.html", context)


def _shown(
    request: HttpRequest, actor: Actor, review: Review, *, status: int = 200, **given: Any
) -> HttpResponse:
    decisions = decisions_of([review])[review.pk]
    approvals = [each for each in decisions if each.decision == ReviewDecision.Decision.APPROVE]
    evidence = review.evidence
    classes = evidence.get("data_classes", [])
    context: dict[str, Any] = {
        "review": review,
        "decisions": decisions,
        "approvals": len(approvals),
        "standing": standing_of(actor, review, decisions),
        "evidence": evidence,
        "matter": drawing_of(review, actor),
        "spec": evidence.get("manifest", {}).get("spec", {}),
        "metadata": evidence.get("manifest", {}).get("metadata", {}),
        "receivers": [_received(each, classes) for each in evidence.get("receivers", [])],
        "until": parse_datetime(str(evidence.get("until", ""))),
        "yaml": to_yaml(evidence["manifest"]) if "manifest" in evidence else "",
        "waiting": waiting_for(actor).exclude(pk=review.pk).order_by()[:100].count(),
    }
    return render(request, "approvals/review.html", context | given, status=status)


def _received(receiver: dict[str, Any], classes: list[str]) -> dict[str, Any]:
    takes = receiver.get("data_classes", [])
    return receiver | {
        "sees": [name for name in classes if name in takes],
        "refuses": [name for name in classes if name not in takes],
    }


def _said(review: Review, decision: str) -> str:
    if review.state == Review.State.OPEN:
        return f"Your answer is on record. {review.question} still waits for others."
    return f"{review.question} {'Yes' if decision == 'approve' else 'No'}. The requester sees it."


def _tabs(current: str, waiting: int) -> list[dict[str, Any]]:
    here = reverse("approvals:reviews")
    return [
        {
            "label": label,
            "url": f"{here}?show={name}",
            "is_current": name == current,
            "count": min(waiting, MOST_COUNTED - 1) if name == "waiting" else None,
            "has_more": waiting >= MOST_COUNTED,
        }
        for name, label in _TABS
    ]


def _row(review: Review, decisions: list[ReviewDecision], rights: list[Right]) -> dict[str, Any]:
    given = [each for each in decisions if each.digest == review.asked_digest]
    return {
        "review": review,
        "answers": len(given),
        "in_place_of": lent_for(review, rights),
        "goes_together": act.goes_together(review),
        "pressing": _pressing(review),
    }


def _pressing(review: Review) -> str:
    """Say in a word how little time is left; the colour only repeats it."""
    left = review.expires_at - clock.now()
    if review.state != Review.State.OPEN or left <= timedelta(0):
        return ""
    return "urgent" if left <= _URGENT else "soon" if left <= _SOON else ""
