"""Runs: the list that one searches, and the same list as a file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from kernel import clock
from kernel.pages import cut, wanted_order
from kernel.sheets import line
from registry.actors import Actor
from registry.portal import signed_in
from routing.api.shapes import RunOutput
from routing.forms.run_search import OUTCOMES, PERIODS, STATES, RunSearch
from routing.models import RunSummary
from routing.queries.calls import agent_of_runs
from routing.queries.record import agents_with_runs, model_names, team_names
from routing.queries.run_lists import Standing, SummedRuns, Wanted, found_runs

_ORDERINGS: Final = {"began": "started_at", "took": "length_ms", "cost": "cost_micros"}
# A file of more is an export's business, which is signed and can be checked.
MOST_DOWNLOADED: Final = 10_000
_KINDS: Final = {"csv": "text/csv; charset=utf-8", "json": "application/json"}


@signed_in
@require_GET
def runs(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the runs that fit, the newest first unless asked otherwise."""
    form, rows, standing, ordering = _found(request, actor)
    said, own = form.cleaned_data, agents_with_runs(actor)
    selects = [
        _select("state", "Any state", said.get("state", ""), STATES),
        _select("outcome", "Any outcome", said.get("outcome", ""), OUTCOMES),
        _select("period", "Any time", said.get("period", ""), PERIODS),
    ]
    context = {
        "form": form,
        "page": cut(request, rows, ordering=ordering, tie="run_id"),
        "selects": selects,
        "names": {
            "agent": [name for name, _ in own],
            "team": team_names(),
            "model": model_names(),
        },
        "standing": standing,
        "is_narrowed": any(value for name, value in request.GET.items() if name in form.fields),
    }
    return render(request, "routing/runs.html", context)


@signed_in
@require_GET
def download(request: HttpRequest, actor: Actor, form: str) -> HttpResponse:
    """Give the list that was searched for as CSV or JSON."""
    if form not in _KINDS:
        raise Http404
    _, rows, _, ordering = _found(request, actor)
    sign = "-" if ordering.startswith("-") else ""
    found = list(rows.order_by(ordering, f"{sign}run_id")[:MOST_DOWNLOADED])
    written = _as_csv(found) if form == "csv" else _as_json(found)
    name = f"runs-{clock.now():%Y%m%d-%H%M%S}.{form}"
    return HttpResponse(
        "".join(written),
        content_type=_KINDS[form],
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )


def _found(request: HttpRequest, actor: Actor) -> tuple[RunSearch, SummedRuns, Standing, str]:
    form = RunSearch(request.GET)
    asked = form.wanted()
    name = form.cleaned_data.get("agent", "")
    agent = agent_of_runs(actor, name) if name else None
    rows, standing = found_runs(actor, Wanted(agent=agent, **asked))
    return form, rows, standing, wanted_order(request, _ORDERINGS, "-started_at")


def _as_csv(rows: Sequence[RunSummary]) -> Iterator[str]:
    names = list(RunOutput().fields)
    yield line(names)
    for row in rows:
        shown = RunOutput(row).data
        yield line(shown[name] for name in names)


def _as_json(rows: Sequence[RunSummary]) -> Iterator[str]:
    yield "["
    for number, row in enumerate(rows):
        yield (",\n" if number else "\n") + json.dumps(RunOutput(row).data, ensure_ascii=False)
    yield "\n]\n"


def _select(name: str, label: str, value: str, options: Any) -> dict[str, Any]:
    return {"name": name, "label": label, "value": value, "options": options}
