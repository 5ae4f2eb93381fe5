"""Changed rate limits over REST: what they would have refused, as far as the viewer sees."""

from __future__ import annotations

from typing import Any, Final

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fleet.drift.queries.limits import limit_effect_for, limit_effects_for, limit_parts_of
from kernel.api import Listing, ListQuery, page_of
from registry.actors import Actor
from registry.authentication import actor_of
from registry.queries import GOVERNING

MOST: Final = 1000
_OF_ALL: Final = (
    "peak_calls", "peak_calls_at", "peak_tokens", "peak_tokens_at", "minutes_over",
    "refused_tokens",
)  # fmt: skip


class LimitChangeOutput(serializers.Serializer[Any]):
    """One changed limit, with the sums of the agents that the viewer sees.

    The peaks are everybody's, and null for those who do not govern.
    """

    id = serializers.CharField(source="public_id")
    platform = serializers.CharField(source="change.platform")
    model = serializers.CharField(source="change.model_name")
    before = serializers.DictField(source="change.before")
    after = serializers.DictField(source="change.after")
    source = serializers.CharField(source="change.source")  # type: ignore[assignment]
    seen_at = serializers.DateTimeField(source="change.seen_at")
    agent_count = serializers.IntegerField()
    calls = serializers.IntegerField(source="seen_calls")
    refused_calls = serializers.IntegerField(source="seen_refused")
    peak_calls = serializers.IntegerField(allow_null=True)
    peak_calls_at = serializers.DateTimeField(allow_null=True)
    peak_tokens = serializers.IntegerField(allow_null=True)
    peak_tokens_at = serializers.DateTimeField(allow_null=True)
    minutes_over = serializers.IntegerField(allow_null=True)
    refused_tokens = serializers.IntegerField(allow_null=True)


class LimitPartOutput(serializers.Serializer[Any]):
    """One agent's part."""

    agent = serializers.CharField(source="agent.name")
    calls = serializers.IntegerField()
    refused_calls = serializers.IntegerField()


class OneLimitChangeOutput(LimitChangeOutput):
    """One changed limit with its parts: at most 1,000 agents, the most concerned first."""

    agents = LimitPartOutput(many=True)


_CHANGES: Final = Listing(
    ListQuery, search=("change__model_name", "change__platform"), ordering=("counted_at",)
)


class LimitChanges(APIView):
    """Changed limits, the newest first."""

    @extend_schema(
        operation_id="limit_changes_list",
        parameters=[ListQuery],
        responses=page_of(LimitChangeOutput),
    )
    def get(self, request: Request) -> Response:
        actor, asked = actor_of(request), _CHANGES.read(request)
        rows = limit_effects_for(actor)
        return _CHANGES.answer(
            request, rows, lambda page: [_told(actor, each) for each in page], asked
        )


class OneLimitChange(APIView):
    """One changed limit."""

    @extend_schema(operation_id="limit_changes_read", responses=OneLimitChangeOutput)
    def get(self, request: Request, change: str) -> Response:
        actor = actor_of(request)
        effect = limit_effect_for(actor, change)
        parts = limit_parts_of(actor, effect)[:MOST]
        agents = LimitPartOutput(parts, many=True).data
        return Response({**_told(actor, effect), "agents": agents})


def _told(actor: Actor, effect: Any) -> dict[str, Any]:
    told = dict(LimitChangeOutput(effect).data)
    if not actor.has(*GOVERNING):
        told |= dict.fromkeys(_OF_ALL)
    return told


urlpatterns = [
    path("limit-changes", LimitChanges.as_view(), name="limit-changes"),
    path("limit-changes/<str:change>", OneLimitChange.as_view(), name="limit-change"),
]
