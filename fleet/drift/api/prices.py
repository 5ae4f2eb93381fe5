"""Changed prices over REST: what they come to, by agent and team, as far as the viewer sees."""

from __future__ import annotations

from typing import Any, Final

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fleet.drift.models import PriceEffect
from fleet.drift.queries.prices import parts_of, price_effect_for, price_effects_for, teams_of
from kernel.api import Listing, ListQuery, page_of
from registry.authentication import actor_of

MOST: Final = 1000


class AmountsOutput(serializers.Serializer[Any]):
    """What was paid, and what it would have been, in micro-units of currency."""

    paid_30 = serializers.IntegerField()
    would_30 = serializers.IntegerField()
    paid_90 = serializers.IntegerField()
    would_90 = serializers.IntegerField()


class PriceChangeOutput(AmountsOutput):
    """One changed price, with the sums of the agents that the viewer sees."""

    id = serializers.CharField(source="public_id")
    platform = serializers.CharField(source="change.platform")
    model = serializers.CharField(source="change.model_name")
    before = serializers.DictField(source="change.before")
    after = serializers.DictField(source="change.after")
    currency = serializers.CharField()
    source = serializers.CharField(source="change.source")  # type: ignore[assignment]
    seen_at = serializers.DateTimeField(source="change.seen_at")
    agent_count = serializers.IntegerField()
    calls = serializers.IntegerField()


class PartOutput(AmountsOutput):
    """One agent's part."""

    agent = serializers.CharField(source="agent.name")
    calls = serializers.IntegerField()


class TeamPartOutput(AmountsOutput):
    """One team's part."""

    team = serializers.CharField()
    agents = serializers.IntegerField()


class OnePriceChangeOutput(PriceChangeOutput):
    """One changed price with its parts: at most 1,000 agents, the dearest first."""

    agents = PartOutput(many=True)
    teams = TeamPartOutput(many=True)


_CHANGES: Final = Listing(
    ListQuery, search=("change__model_name", "change__platform"), ordering=("counted_at",)
)


class PriceChanges(APIView):
    """Changed prices, the newest first."""

    @extend_schema(
        operation_id="price_changes_list",
        parameters=[ListQuery],
        responses=page_of(PriceChangeOutput),
    )
    def get(self, request: Request) -> Response:
        asked, rows = _CHANGES.read(request), price_effects_for(actor_of(request))
        return _CHANGES.answer(
            request, rows, lambda page: PriceChangeOutput(page, many=True).data, asked
        )


class OnePriceChange(APIView):
    """One changed price."""

    @extend_schema(operation_id="price_changes_read", responses=OnePriceChangeOutput)
    def get(self, request: Request, change: str) -> Response:
        actor = actor_of(request)
        effect: PriceEffect = price_effect_for(actor, change)
        parts = parts_of(actor, effect)
        told = {
            **PriceChangeOutput(effect).data,
            "agents": PartOutput(parts[:MOST], many=True).data,
            "teams": TeamPartOutput(teams_of(parts), many=True).data,
        }
        return Response(told)


urlpatterns = [
    path("price-changes", PriceChanges.as_view(), name="price-changes"),
    path("price-changes/<str:change>", OnePriceChange.as_view(), name="price-change"),
]
