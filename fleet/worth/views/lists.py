"""Worth: where the agents stand now, the lists of quarters, and what is said to them."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from fleet.templatetags.figures import count, money
from fleet.worth.actions.answering import answer_suggestion, decide_suggestion
from fleet.worth.actions.listing import list_quarter_now
from fleet.worth.models import Answer, Listed
from fleet.worth.models.standing import Suggestion
from fleet.worth.picture import scatter_of, value_of
from fleet.worth.queries.duplicates import groups_for
from fleet.worth.queries.lists import (
    DRAWN,
    answers_of,
    contested,
    listed_for,
    listed_in,
    made_at,
    quarter_named,
    quarters,
    standings_for,
    sums_for,
)
from kernel.pages import asked, chosen, cut, found
from kernel.sheets import table
from registry.actors import Actor
from registry.models import Role
from registry.portal import signed_in, told

_COLUMNS: Final = (
    "model_micros", "tool_micros", "review_micros", "calls", "runs", "days", "callers", "decided",
    "accepted", "edited", "rejected", "failed", "accepted_milli", "is_valued", "is_measured",
    "net_micros", "net_lower_micros", "net_upper_micros", "idle_days", "is_orphan",
    "weeks_negative", "gap_lower",
)  # fmt: skip

_SAID: Final[dict[str, Any]] = {
    "name": "said", "label": "Whatever was said",
    "options": [("contested", "Contested, not decided")],
}  # fmt: skip


@signed_in
@require_GET
def worth(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show where the agents stand that this viewer sees inside."""
    what = chosen(request, "suggestion", Suggestion.values)
    rows = standings_for(actor)
    if what:
        rows = rows.filter(suggestion=what)
    rows = found(rows, asked(request, "search"), "agent__name", "agent__title",
                 "agent__owner__email", "agent__team__name")  # fmt: skip
    sums = sums_for(actor)
    context = {
        "page": cut(request, rows, ordering="-cost_micros"),
        "selects": [_select(what)],
        "sums": sums,
        "tiles": _tiles(sums),
        "scatter": scatter_of(standings_for(actor).order_by("-cost_micros")[:DRAWN]),
        "drawn": DRAWN,
        "made": made_at(),
        "quarters": quarters(),
        "groups": groups_for(actor).filter(state="open").count(),
        "may_make": actor.has(Role.PLATFORM),
        "is_narrowed": bool(what or asked(request, "search")),
    }
    return render(request, "worth/worth.html", context)


@signed_in
@require_POST
def make(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Make the list of the quarter so far."""
    actor.require(Role.PLATFORM)
    with told(request):
        made = list_quarter_now(actor=actor)
        messages.success(request, f"The list {made.name} is made, and kept as it is.")
        return redirect("worth:list", made.public_id)
    return redirect("worth:quarter")


@signed_in
@require_GET
def quarter(request: HttpRequest, actor: Actor, quarter: str) -> HttpResponse:
    """Show the list of a quarter as it was made, with what was answered since."""
    shown = quarter_named(quarter)
    what = chosen(request, "suggestion", Suggestion.values)
    said = chosen(request, "said", ("contested",))
    rows = listed_in(actor, shown)
    if what:
        rows = rows.filter(suggestion=what)
    if said:
        rows = contested(rows)
    rows = found(rows, asked(request, "search"), "agent_name", "title", "owner", "team")
    page = cut(request, rows, ordering="-cost_micros")
    context = {
        "quarter": shown,
        "page": page,
        "rows": [{"listed": row, **answers_of(row)} for row in page],
        "value": value_of(listed_in(actor, shown).order_by("-cost_micros", "-public_id")[:DRAWN]),
        "selects": [_select(what), _SAID | {"value": said}],
        "is_narrowed": bool(what or said or asked(request, "search")),
    }
    return render(request, "worth/quarter.html", context)


@signed_in
@require_GET
def as_csv(request: HttpRequest, actor: Actor, quarter: str) -> HttpResponse:
    """Give a list as CSV, with its answers."""
    shown = quarter_named(quarter)
    columns = ["quarter", "agent", "title", "owner", "team", "suggestion", "reasons",
               "cost_micros", *_COLUMNS, "answer", "decision"]  # fmt: skip
    rows = listed_in(actor, shown).order_by("-cost_micros", "-public_id")
    sheet = table(columns, (_cells(shown.name, row) for row in rows))
    answer = HttpResponse(sheet, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="worth-{shown.name}.csv"'
    return answer


@signed_in
@require_GET
def listed(request: HttpRequest, actor: Actor, listed: str) -> HttpResponse:
    """Show one line of a list: the evidence, what was said, and what may be said."""
    return _listed(request, actor, listed_for(actor, listed))


@signed_in
@require_POST
def answer(request: HttpRequest, actor: Actor, listed: str) -> HttpResponse:
    """Accept or contest a suggestion."""
    said = request.POST.get("said", "")
    with told(request):
        done = answer_suggestion(listed, said, actor=actor, because=request.POST.get("because", ""))
        word = "Contested" if done.said == Answer.Said.CONTESTED else "Accepted"
        messages.success(request, f"{word}. It is on record.")
    return redirect("worth:listed", listed)


@signed_in
@require_POST
def decide(request: HttpRequest, actor: Actor, listed: str) -> HttpResponse:
    """Uphold or lift a suggestion that was contested."""
    with told(request):
        done = decide_suggestion(
            listed, request.POST.get("said", ""), actor=actor,
            because=request.POST.get("because", ""),
        )  # fmt: skip
        messages.success(request, f"{done.get_said_display()}. It is on record.")
    return redirect("worth:listed", listed)


def _listed(request: HttpRequest, actor: Actor, row: Listed) -> HttpResponse:
    said = answers_of(row)
    context = {
        "listed": row,
        "quarter": row.quarter,
        "figures": row.figures,
        "may_decide": actor.has(Role.PLATFORM),
        **said,
    }
    return render(request, "worth/listed.html", context)


def _cells(name: str, row: Listed) -> list[Any]:
    said = answers_of(row)
    answers = [said[key].said if said[key] else "" for key in ("answer", "decision")]  # type: ignore[union-attr]
    return [
        name, row.agent_name, row.title, row.owner, row.team, row.suggestion,
        " ".join(row.reasons), row.cost_micros, *(row.figures.get(key) for key in _COLUMNS),
        *answers,
    ]  # fmt: skip


def _select(value: str) -> dict[str, Any]:
    return {
        "name": "suggestion", "label": "Any suggestion", "value": value,
        "options": [(each.value, each.label) for each in Suggestion],
    }  # fmt: skip


def _tiles(sums: Any) -> list[dict[str, Any]]:
    number = sums.by_suggestion
    return [
        {"label": "Agents", "value": count(sums.agents), "note": "that may call"},
        {"label": "Cost, 13 weeks", "value": money(sums.cost_micros),
         "note": "models, tools, reviewers"},
        {"label": "Accepted outcomes", "value": count(sums.accepted_milli // 1000),
         "note": "edited ones by what was kept"},
        {"label": "To look at", "value": count(sums.agents - number.get("keep", 0)),
         "note": f"{number.get('retire', 0)} retire, {number.get('merge', 0)} merge,"
         f" {number.get('tune', 0)} tune"},
    ]  # fmt: skip
