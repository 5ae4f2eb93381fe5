"""Heartbeats over REST: an agent says with its key how it is."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fleet.health.actions.beating import LONGEST, STATUSES, take_heartbeat
from kernel.api import Input, Text
from registry.authentication import AgentKeyAuthentication, actor_of


class HeartbeatInput(Input):
    """How the agent is, in one word, and a line for people."""

    status = serializers.ChoiceField(choices=sorted(STATUSES))
    message = Text(
        max_length=LONGEST, required=False, allow_blank=True, default="",
        help_text="For those who see the agent's inside; only the last one is kept.",
    )  # fmt: skip


class HeartbeatOutput(serializers.Serializer[Any]):
    """When it was heard, and until when the next one is in time; null where none is expected."""

    received_at = serializers.DateTimeField(source="seen_at")
    late_at = serializers.DateTimeField(source="due_at", allow_null=True)
    status = serializers.CharField()


class Heartbeats(APIView):
    """Where agents say that they are there."""

    authentication_classes = (AgentKeyAuthentication,)

    @extend_schema(
        operation_id="heartbeats_send", request=HeartbeatInput,
        responses={202: HeartbeatOutput}, auth=["agentKey"],
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """Say how you are."""
        read = HeartbeatInput(data=request.data)
        read.is_valid(raise_exception=True)
        key: Any = request.auth
        check = take_heartbeat(key.agent, actor=actor_of(request), **read.validated_data)
        return Response(HeartbeatOutput(check).data, status=202)


urlpatterns = [path("heartbeats", Heartbeats.as_view(), name="heartbeats")]
