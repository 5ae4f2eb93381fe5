"""Retirements over REST: the plans, the tombstones, the way back.

An end is announced or made at the agent's own address (`POST /agents/{name}/deprecate` and
`/retire`), which is the registry's.
"""

from __future__ import annotations

from typing import Any, Final

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fleet.retiring.actions.cancelling import cancel_retirement
from fleet.retiring.actions.restoring import request_restore
from fleet.retiring.models import Retirement
from fleet.retiring.queries.retirements import narrowed, retirement_for, retirements_for
from kernel.api import Input, Listing, ListQuery, Text, page_of
from registry.authentication import actor_of
from registry.queries.agents import sees_inside


class RestoreInput(Input):
    """Why it should come back, and that what is lost is known."""

    reason = Text(required=False, allow_blank=True, default="")
    knows_loss = serializers.BooleanField(required=False, default=False)


class CancelInput(Input):
    """Why it stays."""

    reason = Text(required=False, allow_blank=True, default="")


def _read(form: type[Input], request: Request) -> dict[str, Any]:
    given = form(data=request.data)
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)


class StepOutput(serializers.Serializer[Any]):
    """One step of a retirement."""

    name = serializers.CharField()
    done_at = serializers.DateTimeField(allow_null=True)
    count = serializers.IntegerField()
    detail = serializers.CharField()


class RetirementOutput(serializers.Serializer[Any]):
    """The end of one agent: its plan, how far it has come, its tombstone."""

    id = serializers.CharField(source="public_id")
    agent = serializers.CharField(source="agent.name")
    state = serializers.ChoiceField(choices=Retirement.State.choices)
    reason = serializers.CharField()
    successor = serializers.CharField(source="successor.name", default=None, allow_null=True)
    drains_at = serializers.DateTimeField(allow_null=True)
    ends_at = serializers.DateTimeField(allow_null=True)
    data = serializers.ChoiceField(  # type: ignore[assignment]  # a field, not the attribute
        choices=Retirement.Data.choices
    )
    shreds_at = serializers.DateTimeField(allow_null=True)
    planned_by = serializers.CharField()
    planned_at = serializers.DateTimeField()
    retired_at = serializers.DateTimeField(allow_null=True)
    restorable_until = serializers.DateTimeField(allow_null=True)
    closed_at = serializers.DateTimeField(allow_null=True)
    dependants = serializers.ListField(child=serializers.DictField())
    proof = serializers.DictField()
    figures = serializers.DictField()
    keys_destroyed = serializers.IntegerField()
    keys_held = serializers.IntegerField()

    def to_representation(self, instance: Retirement) -> dict[str, Any]:
        """Tell those outside of an agent that it is proven dead: no path of it, and no cost."""
        said = super().to_representation(instance)
        if not sees_inside(self.context["actor"], instance.agent):
            proof = {"contained": instance.is_contained} if instance.proof else {}
            said |= {"proof": proof, "figures": {}}
        return said


class RetirementDetailOutput(RetirementOutput):
    """The same with its steps, in their order."""

    steps = serializers.SerializerMethodField()

    def get_steps(self, row: Retirement) -> list[dict[str, Any]]:
        return [dict(StepOutput(step).data) for step in row.steps.order_by("place")]


class RestoreAskedOutput(serializers.Serializer[Any]):
    """The question that was put to other people."""

    review = serializers.CharField()


class RetirementQuery(ListQuery):
    """The filters of the list."""

    state = serializers.ChoiceField(choices=Retirement.State.choices, required=False)


_LISTED: Final = Listing(RetirementQuery, search=(), ordering=("planned_at",))


class Retirements(APIView):
    """Every agent that ends or has ended."""

    @extend_schema(
        operation_id="agent_retirements_list",
        parameters=[RetirementQuery],
        responses=page_of(RetirementOutput),
    )
    def get(self, request: Request) -> Response:
        asked = _LISTED.read(request)
        actor = actor_of(request)
        rows, seen = retirements_for(actor), {"actor": actor}
        rows = narrowed(rows, asked.pop("search", ""), asked.pop("state", ""))
        return _LISTED.answer(
            request, rows, lambda page: RetirementOutput(page, many=True, context=seen).data, asked
        )


class OneRetirement(APIView):
    """One retirement, by its id."""

    @extend_schema(operation_id="agent_retirements_read", responses=RetirementDetailOutput)
    def get(self, request: Request, public_id: str) -> Response:
        actor = actor_of(request)
        row = retirement_for(actor, public_id)
        return Response(RetirementDetailOutput(row, context={"actor": actor}).data)


class CancelRetirement(APIView):
    """Let the agent stay."""

    @extend_schema(
        operation_id="agent_retirements_cancel", request=CancelInput, responses=RetirementOutput
    )
    def post(self, request: Request, public_id: str) -> Response:
        actor, reason = actor_of(request), _read(CancelInput, request)["reason"]
        row = cancel_retirement(public_id, actor=actor, reason=reason)
        return Response(RetirementOutput(row, context={"actor": actor}).data)


class RestoreRetirement(APIView):
    """Ask for the agent to come back; another person decides."""

    @extend_schema(
        operation_id="agent_retirements_restore",
        request=RestoreInput,
        responses={202: RestoreAskedOutput},
    )
    def post(self, request: Request, public_id: str) -> Response:
        actor, asked = actor_of(request), _read(RestoreInput, request)
        review = request_restore(public_id, actor=actor, **asked)
        return Response({"review": review.public_id}, status=202)


urlpatterns = [
    path("agent-retirements", Retirements.as_view(), name="agent-retirements"),
    path("agent-retirements/<str:public_id>", OneRetirement.as_view(), name="agent-retirement"),
    path(
        "agent-retirements/<str:public_id>/cancel",
        CancelRetirement.as_view(),
        name="agent-retirement-cancel",
    ),
    path(
        "agent-retirements/<str:public_id>/restore",
        RestoreRetirement.as_view(),
        name="agent-retirement-restore",
    ),
]
