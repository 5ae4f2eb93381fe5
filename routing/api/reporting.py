"""Agents report steps over REST, with their own key; the gateway takes them."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.views import APIView

from kernel.canonical import BodyTooLarge
from registry.authentication import AgentKeyAuthentication
from routing.gateway.reporting.documents import LIMIT, MOST
from routing.gateway.reporting.steps import LONGEST_WORD, TYPES
from routing.handing_over import hand_over, headers_of


class _Usage(serializers.Serializer[Any]):
    """What a model call used, as the agent says."""

    input_tokens = serializers.IntegerField(required=False, min_value=0)
    output_tokens = serializers.IntegerField(required=False, min_value=0)
    cached_tokens = serializers.IntegerField(required=False, min_value=0)


class _Cost(serializers.Serializer[Any]):
    """What a step cost, as the agent says."""

    micros = serializers.IntegerField(min_value=0)
    currency = serializers.RegexField(r"^[A-Z]{3}$", default="USD")


class StepInput(serializers.Serializer[Any]):
    """One step. `arguments` and `output` are any JSON, and are sealed."""

    type = serializers.ChoiceField([*TYPES])
    name = serializers.CharField(max_length=LONGEST_WORD)
    status = serializers.ChoiceField(["ok", "error"], default="ok")
    error = serializers.CharField(required=False, max_length=LONGEST_WORD)
    started_at = serializers.DateTimeField(required=False)
    ended_at = serializers.DateTimeField(required=False)
    arguments = serializers.JSONField(required=False)
    output = serializers.JSONField(required=False)
    parent = serializers.CharField(required=False)  # type: ignore[assignment]
    trace_id = serializers.CharField(required=False)
    span_id = serializers.CharField(required=False)
    tool_call_id = serializers.CharField(required=False, max_length=LONGEST_WORD)
    provider = serializers.CharField(required=False, max_length=LONGEST_WORD)
    model = serializers.CharField(required=False, max_length=LONGEST_WORD)
    usage = _Usage(required=False)
    cost = _Cost(required=False)
    idempotency_key = serializers.CharField(required=False, max_length=LONGEST_WORD)


class StepsInput(serializers.Serializer[Any]):
    """Up to a hundred steps; one may also come by itself."""

    entries = serializers.ListField(child=StepInput(), min_length=1, max_length=MOST)


class TakenOutput(serializers.Serializer[Any]):
    """A step's entry, and whether it was recorded just now."""

    id = serializers.CharField()
    recorded = serializers.BooleanField()


class StepsOutput(serializers.Serializer[Any]):
    """The run, and what became of each step, in their order."""

    run = serializers.CharField()
    entries = TakenOutput(many=True)


class Reporting(APIView):
    """The half of a run's entries that agents use."""

    def get_authenticators(self) -> list[BaseAuthentication]:
        if getattr(self.request, "method", "") == "POST":
            return [AgentKeyAuthentication()]
        return list(super().get_authenticators())

    @extend_schema(
        operation_id="run_entries_report",
        request=StepsInput,
        responses={201: StepsOutput, 200: StepsOutput},
        auth=["agentKey"],
    )
    def post(self, request: Request, run: str) -> HttpResponse:
        """Report steps that the agent made outside the gateway."""
        body = request._request.read(LIMIT + 1)
        if len(body) > LIMIT:
            raise BodyTooLarge(f"The body has more than {LIMIT} bytes.", limit_bytes=LIMIT)
        answer = hand_over(run, body, request.headers)
        return HttpResponse(answer.body, status=answer.status, headers=headers_of(answer))
