"""The pages of trials: those of a bundle, and one with how far it is and what would change."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from kernel.pages import asked, chosen, cut, found
from registry.actors import Actor
from registry.portal import signed_in, told
from rules.actions.trying import MAY_TRY, MOST_DAYS, USUAL_DAYS, ask_trial, cancel_trial
from rules.models import Change, Trial
from rules.queries.trials import (
    changes_of,
    kept_of,
    named_in,
    names_to_narrow_by,
    trial_for,
    trials_of,
    tried_bundle,
)
from rules.serving import table_of

# What is counted of decisions, in the order of the picture: name, words, tone.
COUNTED: Final = (
    ("unchanged", "Unchanged", "neutral"),
    ("looser", "Looser", "warning"),
    ("stricter", "Stricter", "info"),
    ("otherwise", "Otherwise", "primary"),
    ("no_answer", "No answer", "error"),
    ("unanswered", "No answer then", "neutral"),
    ("unreadable", "Not readable", "neutral"),
    ("not_judged", "Not judged", "neutral"),
)
_FOUND: Final = {name: words for name, words, _ in COUNTED[1:5]}


@signed_in
@require_GET
def trials(request: HttpRequest, actor: Actor, policy: str) -> HttpResponse:
    """List the trials of a bundle, with the way to ask for one."""
    bundle = tried_bundle(actor, policy)
    context = {
        "bundle": bundle,
        "page": cut(request, trials_of(actor, policy), ordering="-asked_at"),
        "may_try": actor.has(*MAY_TRY),
        "days": USUAL_DAYS,
        "most_days": MOST_DAYS,
    }
    return render(request, "rules/trials.html", context)


@signed_in
@require_POST
def ask(request: HttpRequest, actor: Actor, policy: str) -> HttpResponse:
    """Have a bundle tried."""
    bundle = tried_bundle(actor, policy)
    given = request.POST.get("days", "").strip()
    days = int(given) if given.isascii() and given.isdigit() and len(given) < 5 else USUAL_DAYS
    with told(request):
        made = ask_trial(bundle, actor=actor, days=max(1, min(days, MOST_DAYS)))
        return redirect("rules:trial", policy, made.public_id)
    return redirect("rules:trials", policy)


@signed_in
@require_GET
def trial(request: HttpRequest, actor: Actor, policy: str, trial: str) -> HttpResponse:
    """Show one trial: how far it is, what would change, and for whom."""
    shown = trial_for(actor, trial, policy)
    rows = _narrowed(request, shown)
    page = cut(request, rows, ordering="-decisions")
    names = named_in(page.rows)
    context = {
        "trial": shown,
        "bundle": shown.bundle,
        "parts": _parts(shown),
        "checked": shown.counts.get("checked", 0),
        "page": page,
        "total": rows.count(),
        "rows": [(row, names.get(row.agent_id), names.get(row.owner)) for row in page],
        "kept": 0 if shown.is_under_way else kept_of(shown),
        "selects": _selects(request, shown),
        "is_narrowed": any(asked(request, name) for name in ("search", "found", "agent", "owner")),
        "may_cancel": shown.is_under_way and actor.has(*MAY_TRY),
    }
    return render(request, "rules/trial.html", context)


def _narrowed(request: HttpRequest, shown: Trial) -> QuerySet[Change]:
    given = {name: asked(request, name) for name in ("agent", "owner", "rule")}
    given["found"] = chosen(request, "found", _FOUND)
    rows = changes_of(shown, given)
    return found(rows, asked(request, "search"), "rule", "new_rule", "agent_id")


def _parts(shown: Trial) -> list[dict[str, Any]]:
    return [
        {"label": words, "value": number, "tone": tone}
        for name, words, tone in COUNTED
        if (number := shown.counts.get(name, 0))
    ]


def _selects(request: HttpRequest, shown: Trial) -> list[dict[str, Any]]:
    agents, owners = names_to_narrow_by(shown)
    return [
        {"name": name, "label": label, "value": asked(request, name), "options": options.items()}
        for name, label, options in (
            ("agent", "Every agent", agents),
            ("owner", "Every owner", owners),
            ("found", "Every direction", _FOUND),
        )
    ]


@signed_in
@require_GET
def table(request: HttpRequest, actor: Actor, policy: str, trial: str) -> HttpResponseBase:
    """Hand out the changed questions as CSV."""
    return table_of(trial_for(actor, trial, policy))


@signed_in
@require_POST
def cancel(request: HttpRequest, actor: Actor, policy: str, trial: str) -> HttpResponse:
    """End a trial that is under way."""
    with told(request):
        cancel_trial(trial_for(actor, trial, policy), actor=actor)
        messages.success(request, "The trial is cancelled; what it found is let go of.")
    return redirect("rules:trial", policy, trial)
