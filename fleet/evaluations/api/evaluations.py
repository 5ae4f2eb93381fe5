"""Evaluations over REST: begin, estimate, look at, take out, cancel.

Figures and flags only: what was said is read on the pages and payload addresses of runs, where
each reading is on record.
"""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpResponse
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fleet.evaluations.actions.beginning import Plan, begin_evaluation, plan_evaluation
from fleet.evaluations.actions.criteria import set_criteria
from fleet.evaluations.actions.ending import cancel_evaluation
from fleet.evaluations.actions.previewing import preview_criteria
from fleet.evaluations.errors import CandidateUnusable
from fleet.evaluations.models import Evaluation
from fleet.evaluations.queries.criteria import criteria_of
from fleet.evaluations.queries.evaluations import (
    evaluation_for,
    evaluations_for,
    require_evaluate,
)
from fleet.evaluations.queries.models import baselines_of, model_named
from fleet.evaluations.queries.pairs import AXES, pairs_of, progress_of
from fleet.evaluations.queries.reports import stale_because
from fleet.evaluations.report import as_csv, pair_told, told
from kernel.api import Input, Listing, ListQuery, Text, page_of
from registry.actors import Actor
from registry.authentication import actor_of
from registry.models import Agent, Role
from registry.queries.agents import agent_for, agent_inside_for

_MOST_CSV: Final = 100_000


class EvaluationInput(Input):
    """Which models are compared, on how many recorded runs."""

    baseline = Text(
        required=False, max_length=300, help_text="vendor/model; the one that served it most."
    )
    candidates = serializers.ListField(child=Text(max_length=300), min_length=1, max_length=5)
    sample = serializers.IntegerField(required=False, min_value=1, max_value=500)
    ask_baseline = serializers.BooleanField(
        required=False, help_text="Ask the baseline once more, so that its noise is known."
    )
    cap_micros = serializers.IntegerField(required=False, min_value=1)
    seed = Text(required=False, max_length=64)
    preview = serializers.BooleanField(required=False, default=False)


class EvaluationOutput(serializers.Serializer[Any]):
    """One evaluation, briefly."""

    id = serializers.CharField(source="public_id")
    agent = serializers.CharField(source="agent.name")
    baseline = serializers.CharField(source="baseline_name")
    candidates = serializers.SerializerMethodField()
    state = serializers.CharField()
    phase = serializers.CharField()
    runs = serializers.IntegerField()
    digest = serializers.CharField()
    requested_by = serializers.CharField()
    requested_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)

    def get_candidates(self, made: Evaluation) -> list[dict[str, str]]:
        arms = [arm for arm in made.arms.all() if arm.kind == "candidate"]
        return [{"target": arm.target, "verdict": arm.verdict} for arm in arms]


class EvaluationsQuery(ListQuery):
    """The query of the list of evaluations."""

    state = serializers.ChoiceField(choices=Evaluation.State.choices, required=False)


_LIST: Final = Listing(
    EvaluationsQuery, search=("public_id", "agent__name", "baseline_name"),
    ordering=("requested_at",),
)  # fmt: skip


def _listed(request: Request, agent: Agent | None = None) -> Response:
    asked = _LIST.read(request)
    rows = evaluations_for(actor_of(request), agent).prefetch_related("arms")
    if "state" in asked:
        rows = rows.filter(state=asked["state"])
    return _LIST.answer(request, rows, lambda page: EvaluationOutput(page, many=True).data, asked)


class Evaluations(APIView):
    """Every evaluation that one may see."""

    @extend_schema(
        operation_id="evaluations_list",
        parameters=[EvaluationsQuery],
        responses=page_of(EvaluationOutput),
    )
    def get(self, request: Request) -> Response:
        return _listed(request)


class EvaluationsOfAgent(APIView):
    """The evaluations of one agent."""

    @extend_schema(
        operation_id="evaluations_of_agent_list",
        parameters=[EvaluationsQuery],
        responses=page_of(EvaluationOutput),
    )
    def get(self, request: Request, name: str) -> Response:
        return _listed(request, agent_for(actor_of(request), name))

    @extend_schema(request=EvaluationInput, responses={202: OpenApiTypes.OBJECT})
    def post(self, request: Request, name: str) -> Response:
        """Begin one, or with ``preview`` say what it would ask and cost."""
        read = EvaluationInput(data=request.data)
        read.is_valid(raise_exception=True)
        actor, asked = actor_of(request), read.validated_data
        agent = agent_for(actor, name)
        require_evaluate(actor, agent)
        chosen: dict[str, Any] = {
            "agent": agent,
            "baseline": _baseline(agent, asked.get("baseline", "")),
            "candidates": [model_named(one) for one in asked["candidates"]],
            "sample": asked.get("sample"),
            "asks_baseline": asked.get("ask_baseline"),
            "seed": asked.get("seed", ""),
        }
        if asked["preview"]:
            return Response(_preview(plan_evaluation(**chosen)))
        made = begin_evaluation(**chosen, cap_micros=asked.get("cap_micros"), actor=actor)
        return Response(_report(made), status=202)


class OneEvaluation(APIView):
    """One evaluation: how far it is, and its report once it is over."""

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, evaluation: str) -> Response:
        return Response(_report(evaluation_for(actor_of(request), evaluation)))

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def delete(self, request: Request, evaluation: str) -> Response:
        """Cancel it: calls that are under way end, no further one is made."""
        actor = actor_of(request)
        return Response(_report(cancel_evaluation(evaluation_for(actor, evaluation), actor=actor)))


class PairsQuery(ListQuery):
    """The query of the list of pairs."""

    candidate = Text(required=False, max_length=300)
    axis = serializers.ChoiceField(choices=[*AXES], required=False)


_PAIRS: Final = Listing(PairsQuery, search=("case__public_id",), ordering=("badness",))


class Pairs(APIView):
    """The pairs of one evaluation, the worst first."""

    @extend_schema(
        operation_id="evaluation_pairs_list", parameters=[PairsQuery], responses=OpenApiTypes.OBJECT
    )
    def get(self, request: Request, evaluation: str) -> Response:
        found = evaluation_for(actor_of(request), evaluation)
        asked = _PAIRS.read(request)
        rows = pairs_of(found, arm=asked.get("candidate", ""), axis=asked.get("axis", ""))
        first = int(asked.get("cursor") or 0) if str(asked.get("cursor", "0")).isdigit() else 0
        size = asked.get("page_size", 50)
        some = list(rows[first : first + size + 1])
        following = str(first + size) if len(some) > size else None
        return Response({"results": [pair_told(one) for one in some[:size]], "next": following})


class PairsAsCsv(APIView):
    """All pairs of one evaluation as CSV."""

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.STR})
    def get(self, request: Request, evaluation: str) -> HttpResponse:
        found = evaluation_for(actor_of(request), evaluation)
        response = HttpResponse(
            as_csv(list(pairs_of(found)[:_MOST_CSV])), content_type="text/csv; charset=utf-8"
        )
        response["Content-Disposition"] = f'attachment; filename="{found.public_id}.csv"'
        return response


class CriteriaOfAgent(APIView):
    """What a candidate for an agent is held to."""

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, name: str) -> Response:
        criteria = criteria_of(agent_inside_for(actor_of(request), name))
        return Response(criteria.told() | {"digest": criteria.digest})

    @extend_schema(request=OpenApiTypes.OBJECT, responses=OpenApiTypes.OBJECT)
    def put(self, request: Request, name: str) -> Response:
        """Set the bounds; those not named are the defaults. For platform and security."""
        actor: Actor = actor_of(request)
        said = request.data if isinstance(request.data, dict) else {}
        criteria = set_criteria(agent_for(actor, name), said, actor=actor)
        return Response(criteria.told() | {"digest": criteria.digest})


class PreviewOfCriteria(APIView):
    """What other bounds would make of the reports that stand."""

    @extend_schema(
        operation_id="evaluation_criteria_preview",
        request=OpenApiTypes.OBJECT,
        responses=OpenApiTypes.OBJECT,
    )
    def post(self, request: Request, name: str) -> Response:
        """Say it; nothing is set. For platform and security."""
        actor = actor_of(request)
        agent = agent_inside_for(actor, name)
        actor.require(Role.PLATFORM, Role.SECURITY)
        found = preview_criteria(agent, request.data if isinstance(request.data, dict) else {})
        return Response({
            "digest": found.criteria.digest,
            "changed": [
                {"bound": bound, "before": before, "after": after}
                for bound, before, after in found.changed
            ],
            "reports": [
                {
                    "evaluation": turn.arm.evaluation.public_id,
                    "candidate": turn.arm.target,
                    "before": turn.before,
                    "after": turn.after,
                }
                for turn in found.turns
            ],
        })  # fmt: skip


def _baseline(agent: Agent, name: str) -> Any:
    if name:
        return model_named(name)
    found = baselines_of(agent)
    if not found:
        raise CandidateUnusable("No model served this agent: name the baseline.")
    return found[0]


def _report(made: Evaluation) -> dict[str, Any]:
    done, whole = progress_of(made)
    return told(made, stale_because(made)) | {"asked": done, "to_ask": whole}


def _preview(plan: Plan) -> dict[str, Any]:
    return {
        "runs": plan.sample.runs,
        "cases": plan.sample.cases,
        "golden": len(plan.sample.golden),
        "strata": plan.sample.strata,
        "excluded": plan.sample.excluded,
        "calls": plan.estimate.calls,
        "estimate_micros": plan.estimate.micros,
        "estimate_seconds": plan.estimate.seconds,
        "seed": plan.seed,
        "arms": [
            {
                "target": arm.name,
                "is_baseline": arm.is_baseline,
                "calls": arm.calls,
                "micros": arm.micros,
            }
            for arm in plan.estimate.arms
        ],
    }


urlpatterns = [
    path("evaluations", Evaluations.as_view()),
    path("evaluations/<str:evaluation>", OneEvaluation.as_view()),
    path("evaluations/<str:evaluation>/pairs", Pairs.as_view()),
    path("evaluations/<str:evaluation>/pairs.csv", PairsAsCsv.as_view()),
    path("agents/<str:name>/evaluations", EvaluationsOfAgent.as_view()),
    path("agents/<str:name>/evaluation-criteria", CriteriaOfAgent.as_view()),
    path("agents/<str:name>/evaluation-criteria/preview", PreviewOfCriteria.as_view()),
]
