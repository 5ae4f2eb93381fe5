"""Re-evaluations over REST: begin, look at, cancel."""

from __future__ import annotations

from typing import Final

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from kernel.api import Listing, ListQuery, page_of
from registry.authentication import actor_of
from routing.actions.reevaluating import cancel_reevaluation, reevaluate
from routing.models import Reevaluation
from routing.queries.calls import run_shown_to
from routing.queries.reevaluations import reevaluation_for, reevaluations_of


class ReevaluationInput(serializers.Serializer[dict[str, str]]):
    """Of which target the run's calls are asked: a route's name, or ``vendor/model``."""

    target = serializers.CharField(max_length=300)


class ReevaluationOutput(serializers.ModelSerializer[Reevaluation]):
    """One re-evaluation. ``new_run`` is compared with ``run`` at ``diff``."""

    id = serializers.CharField(source="public_id")
    run = serializers.CharField(source="run_id")
    new_run = serializers.CharField(source="new_run_id")
    diff = serializers.SerializerMethodField()

    class Meta:
        model = Reevaluation
        fields = (
            "id", "run", "new_run", "target", "state", "steps", "done", "failed",
            "estimate_micros", "requested_by", "requested_at", "ended_at", "diff",
        )  # fmt: skip

    def get_diff(self, made: Reevaluation) -> str:
        return f"/api/v1/runs/{made.run_id}/diff/{made.new_run_id}"


class ReevaluationsQuery(ListQuery):
    """Nothing to narrow by: a run has few."""


_LIST: Final = Listing(ReevaluationsQuery, search=("target",), ordering=("requested_at",))


class Reevaluations(APIView):
    """What was made of a run."""

    @extend_schema(
        operation_id="reevaluations_list",
        parameters=[ReevaluationsQuery],
        responses=page_of(ReevaluationOutput),
    )
    def get(self, request: Request, run: str) -> Response:
        found = reevaluations_of(run_shown_to(actor_of(request), run))
        asked = _LIST.read(request)
        return _LIST.answer(
            request, found, lambda page: ReevaluationOutput(page, many=True).data, asked
        )

    @extend_schema(request=ReevaluationInput, responses={202: ReevaluationOutput})
    def post(self, request: Request, run: str) -> Response:
        """Begin one: the worker makes the calls, in a run of their own, effects blocked."""
        given = ReevaluationInput(data=request.data)
        given.is_valid(raise_exception=True)
        made = reevaluate(run, given.validated_data["target"], actor=actor_of(request))
        return Response(ReevaluationOutput(made).data, status=202)


class OneReevaluation(APIView):
    """One re-evaluation and how far it has come."""

    @extend_schema(responses=ReevaluationOutput)
    def get(self, request: Request, reevaluation: str) -> Response:
        found = reevaluation_for(actor_of(request), reevaluation)
        return Response(ReevaluationOutput(found).data)

    @extend_schema(responses=ReevaluationOutput)
    def delete(self, request: Request, reevaluation: str) -> Response:
        """Cancel it: calls that are under way end, no further one is made."""
        actor = actor_of(request)
        found = cancel_reevaluation(reevaluation_for(actor, reevaluation), actor=actor)
        return Response(ReevaluationOutput(found).data)
