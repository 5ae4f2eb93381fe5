"""Cutovers over REST: begun, seen, signed, moved on, brought back, settled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django.db.models import Q
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fleet.cutovers.actions.beginning import begin_cutover
from fleet.cutovers.actions.going_back import roll_back
from fleet.cutovers.actions.moving import (
    advance_now,
    cancel_cutover,
    pause_cutover,
    resume_cutover,
)
from fleet.cutovers.actions.settling import settle_cutover
from fleet.cutovers.actions.signing import sign_off, start_without_others
from fleet.cutovers.models import Cutover, CutoverAgent
from fleet.cutovers.queries.cutovers import (
    bound_digest,
    cutover_for,
    cutovers_seen,
    listed_rows,
    rows_of,
    shifted_rows,
)
from fleet.cutovers.queries.figures import ARMS, Sides, figures_of
from kernel.api import Input, Listing, ListQuery, Text, page_of
from registry.actors import Actor
from registry.authentication import actor_of
from registry.models import Agent
from registry.queries import agent_for, agents_for
from routing.arm_sums import Sums
from routing.latencies import percentile
from routing.queries.vendors import model_for


class CutoverInput(Input):
    """Who is to be moved from what to what; the rest is as usual where it is not said."""

    agents = serializers.ListField(child=Text(max_length=80), min_length=1, max_length=2000)
    model = Text(max_length=80, help_text="The source: a model's id, mod_…")
    to = Text(max_length=80, help_text="The target: a model's id.")
    steps = serializers.ListField(child=serializers.DictField(), required=False)
    limits = serializers.DictField(required=False)
    override_reason = Text(max_length=2000, required=False, allow_blank=True, default="")


class CutoverReasonInput(Input):
    """Why."""

    reason = Text(max_length=500, required=False, allow_blank=True, default="")


class RollBackInput(CutoverReasonInput):
    """Why, and whom: everybody, unless agents are named."""

    agents = serializers.ListField(child=Text(max_length=80), required=False)


class SignInput(Input):
    """What is signed: the digest that was read with the cutover."""

    digest = Text(max_length=100)


class CutoverOutput(serializers.Serializer[Any]):
    """A cutover in a list."""

    id = serializers.CharField(source="public_id")
    model = serializers.CharField(source="source.name")
    to = serializers.CharField(source="target.name")
    subject = serializers.CharField()
    state = serializers.CharField()
    percent = serializers.IntegerField()
    step = serializers.IntegerField()
    steps = serializers.ListField(child=serializers.DictField())
    waits_for = serializers.CharField(source="held_because")
    begun_by = serializers.CharField(source="begun_as")
    begun_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    done_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    ended_reason = serializers.CharField()


class CutoverAgentOutput(serializers.Serializer[Any]):
    """One agent on its way."""

    agent = serializers.CharField(source="agent.name")
    state = serializers.CharField()
    evaluation = serializers.CharField()
    evaluation_digest = serializers.CharField()
    passed = serializers.BooleanField(source="has_passed")
    signed_by = serializers.CharField(source="signed_by.public_id", allow_null=True, default=None)
    signed_as = serializers.CharField()
    signed_at = serializers.DateTimeField(allow_null=True)
    shift = serializers.CharField()
    why = serializers.CharField()


class ArmOutput(serializers.Serializer[Any]):
    """What one arm came to."""

    calls = serializers.IntegerField()
    failed = serializers.IntegerField(source="errors")
    fell_back = serializers.IntegerField()
    checked = serializers.IntegerField()
    broken = serializers.IntegerField()
    refused = serializers.IntegerField()
    cost_micros = serializers.IntegerField()
    unpriced_calls = serializers.IntegerField()
    p95_ms = serializers.SerializerMethodField()

    def get_p95_ms(self, sums: Sums) -> int | None:
        return percentile(sums.latencies, 0.95)


class OneCutoverOutput(CutoverOutput):
    """A cutover with its agents, its figures and what a signature is to."""

    digest = serializers.CharField()
    limits = serializers.DictField(child=serializers.FloatField())
    needs_security = serializers.BooleanField()
    security_review = serializers.CharField()
    security_agreed_at = serializers.DateTimeField(allow_null=True)
    override_reason = serializers.CharField()
    agents_count = serializers.IntegerField()
    agents = CutoverAgentOutput(many=True, help_text="The first hundred; all are at …/agents.")
    lately = serializers.DictField(child=ArmOutput())
    since_step = serializers.DictField(child=ArmOutput())
    passed_limits = serializers.ListField(child=serializers.CharField())


class CutoverQuery(ListQuery):
    """Which to list."""

    state = serializers.ChoiceField(choices=Cutover.State.choices, required=False)


_CUTOVERS: Final = Listing(
    CutoverQuery, search=("public_id", "source__name", "target__name"), ordering=("begun_at",)
)


class Cutovers(APIView):
    """Those that the viewer may see, and the way to begin one."""

    @extend_schema(
        operation_id="cutovers_list", parameters=[CutoverQuery], responses=page_of(CutoverOutput)
    )
    def get(self, request: Request) -> Response:
        asked, rows = _CUTOVERS.read(request), cutovers_seen(actor_of(request))
        if "state" in asked:
            rows = rows.filter(state=asked["state"])
        return _CUTOVERS.answer(
            request, rows, lambda page: CutoverOutput(page, many=True).data, asked
        )

    @extend_schema(
        operation_id="cutovers_begin", request=CutoverInput, responses={201: OneCutoverOutput}
    )
    def post(self, request: Request) -> Response:
        actor, said = actor_of(request), _said(CutoverInput, request)
        cutover = begin_cutover(
            agents=_agents(actor, said["agents"]),
            source=model_for(actor, said["model"]),
            target=model_for(actor, said["to"]),
            evaluations={},
            subject=None,
            actor=actor,
            steps=said.get("steps"),
            limits=said.get("limits"),
            override_reason=said["override_reason"],
        )
        return Response(
            _shown(cutover, actor),
            201,
            headers={"Location": f"/api/v1/cutovers/{cutover.public_id}"},
        )


class OneCutover(APIView):
    """One cutover."""

    @extend_schema(operation_id="cutovers_read", responses=OneCutoverOutput)
    def get(self, request: Request, cutover: str) -> Response:
        actor = actor_of(request)
        return Response(_shown(cutover_for(actor, cutover), actor))


class CutoverAgentQuery(ListQuery):
    """Which of its agents to list."""

    state = serializers.ChoiceField(choices=CutoverAgent.State.choices, required=False)


_AGENTS: Final = Listing(CutoverAgentQuery, search=("agent__name",), ordering=("name",))


class CutoverAgents(APIView):
    """The agents of a cutover that the viewer may see."""

    @extend_schema(
        operation_id="cutovers_agents",
        parameters=[CutoverAgentQuery],
        responses=page_of(CutoverAgentOutput),
    )
    def get(self, request: Request, cutover: str) -> Response:
        actor, asked = actor_of(request), _AGENTS.read(request)
        rows = listed_rows(cutover_for(actor, cutover), actor)
        if "state" in asked:
            rows = rows.filter(state=asked["state"])
        return _AGENTS.answer(
            request, rows, lambda page: CutoverAgentOutput(page, many=True).data, asked
        )


class SignCutover(APIView):
    """Agree for one's own agents."""

    @extend_schema(operation_id="cutovers_sign", request=SignInput, responses=OneCutoverOutput)
    def post(self, request: Request, cutover: str) -> Response:
        actor, said = actor_of(request), _said(SignInput, request)
        return Response(_shown(sign_off(cutover, digest=said["digest"], actor=actor), actor))


class StartCutover(APIView):
    """Start with those who agreed."""

    @extend_schema(
        operation_id="cutovers_start", request=CutoverReasonInput, responses=OneCutoverOutput
    )
    def post(self, request: Request, cutover: str) -> Response:
        actor = actor_of(request)
        return Response(_shown(start_without_others(cutover, actor=actor), actor))


class AdvanceCutover(APIView):
    """Take the next step before its time."""

    @extend_schema(
        operation_id="cutovers_advance", request=CutoverReasonInput, responses=OneCutoverOutput
    )
    def post(self, request: Request, cutover: str) -> Response:
        actor, said = actor_of(request), _said(CutoverReasonInput, request)
        return Response(_shown(advance_now(cutover, actor=actor, reason=said["reason"]), actor))


class PauseCutover(APIView):
    """Keep it at its step."""

    @extend_schema(
        operation_id="cutovers_pause", request=CutoverReasonInput, responses=OneCutoverOutput
    )
    def post(self, request: Request, cutover: str) -> Response:
        actor, said = actor_of(request), _said(CutoverReasonInput, request)
        return Response(_shown(pause_cutover(cutover, actor=actor, reason=said["reason"]), actor))


class ResumeCutover(APIView):
    """Let it go on."""

    @extend_schema(
        operation_id="cutovers_resume", request=CutoverReasonInput, responses=OneCutoverOutput
    )
    def post(self, request: Request, cutover: str) -> Response:
        actor = actor_of(request)
        return Response(_shown(resume_cutover(cutover, actor=actor), actor))


class CancelCutover(APIView):
    """End one that has not started."""

    @extend_schema(
        operation_id="cutovers_cancel", request=CutoverReasonInput, responses=OneCutoverOutput
    )
    def post(self, request: Request, cutover: str) -> Response:
        actor, said = actor_of(request), _said(CutoverReasonInput, request)
        return Response(_shown(cancel_cutover(cutover, actor=actor, reason=said["reason"]), actor))


class RollBackCutover(APIView):
    """Serve agents by the source again."""

    @extend_schema(
        operation_id="cutovers_roll_back", request=RollBackInput, responses=OneCutoverOutput
    )
    def post(self, request: Request, cutover: str) -> Response:
        actor, said = actor_of(request), _said(RollBackInput, request)
        found = roll_back(cutover, actor=actor, reason=said["reason"], agents=said.get("agents"))
        return Response(_shown(found, actor))


class SettledOutput(serializers.Serializer[Any]):
    """Which routes were settled, and which wait for whom."""

    state = serializers.CharField(source="cutover.state")
    routes = serializers.ListField(child=serializers.CharField())
    waiting = serializers.DictField(child=serializers.ListField(child=serializers.CharField()))


class SettleCutover(APIView):
    """Put the target into the routes."""

    @extend_schema(
        operation_id="cutovers_settle", request=CutoverReasonInput, responses=SettledOutput
    )
    def post(self, request: Request, cutover: str) -> Response:
        return Response(SettledOutput(settle_cutover(cutover, actor=actor_of(request))).data)


def _shown(cutover: Cutover, actor: Actor) -> dict[str, Any]:
    listed = rows_of(cutover, actor)
    rows = list(listed[:_SHOWN])
    figures = figures_of(cutover, shifted_rows(cutover, actor), of={row.pk for row in rows})
    passed = [
        f"{row.agent.name}: {each}" for row in rows for each in figures.agents.get(row.pk, ())
    ]
    shown = CutoverOutput(cutover).data
    more = {
        "digest": bound_digest(cutover),
        "limits": cutover.limits,
        "needs_security": cutover.needs_security,
        "security_review": cutover.security_review,
        "security_agreed_at": cutover.security_agreed_at,
        "override_reason": cutover.override_reason,
        "agents_count": len(rows) if len(rows) < _SHOWN else listed.count(),
        "agents": CutoverAgentOutput(rows, many=True).data,
        "lately": _arms(figures.lately),
        "since_step": _arms(figures.step),
        "passed_limits": [*map(str, figures.whole), *passed],
    }
    return {**shown, **more}


_SHOWN: Final = 100


def _arms(sides: Sides) -> dict[str, Any]:
    return {name: ArmOutput(getattr(sides, name)).data for name in ARMS}


def _agents(actor: Actor, names: Sequence[str]) -> list[Agent]:
    """Return agents by name or public id, in one statement. Raises: AgentNotFound."""
    wanted = Q(name__in=set(names)) | Q(public_id__in=set(names))
    found = list(agents_for(actor).filter(wanted))
    known = {agent.name for agent in found} | {agent.public_id for agent in found}
    for lacking in (name for name in names if name not in known):
        agent_for(actor, lacking)  # says that there is none
    return found


def _said(shape: type[Input], request: Request) -> dict[str, Any]:
    read = shape(data=request.data)
    read.is_valid(raise_exception=True)
    return dict(read.validated_data)


urlpatterns = [
    path("cutovers", Cutovers.as_view(), name="api-cutovers"),
    path("cutovers/<str:cutover>", OneCutover.as_view(), name="api-cutover"),
    path("cutovers/<str:cutover>/agents", CutoverAgents.as_view(), name="api-cutover-agents"),
    path("cutovers/<str:cutover>/sign", SignCutover.as_view(), name="api-cutover-sign"),
    path("cutovers/<str:cutover>/start", StartCutover.as_view(), name="api-cutover-start"),
    path("cutovers/<str:cutover>/advance", AdvanceCutover.as_view(), name="api-cutover-advance"),
    path("cutovers/<str:cutover>/pause", PauseCutover.as_view(), name="api-cutover-pause"),
    path("cutovers/<str:cutover>/resume", ResumeCutover.as_view(), name="api-cutover-resume"),
    path("cutovers/<str:cutover>/cancel", CancelCutover.as_view(), name="api-cutover-cancel"),
    path("cutovers/<str:cutover>/roll-back", RollBackCutover.as_view(), name="api-cutover-back"),
    path("cutovers/<str:cutover>/settle", SettleCutover.as_view(), name="api-cutover-settle"),
]
