"""Health over REST: the fleet's status, one agent's, and how it is watched."""

from __future__ import annotations

from typing import Any, Final

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fleet.health.actions.setting import make_probe_secret, set_check
from fleet.health.api.shapes import AgentHealthOutput, CheckOutput, StandingOutput
from fleet.health.expected import Expected
from fleet.health.models import Status
from fleet.health.queries.runbooks import runbook_of
from fleet.health.queries.standing import checks_of, days_of, health_of, healths_for, seen
from kernel.api import Input, Listing, ListQuery, Text, page_of
from registry.authentication import SessionAuthentication, TokenOrKeyAuthentication, actor_of
from registry.queries import agent_for, agent_inside_for


class HealthQuery(ListQuery):
    """The query of the fleet's status."""

    status = serializers.ChoiceField(choices=Status.choices, required=False)
    team = Text(required=False, max_length=64)


class CheckInput(Input):
    """How an agent is to be watched, whatever its manifest says."""

    kind = serializers.ChoiceField(choices=["heartbeat", "http", "a2a-card"])
    url = Text(max_length=2048, required=False, allow_blank=True, default="")
    interval_seconds = serializers.IntegerField(
        required=False, default=60, min_value=1, max_value=10**9
    )
    grace_seconds = serializers.IntegerField(
        required=False, default=0, min_value=0, max_value=10**9
    )
    cron = Text(
        max_length=100, required=False, allow_blank=True, default="",
        help_text="Five fields; instead of the interval, for heartbeats.",
    )  # fmt: skip
    zone = Text(max_length=60, required=False, allow_blank=True, default="UTC")
    allow_private = serializers.BooleanField(required=False, default=False)

    def wanted(self) -> tuple[Expected, bool]:
        """Return what is asked for, and whether addresses inside are meant."""
        given: dict[str, Any] = dict(self.validated_data)
        private = given.pop("allow_private")
        is_beat = given["kind"] == "heartbeat"
        given["url"] = "" if is_beat else given["url"]
        given["cron"] = given["cron"] if is_beat else ""
        source = "heartbeat" if is_beat else "probe"
        return Expected(source=source, **given), private


class ProbeSecretOutput(serializers.Serializer[Any]):
    """A probe secret, shown this once."""

    secret = serializers.CharField()


_HEALTH: Final = Listing(
    HealthQuery, search=("agent__name", "agent__title"), ordering=("rank", "since")
)


class Health(APIView):
    """The status of the agents that run, the worst first."""

    authentication_classes = (TokenOrKeyAuthentication, SessionAuthentication)

    @extend_schema(
        operation_id="health_list", parameters=[HealthQuery], responses=page_of(StandingOutput)
    )
    def get(self, request: Request) -> Response:
        asked, actor = _HEALTH.read(request), actor_of(request)
        rows = healths_for(actor)
        for given, column in (("status", "status"), ("team", "agent__team__slug")):
            if given in asked:
                rows = rows.filter(**{column: asked[given]})
        return _HEALTH.answer(
            request, rows, lambda page: StandingOutput(seen(page, actor), many=True).data, asked
        )


class HealthOfAgent(APIView):
    """One agent's health: its checks and its last ninety days."""

    authentication_classes = (TokenOrKeyAuthentication, SessionAuthentication)

    @extend_schema(operation_id="health_of_agent", responses=AgentHealthOutput)
    def get(self, request: Request, name: str) -> Response:
        agent = agent_inside_for(actor_of(request), name)
        row = health_of(agent)
        shown = {
            "agent": agent.name,
            "status": row.status if row is not None else Status.UNKNOWN,
            "since": row.since if row is not None else None,
            "reason": row.reason if row is not None else "It was not looked at yet.",
            "runbook": runbook_of(agent),
            "checks": checks_of(agent),
            "days": days_of(agent),
        }
        return Response(AgentHealthOutput(shown).data)


class CheckOfAgent(APIView):
    """How an agent is watched."""

    @extend_schema(operation_id="health_check_set", request=CheckInput, responses=CheckOutput)
    def put(self, request: Request, name: str) -> Response:
        """Watch an agent in a way of one's own."""
        actor, read = actor_of(request), CheckInput(data=request.data)
        agent = agent_for(actor, name)
        read.is_valid(raise_exception=True)
        wanted, private = read.wanted()
        check = set_check(agent, wanted, actor=actor, allow_private=private)
        return Response(CheckOutput(check).data)


class ProbeSecret(APIView):
    """What an agent answers probes with."""

    @extend_schema(
        operation_id="health_probe_secret", request=None, responses={201: ProbeSecretOutput}
    )
    def post(self, request: Request, name: str) -> Response:
        """Make a new probe secret; the one before ends. It is shown this once."""
        actor = actor_of(request)
        secret = make_probe_secret(agent_for(actor, name), actor=actor)
        return Response({"secret": secret}, status=201)


urlpatterns = [
    path("health", Health.as_view(), name="health"),
    path("agents/<str:name>/health", HealthOfAgent.as_view(), name="agent-health"),
    path("agents/<str:name>/health/check", CheckOfAgent.as_view(), name="agent-health-check"),
    path("agents/<str:name>/health/secret", ProbeSecret.as_view(), name="agent-health-secret"),
]
