"""One run: its steps, its record, and the proof of its chains."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from kernel import clock
from kernel.pages import cut
from ledger.errors import EvidenceAltered
from ledger.models import Entry
from ledger.queries import SeenEntry, seen
from ledger.verification import verify_stream
from registry.actors import Actor
from registry.portal import signed_in
from registry.queries.directory import names_of
from routing.models import Run
from routing.queries.calls import calls_of, entries_of, run_shown_to
from routing.queries.record import chains_of, sums_of, under_way
from routing.queries.tools import children_of, parents_of
from routing.views.attempts import shown_calls
from routing.views.waterfall import waterfall

PAGE: Final = 50


@signed_in
@require_GET
def run(request: HttpRequest, actor: Actor, run: str) -> HttpResponse:
    """Show a run and its calls."""
    found = run_shown_to(actor, run)
    page = cut(request, calls_of(found), ordering="started_at", tie="intent_id", size=PAGE)
    first = not request.GET.get("cursor")
    context = {
        "page": page,
        "calls": shown_calls(found, list(page)),
        **waterfall(list(page)),
        "under_way": under_way(found) if first else [],
    }
    return _run_page(request, actor, found, "run", context)


@signed_in
@require_GET
def record(request: HttpRequest, actor: Actor, run: str) -> HttpResponse:
    """Show what the ledger holds of a run, entry by entry."""
    found = run_shown_to(actor, run)
    page = cut(request, entries_of(found), ordering="recorded_at", tie="entry_id", size=PAGE)
    entries = [_read(row) for row in page]
    actors = {entry["seen"].actor for entry in entries if entry["seen"]}
    names = names_of(actors)
    for entry in entries:
        entry["actor"] = (
            names.get(entry["seen"].actor, entry["seen"].actor) if entry["seen"] else ""
        )
    context = {"page": page, "entries": entries, "chains": chains_of(found)}
    return _run_page(request, actor, found, "run_record", context)


@signed_in
@require_POST
def verify(request: HttpRequest, actor: Actor, run: str) -> HttpResponse:
    """Check every chain and payload of a run at this moment."""
    found = run_shown_to(actor, run)
    verdict = verify_stream(found.run_id)
    page = cut(request, calls_of(found), ordering="started_at", tie="intent_id", size=PAGE)
    context = {
        "verdict": verdict,
        "verified_at": clock.now(),
        "page": page,
        "calls": shown_calls(found, list(page)),
        **waterfall(list(page)),
        "under_way": under_way(found),
    }
    if not verdict.is_valid:
        messages.error(request, "The record of this run does not hold. Tell security now.")
    return _run_page(request, actor, found, "run", context)


def _run_page(
    request: HttpRequest, actor: Actor, found: Run, template: str, context: dict[str, Any]
) -> HttpResponse:
    frame = {
        "run": found,
        "sums": sums_of(found),
        "parents": parents_of(actor, found),
        "children": children_of(actor, found),
        "tabs": [
            {
                "label": label,
                "url": reverse(f"routing:{name}", args=[found.run_id]),
                "is_current": template == name.replace("-", "_"),
            }
            for name, label in (("run", "Calls"), ("run-record", "Record"))
        ],
    }
    return render(request, f"routing/{template}.html", frame | context)


def _read(row: Entry) -> dict[str, Any]:
    try:
        told: SeenEntry | None = seen(row)
    except EvidenceAltered as error:
        return {"row": row, "seen": None, "wrong": error.detail}
    return {"row": row, "seen": told, "wrong": ""}
