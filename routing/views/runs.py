"""One run: its steps, its record, and the proof of its chains."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from kernel import clock
from kernel.pages import chosen, cut
from ledger.entries import Fact
from ledger.errors import EvidenceAltered
from ledger.models import Entry
from ledger.queries import seen
from ledger.verification import verify_stream
from registry.actors import Actor
from registry.portal import signed_in
from registry.queries.directory import names_of
from routing.models import Run
from routing.queries.calls import calls_of, can_read, entries_of, run_shown_to
from routing.queries.record import chains_of, evidence_of, under_way
from routing.queries.reevaluations import made_by_reevaluation
from routing.queries.run_steps import NARROWER, children_between, read_steps, steps_of
from routing.queries.run_sums import summary_of
from routing.queries.tools import children_of, parents_of
from routing.views.attempts import shown_calls
from routing.views.step_words import child_shown, step_shown
from routing.views.waterfall import waterfall

PAGE: Final = 50
STEPS: Final = 100
_KINDS: Final = (
    ("model", "Model calls"),
    ("tool", "Tools"),
    ("decision", "Decisions"),
    ("action", "Proposals and effects"),
    ("report", "Reported"),
)
_PAUSES: Final = {"in_flight": "every 3s", "open": "every 10s"}
_TABS: Final = (("run", "Steps"), ("run-calls", "Calls"), ("run-record", "Record"))


@signed_in
@require_GET
def run(request: HttpRequest, actor: Actor, run: str) -> HttpResponse:
    """Show a run: its steps on a time axis."""
    found = run_shown_to(actor, run)
    return _run_page(request, actor, found, "run", _steps(request, actor, found))


@signed_in
@require_GET
def calls(request: HttpRequest, actor: Actor, run: str) -> HttpResponse:
    """Show the calls of a run as a table, attempt by attempt."""
    found = run_shown_to(actor, run)
    page = cut(request, calls_of(found), ordering="started_at", tie="intent_id", size=PAGE)
    context = {
        "page": page,
        "calls": shown_calls(found, list(page)),
        "under_way": under_way(found) if not request.GET.get("cursor") else [],
    }
    return _run_page(request, actor, found, "run_calls", context)


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
    context = {
        "verdict": verdict,
        "verified_at": clock.now(),
        **_steps(request, actor, found),
    }
    if not verdict.is_valid:
        messages.error(request, "The record of this run does not hold. Tell security now.")
    return _run_page(request, actor, found, "run", context)


def _steps(request: HttpRequest, actor: Actor, found: Run) -> dict[str, Any]:
    kind = chosen(request, "kind", NARROWER)
    rows = steps_of(found, kind)
    page = cut(request, rows, ordering="recorded_at", tie="entry_id", size=STEPS)
    steps = [step_shown(row) for row in read_steps(list(page))]
    if not kind and page.rows:
        since = page.rows[0].recorded_at if page.previous else None
        until = page.rows[-1].recorded_at if page.next else None
        steps += map(child_shown, children_between(actor, found, since, until))
    return {
        "page": page,
        "waterfall": waterfall(steps),
        "kinds": [{"value": name, "word": word, "is_on": name == kind} for name, word in _KINDS],
        "kind": kind,
    }


def _run_page(
    request: HttpRequest, actor: Actor, found: Run, template: str, context: dict[str, Any]
) -> HttpResponse:
    summary = summary_of(found)
    frame = {
        "run": found,
        "summary": summary,
        "fallbacks": summary.attempt_count + summary.denied_count - summary.call_count,
        # Asked again while something may still come; a run that is over asks no more.
        "asks_again": _PAUSES.get(summary.state, ""),
        "evidence": evidence_of(found),
        "can_read": can_read(actor, found),
        "asked_again": made_by_reevaluation(found),
        "parents": parents_of(actor, found),
        "children": children_of(actor, found),
        "tabs": [
            {
                "label": label,
                "url": reverse(f"routing:{name}", args=[found.run_id]),
                "is_current": template == name.replace("-", "_"),
            }
            for name, label in _TABS
        ],
    }
    return render(request, f"routing/{template}.html", frame | context)


def _read(row: Entry) -> dict[str, Any]:
    try:
        told = seen(row)
    except EvidenceAltered as error:
        return {"row": row, "seen": None, "wrong": error.detail}
    facts = {name: _fact(value) for name, value in told.facts.items()}
    return {"row": row, "seen": told, "facts": facts, "wrong": ""}


def _fact(value: Fact) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "none"
    if value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
