"""Two runs side by side. What was said is shown to nobody before the reading is on record."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from registry.actors import Actor
from registry.portal import signed_in
from routing.actions.comparing import compare_headers, compare_said
from routing.forms.comparing import OtherRunForm
from routing.forms.reasons import ReasonForm
from routing.queries.calls import run_shown_to
from routing.queries.comparable import comparable_runs, may_read_runs

SHOWN: Final = 200  # pairs on a page; the rest is for the command and REST


@signed_in
@require_GET
def choose(request: HttpRequest, actor: Actor, run: str) -> HttpResponse:
    """Choose the run to compare with."""
    found = run_shown_to(actor, run)
    form = OtherRunForm(request.GET or None)
    if form.is_valid():
        other = run_shown_to(actor, form.cleaned_data["with_run"].strip())
        return redirect("routing:run-diff", found.run_id, other.run_id)
    context = {"run": found, "form": form, "others": comparable_runs(actor, found)}
    return render(request, "routing/run_compare.html", context)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def compare(request: HttpRequest, actor: Actor, run: str, other: str) -> HttpResponse:
    """Compare headers; after a reason, also what was said."""
    one, two = run_shown_to(actor, run), run_shown_to(actor, other)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    is_read = request.method == "POST" and form.is_valid()
    if is_read:
        reason = form.cleaned_data["reason"]
        found = compare_said(one.run_id, two.run_id, actor=actor, reason=reason)
    else:
        found = compare_headers(one.run_id, two.run_id, actor=actor)
    context: dict[str, Any] = {
        "run": one,
        "other": two,
        "compared": found,
        "pairs": found.pairs[:SHOWN],
        "hidden": max(0, len(found.pairs) - SHOWN),
        "counts": {state: found.count(state) for state in ("same", "changed", "missing", "added")},
        "sums": {
            name: found.sums(name)
            for name in ("cost_micros", "input_tokens", "output_tokens", "duration_ms")
        },
        "form": form,
        "is_read": is_read,
        "may_read": may_read_runs(actor, one, two),
    }
    response = render(request, "routing/run_diff.html", context, status=422 if form.errors else 200)
    response["Cache-Control"] = "no-store"
    return response
