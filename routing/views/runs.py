"""Runs: the list, one run with its calls, its record, and the proof of its chains."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from kernel import clock
from kernel.pages import asked, chosen, cut
from ledger.errors import EvidenceAltered
from ledger.models import Entry
from ledger.queries import SeenEntry, seen
from ledger.verification import verify_stream
from registry.actors import Actor
from registry.portal import signed_in
from registry.queries.directory import names_of
from routing.models import Run
from routing.queries.calls import calls_of, entries_of, run_for, seen_agent
from routing.queries.record import (
    agents_with_runs,
    chains_of,
    model_names,
    narrowed_runs,
    sums_of,
    under_way,
)
from routing.queries.tools import children_of, parents_of
from routing.views.attempts import shown_calls
from routing.views.waterfall import waterfall

_PERIODS: Final = (("1", "Last 24 hours"), ("7", "Last 7 days"), ("30", "Last 30 days"))
_OUTCOMES: Final = (
    ("failed", "With a failed call"),
    ("denied", "With a denied call"),
    ("clean", "Nothing went wrong"),
)
PAGE: Final = 50


@signed_in
@require_GET
def runs(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List runs, the newest first."""
    words, name = asked(request, "search"), asked(request, "agent")
    agent = seen_agent(actor, name) if name else None
    models, own = model_names(), agents_with_runs(actor)
    outcome = chosen(request, "outcome", dict(_OUTCOMES))
    model = chosen(request, "model", models)
    period = chosen(request, "period", dict(_PERIODS))
    rows = narrowed_runs(
        actor,
        words=words,
        agent=agent,
        outcome=outcome,
        model=model,
        since=clock.now() - timedelta(days=int(period)) if period else None,
    )
    selects: list[dict[str, Any]] = [
        _select("outcome", "Any outcome", outcome, _OUTCOMES),
        _select("model", "Any model", model, [(each, each) for each in models]),
        _select("period", "Any time", period, _PERIODS),
    ]
    listed = own if agent is None or agent.name in dict(own) else [(agent.name, agent.title), *own]
    if listed:
        selects.insert(0, _select("agent", "Any agent", name, listed))
    context = {
        "page": cut(request, rows, ordering="-started_at", tie="run_id"),
        "selects": selects,
        "is_narrowed": any((words, name, outcome, model, period)),
    }
    return render(request, "routing/runs.html", context)


@signed_in
@require_GET
def run(request: HttpRequest, actor: Actor, run: str) -> HttpResponse:
    """Show a run and its calls."""
    found = run_for(actor, run)
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
    found = run_for(actor, run)
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
    found = run_for(actor, run)
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


def _select(name: str, label: str, value: str, options: Any) -> dict[str, Any]:
    return {"name": name, "label": label, "value": value, "options": options}
