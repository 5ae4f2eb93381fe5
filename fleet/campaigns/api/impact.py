"""Whom a change of a model concerns, over REST; the sums of all, and the agents page by page."""

from __future__ import annotations

from typing import Any, Final

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fleet.campaigns.api.outputs import ImpactOutput
from fleet.campaigns.queries.impact import (
    NAMED,
    WAYS,
    Asked,
    Exposure,
    Impact,
    exposure_of,
    touched_agents,
)
from kernel.api import Input, Text
from registry.authentication import actor_of
from routing.queries.vendors import model_for

MOST: Final = 1000


class ImpactQuery(Input):
    """What the agents are narrowed to, and which of them: so many, after so many."""

    search = Text(required=False, max_length=200)
    way = serializers.ChoiceField(choices=list(WAYS), required=False)
    limit = serializers.IntegerField(min_value=1, max_value=MOST, default=NAMED)
    offset = serializers.IntegerField(min_value=0, max_value=1_000_000, default=0)


class ModelImpact(APIView):
    """Whom a change of a model concerns, as far as the caller may see; the busiest agents first."""

    @extend_schema(operation_id="model_impact", parameters=[ImpactQuery], responses=ImpactOutput)
    def get(self, request: Request, model: str) -> Response:
        query = ImpactQuery(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        said: dict[str, Any] = query.validated_data
        actor = actor_of(request)
        row = model_for(actor, model)
        agents = touched_agents(
            row, viewer=actor, limit=said["limit"], start=said["offset"],
            asked=Asked(said.get("search", ""), said.get("way", "")),
        )  # fmt: skip
        exposure = exposure_of([row], viewer=actor).get(row.public_id, Exposure())
        return Response(ImpactOutput(Impact(row.public_id, exposure, agents)).data)


urlpatterns = [path("models/<str:model>/impact", ModelImpact.as_view(), name="model-impact")]
