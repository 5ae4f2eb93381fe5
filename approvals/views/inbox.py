"""The inbox of reviews, and one review: everything a decider needs on one page.

What was asked and shown is the review's own evidence, fixed when it was put; the page adds
only how the viewer stands to it. After an answer comes the next review that waits.
"""

from __future__ import annotations

from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from approvals import actions as act
from approvals.eligibility import standing_of
from approvals.errors import EditRefused
from approvals.models import Review, ReviewDecision
from approvals.ports import drawing_of
from approvals.queries import decisions_of, review_for, reviews_for, waiting_for
from kernel.api import BODY_LIMIT
from kernel.canonical import strict_loads
from kernel.errors import Conflict, Invalid
from kernel.pages import asked, chosen, cut, found
from registry.actors import Actor
from registry.manifest.writing import to_yaml
from registry.portal import sentence, signed_in, told

_TABS: Final = (("waiting", "Waiting for you"), ("mine", "Asked by you"), ("all", "All"))
_SEARCHED: Final = ("subject_name", "question", "justification", "requester__email")


@signed_in
@require_GET
def reviews(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the reviews, those that wait for the viewer first."""
    waiting = waiting_for(actor).count()
    usual = "waiting" if waiting else "all"
    tab = chosen(request, "show", [name for name, _ in _TABS]) or usual
    kind = chosen(request, "kind", Review.Kind.values)
    state = chosen(request, "state", Review.State.values) if tab != "waiting" else ""
    rows = waiting_for(actor) if tab == "waiting" else reviews_for(actor)
    if tab == "mine":
        rows = rows.filter(requester=actor.person)
    if kind:
        rows = rows.filter(kind=kind)
    if state:
        rows = rows.filter(standing=state)  # type: ignore[misc]  # annotated
    rows = found(rows, asked(request, "search"), *_SEARCHED)
    # What ends first waits first; otherwise the newest comes first.
    page = cut(request, rows, ordering="expires_at" if tab == "waiting" else "-created_at")
    decisions = decisions_of(page.rows)
    context = {
        "page": page,
        "rows": [(review, decisions[review.pk]) for review in page],
        "tab": tab,
        "tabs": _tabs(tab, waiting),
        "selects": _selects(tab, kind, state),
        "is_narrowed": any((kind, state, asked(request, "search"))),
    }
    return render(request, "approvals/reviews.html", context)


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
        "yaml": to_yaml(evidence["manifest"]) if "manifest" in evidence else "",
        "waiting": waiting_for(actor).exclude(pk=review.pk).count(),
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
            "count": waiting if name == "waiting" else None,
        }
        for name, label in _TABS
    ]


def _selects(tab: str, kind: str, state: str) -> list[dict[str, Any]]:
    kinds = [(each.value, each.label) for each in Review.Kind]
    states = [(each.value, each.label) for each in Review.State]
    selects: list[dict[str, Any]] = [
        {"name": "kind", "label": "Any question", "value": kind, "options": kinds}
    ]
    if tab != "waiting":
        selects.append({"name": "state", "label": "Any state", "value": state, "options": states})
    return selects
