"""The home page over REST: the same figures for whoever builds a page of their own."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fleet.queries.home import PERIODS, home_for
from kernel.api import Input
from registry.authentication import actor_of
from routing.figures import FiguresOutput


class SummaryQuery(Input):
    """The query of the summary."""

    days = serializers.ChoiceField(choices=PERIODS, default=30)
    within_days = serializers.IntegerField(
        min_value=0, max_value=1000, default=90, help_text="How soon a model retires."
    )


class SumsOutput(FiguresOutput):
    """Sums of calls."""

    failed = serializers.IntegerField(source="errors")


class NamedSumsOutput(serializers.Serializer[Any]):
    """Sums of calls of a day or an agent."""

    name = serializers.CharField()
    used = SumsOutput()


class TeamCountOutput(serializers.Serializer[Any]):
    """How many agents of each stage a team has."""

    name = serializers.CharField()
    slug = serializers.CharField()
    agents = serializers.IntegerField()
    stages = serializers.DictField(child=serializers.IntegerField())


class RetiringOutput(serializers.Serializer[Any]):
    """A model in use that ends soon, and the agents that touch it."""

    model_id = serializers.CharField()
    vendor = serializers.CharField()
    model = serializers.CharField()
    retires_on = serializers.DateField()
    days_left = serializers.IntegerField()
    replacement = serializers.CharField()
    lifecycle_source = serializers.CharField(source="source")
    as_of = serializers.CharField()
    agents = serializers.IntegerField()
    calling = serializers.IntegerField()
    names = serializers.ListField(child=serializers.CharField())


class ConcernedOutput(serializers.Serializer[Any]):
    """One agent that needs somebody."""

    name = serializers.CharField()
    title = serializers.CharField()
    detail = serializers.CharField()


class ConcernOutput(serializers.Serializer[Any]):
    """One reason to look, and the first agents it holds for."""

    kind = serializers.CharField()
    count = serializers.IntegerField()
    agents = ConcernedOutput(many=True)


class SummaryOutput(serializers.Serializer[Any]):
    """What needs a decision today, and how the fleet is doing."""

    whole_fleet = serializers.BooleanField(source="is_whole_fleet")
    agents = serializers.IntegerField()
    stages = serializers.DictField(child=serializers.IntegerField())
    suspended = serializers.IntegerField()
    teams = TeamCountOutput(many=True)
    days = NamedSumsOutput(many=True)
    total = SumsOutput()
    dearest_this_month = NamedSumsOutput(many=True, source="dearest")
    retiring = RetiringOutput(many=True)
    reviews_waiting = serializers.IntegerField()
    concerns = ConcernOutput(many=True)
    counted_at = serializers.DateTimeField(allow_null=True)


class Summary(APIView):
    """The figures of the home page, for what this viewer may see."""

    @extend_schema(parameters=[SummaryQuery], responses=SummaryOutput)
    def get(self, request: Request) -> Response:
        asked = SummaryQuery(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        home = home_for(actor_of(request), **asked.validated_data)
        return Response(SummaryOutput(home).data)


urlpatterns = [path("fleet/summary", Summary.as_view(), name="fleet-summary")]
