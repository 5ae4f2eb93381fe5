"""Runs, calls and their ledger entries over REST, as they are committed at this moment."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import F, Q, QuerySet
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from kernel.api import Listing, page_of
from registry.actors import Actor
from registry.authentication import (
    SessionAuthentication,
    TokenOrKeyAuthentication,
    actor_of,
)
from routing.actions.runs import end_run
from routing.api.bodies import CallsQuery, EntriesQuery, RunsQuery
from routing.api.compared import Diff
from routing.api.reevaluations import OneReevaluation, Reevaluations
from routing.api.reporting import Reporting
from routing.api.shapes import CallOutput, OneRunOutput, RunEntryOutput, RunOutput
from routing.queries.calls import (
    agent_of_runs,
    calls_for,
    entries_of,
    run_for,
    run_shown_to,
    seen_agent,
)
from routing.queries.reported import reported_use
from routing.queries.run_lists import Wanted, found_runs
from routing.queries.run_sums import summary_of
from routing.queries.tools import children_of, parents_of

# Words are looked for by the query itself, which knows where each has an index.
_AGENTS_TOO: Final = (TokenOrKeyAuthentication, SessionAuthentication)
_RUNS: Final = Listing(RunsQuery, search=(), ordering=("started_at", "cost_micros", "duration_ms"))
_SAID: Final = ("owner", "team", "state", "outcome", "error", "model", "vendor", "route", "tool")
_CALLS: Final = Listing(CallsQuery, search=("requested_model", "model"), ordering=("started_at",))
_ENTRIES: Final = Listing(EntriesQuery, search=("verb",), ordering=("recorded_at", "seq"))


class Runs(APIView):
    """The runs this viewer may see, the newest first."""

    @extend_schema(operation_id="runs_list", parameters=[RunsQuery], responses=page_of(RunOutput))
    def get(self, request: Request) -> Response:
        actor, asked = actor_of(request), _RUNS.read(request)
        rows, _ = found_runs(actor, _wanted(actor, asked))
        asked["ordering"] = asked["ordering"].replace("duration_ms", "length_ms")
        return _RUNS.answer(request, rows, lambda page: RunOutput(page, many=True).data, asked)


def _wanted(actor: Actor, asked: dict[str, Any]) -> Wanted:
    said = {name: asked.get(name, "") for name in _SAID}
    return Wanted(
        words=asked.get("search", ""),
        agent=agent_of_runs(actor, asked["agent"]) if "agent" in asked else None,
        has=asked.get("has", ()),
        since=asked.get("since"),
        until=asked.get("until"),
        least_cost=asked.get("min_cost_micros"),
        most_cost=asked.get("max_cost_micros"),
        least_ms=asked.get("min_duration_ms"),
        most_ms=asked.get("max_duration_ms"),
        **said,
    )


class OneRun(APIView):
    """One run, by its id or by the label its agent gave it. An agent reads its own."""

    authentication_classes = _AGENTS_TOO

    @extend_schema(responses=OneRunOutput)
    def get(self, request: Request, run: str) -> Response:
        actor = actor_of(request)
        shown = run_shown_to(actor, run)
        found: Any = summary_of(shown)
        found.agent_name = getattr(shown, "agent_name", None)
        found.parents, found.children = parents_of(actor, found), children_of(actor, found)
        found.reported_use = reported_use(found.run_id)
        found.parent_run = found.parents[0].run.run_id if found.parents else None
        return Response(OneRunOutput(found).data)


class RunEnd(APIView):
    """An agent, or whoever answers for it, says that a run is over."""

    authentication_classes = _AGENTS_TOO

    @extend_schema(operation_id="run_end", request=None, responses=OneRunOutput)
    def post(self, request: Request, run: str) -> Response:
        actor = actor_of(request)
        end_run(run_for(actor, run), actor=actor)
        return OneRun().get(request, run)


class Entries(Reporting):
    """What the ledger holds of a run, in the order it was recorded. An agent reads its own."""

    authentication_classes = _AGENTS_TOO

    @extend_schema(
        operation_id="run_entries_list",
        parameters=[EntriesQuery],
        responses=page_of(RunEntryOutput),
    )
    def get(self, request: Request, run: str) -> Response:
        asked = _ENTRIES.read(request)
        if "ordering" not in request.query_params:
            asked["ordering"] = "recorded_at"
        rows = entries_of(run_shown_to(actor_of(request), run))
        for query, field in (("kind", "kind"), ("verb", "verb"), ("intent", "intent_id")):
            if query in asked:
                rows = rows.filter(**{field: asked[query]})
        rows = rows.annotate(public_id=F("entry_id"))
        return _ENTRIES.answer(
            request, rows, lambda page: RunEntryOutput(page, many=True).data, asked
        )


class Calls(APIView):
    """The calls this viewer may see, the newest first."""

    @extend_schema(
        operation_id="calls_list", parameters=[CallsQuery], responses=page_of(CallOutput)
    )
    def get(self, request: Request) -> Response:
        actor, asked = actor_of(request), _CALLS.read(request)
        agent = seen_agent(actor, asked["agent"]) if "agent" in asked else None
        rows = calls_for(actor, agent)
        if "run" in asked:
            rows = rows.filter(run_id=run_for(actor, asked["run"]).run_id)
        rows = _filtered(rows, asked).annotate(public_id=F("intent_id"))
        return _CALLS.answer(request, rows, lambda page: CallOutput(page, many=True).data, asked)


def _filtered(rows: QuerySet[Any], asked: dict[str, Any]) -> QuerySet[Any]:
    for name in ("route", "vendor", "model", "status"):
        if name in asked:
            rows = rows.filter(**{name: asked[name]})
    if "call" in asked:
        rows = rows.filter(Q(intent_id=asked["call"]) | Q(call_id=asked["call"]))
    if asked["is_substituted"] is not None:
        rows = rows.filter(is_substituted=asked["is_substituted"])
    if "since" in asked:
        rows = rows.filter(started_at__gte=asked["since"])
    if "until" in asked:
        rows = rows.filter(started_at__lt=asked["until"])
    return rows


# A label may hold slashes, so what follows it is looked at first.
urlpatterns = [
    path("runs", Runs.as_view(), name="runs"),
    path("runs/<path:run>/entries", Entries.as_view(), name="run-entries"),
    path("runs/<path:run>/re-evaluations", Reevaluations.as_view(), name="run-reevaluations"),
    path("re-evaluations/<str:reevaluation>", OneReevaluation.as_view(), name="reevaluation"),
    path("runs/<path:run>/diff/<str:other>", Diff.as_view(), name="run-diff"),
    path("runs/<path:run>/end", RunEnd.as_view(), name="run-end"),
    path("runs/<path:run>", OneRun.as_view(), name="run"),
    path("calls", Calls.as_view(), name="calls"),
]
