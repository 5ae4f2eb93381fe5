"""Leases over REST: what is lent to whom, and taking it back. No answer holds a credential."""

from __future__ import annotations

from typing import Any, Final

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from credentials.models import Lease
from effects.actions.leases import revoke_lease, revoke_leases_of
from effects.queries.leases import (
    ShownLease,
    figures,
    lease_for,
    leases_for,
    narrowed,
    shown,
)
from kernel.api import Input, Listing, ListQuery, Text, page_of
from registry.authentication import actor_of

_STATES: Final = [*Lease.State.values, "open"]


class LeaseQuery(ListQuery):
    """The filters of the list; the state ``open`` is all that may still open something."""

    agent = Text(required=False, max_length=100)
    connection = Text(required=False, max_length=100)
    state = serializers.ChoiceField(choices=_STATES, required=False)
    kind = serializers.ChoiceField(choices=Lease.Kind.choices, required=False)


class LeaseOutput(serializers.Serializer[Any]):
    """A lease. ``handle`` is what it is called at the other system."""

    id = serializers.CharField(source="lease.public_id")
    agent = serializers.CharField()
    connection = serializers.CharField()
    proposal = serializers.CharField(source="lease.proposal_id")
    kind = serializers.CharField(source="lease.kind")
    handle = serializers.CharField(source="lease.handle")
    state = serializers.CharField(source="lease.state")
    reason = serializers.CharField(source="lease.reason")
    asked_by = serializers.CharField(source="lease.asked_by")
    fault = serializers.CharField(source="lease.fault")
    attempts = serializers.IntegerField(source="lease.attempts")
    issued_at = serializers.DateTimeField(source="lease.issued_at")
    expires_at = serializers.DateTimeField(source="lease.expires_at")
    ended_at = serializers.DateTimeField(source="lease.ended_at", allow_null=True)


class RecallInput(Input):
    """Why."""

    reason = Text(max_length=1000)


class OptionalReasonInput(Input):
    """Why, if there is more to say than that it is to end."""

    reason = Text(max_length=1000, required=False, allow_blank=True, default="")


class RevokedOutput(serializers.Serializer[Any]):
    """How many leases were asked to end; each says by itself when it is dead."""

    agent = serializers.CharField()
    asked = serializers.IntegerField()


class FiguresOutput(serializers.Serializer[Any]):
    """What may still open something, and how many keys never end by themselves."""

    open = serializers.IntegerField()
    irrevocable = serializers.IntegerField()
    static_keys = serializers.IntegerField()


_LEASES: Final = Listing(
    LeaseQuery, search=("handle", "proposal_id", "public_id"), ordering=("issued_at", "expires_at")
)


def _one(lease: ShownLease) -> dict[str, Any]:
    return LeaseOutput(lease).data


class Leases(APIView):
    """Every lease a viewer may see."""

    @extend_schema(
        operation_id="leases_list", parameters=[LeaseQuery], responses=page_of(LeaseOutput)
    )
    def get(self, request: Request) -> Response:
        actor, asked = actor_of(request), _LEASES.read(request)
        wanted = {name: asked.get(name, "") for name in ("agent", "connection", "state", "kind")}
        rows = narrowed(leases_for(actor), **wanted)
        return _LEASES.answer(
            request, rows, lambda page: LeaseOutput(shown(page, actor), many=True).data, asked
        )


class Figures(APIView):
    """How much is lent."""

    @extend_schema(operation_id="leases_figures", responses=FiguresOutput)
    def get(self, request: Request) -> Response:
        return Response(FiguresOutput(figures(leases_for(actor_of(request)))).data)


class OneLease(APIView):
    """One lease, and its end."""

    @extend_schema(operation_id="leases_read", responses=LeaseOutput)
    def get(self, request: Request, lease: str) -> Response:
        actor = actor_of(request)
        return Response(_one(shown([lease_for(actor, lease)], actor)[0]))

    @extend_schema(
        operation_id="leases_revoke",
        request=OptionalReasonInput,
        responses={202: LeaseOutput},
        description="Asks for its end. 202: the state says when it is dead, or irrevocable.",
    )
    def delete(self, request: Request, lease: str) -> Response:
        actor, given = actor_of(request), OptionalReasonInput(data=request.data)
        given.is_valid(raise_exception=True)
        ended = revoke_lease(lease, actor=actor, reason=given.validated_data["reason"])
        return Response(_one(shown([ended], actor)[0]), status=202)


class LeasesOfAgent(APIView):
    """All that is lent to an agent."""

    @extend_schema(
        operation_id="agents_leases_revoke", request=RecallInput, responses={202: RevokedOutput}
    )
    def post(self, request: Request, name: str) -> Response:
        actor, given = actor_of(request), RecallInput(data=request.data)
        given.is_valid(raise_exception=True)
        agent, asked = revoke_leases_of(name, actor=actor, reason=given.validated_data["reason"])
        return Response({"agent": agent.name, "asked": asked}, status=202)


urlpatterns = [
    path("leases", Leases.as_view(), name="leases"),
    path("leases/figures", Figures.as_view(), name="lease-figures"),
    path("leases/<str:lease>", OneLease.as_view(), name="lease"),
    path("agents/<str:name>/leases/revoke", LeasesOfAgent.as_view(), name="agent-leases-revoke"),
]
