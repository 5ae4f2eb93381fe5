"""Conformance over REST: the figures of an agent's page."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fleet.conformance.models import DeviationSum
from fleet.conformance.queries.conformity import conformance_for
from registry.authentication import actor_of


class ShareOutput(serializers.Serializer[Any]):
    """So many of so many, and between which shares the truth lies (95 %)."""

    part = serializers.IntegerField()
    whole = serializers.IntegerField()
    value = serializers.FloatField(allow_null=True)
    lower = serializers.FloatField()
    upper = serializers.FloatField()


class DeviationOutput(serializers.Serializer[Any]):
    """One way in which runs differ; a declared step is named with = before it."""

    kind = serializers.ChoiceField(choices=DeviationSum.Kind.choices)
    step = serializers.CharField()
    after = serializers.CharField()
    runs = serializers.IntegerField()
    times = serializers.IntegerField()
    first_at = serializers.DateTimeField()
    last_at = serializers.DateTimeField()
    examples = serializers.ListField(child=serializers.CharField())


class EdgeOutput(serializers.Serializer[Any]):
    """How often one step directly followed another; ^ is the start, $ the end."""

    step = serializers.CharField(source="source")
    followed_by = serializers.CharField(source="target")
    times = serializers.IntegerField()
    runs = serializers.IntegerField()


class WeekOutput(serializers.Serializer[Any]):
    """The runs of one week, and how many of them deviate."""

    week = serializers.DateField(help_text="Its Monday.")
    runs = serializers.IntegerField()
    deviating = serializers.IntegerField()


class NeverSeenOutput(serializers.Serializer[Any]):
    """A declared step that no run shows."""

    name = serializers.CharField()
    kind = serializers.CharField()
    is_required = serializers.BooleanField()


class ConformanceOutput(serializers.Serializer[Any]):
    """The runs of 90 days against the steps that the agent declares now."""

    agent = serializers.CharField(source="agent.name")
    version = serializers.CharField(source="process.version")
    declares_steps = serializers.BooleanField(source="declares")
    runs = serializers.IntegerField()
    gap = ShareOutput(help_text="Runs that deviate.")
    fitness = serializers.FloatField(allow_null=True)
    deterministic_steps = ShareOutput(source="deterministic")
    deviations = DeviationOutput(many=True)
    follows = EdgeOutput(many=True, source="edges")
    weeks = WeekOutput(many=True)
    never_seen = NeverSeenOutput(many=True)
    checked_to = serializers.DateTimeField(allow_null=True)


class AgentConformance(APIView):
    """How an agent's runs stand to what it declares."""

    @extend_schema(operation_id="agents_conformance", responses=ConformanceOutput)
    def get(self, request: Request, name: str) -> Response:
        return Response(ConformanceOutput(conformance_for(actor_of(request), name)).data)


urlpatterns = [
    path("agents/<str:name>/conformance", AgentConformance.as_view(), name="agent-conformance")
]
