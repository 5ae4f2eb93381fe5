"""Grants over REST: which class of data an agent may send to a vendor that policy asks about."""

from __future__ import annotations

from typing import Any, Final

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from kernel.api import Input, Listing, ListQuery, Text, page_of
from registry.authentication import actor_of
from rules.actions.granting import Wish, ask_grant, revoke_grant
from rules.api.policies import PolicyReasonInput
from rules.models import Grant
from rules.queries.grants import grant_for, grants_for


class GrantInput(PolicyReasonInput):
    """Whose data is to go where, until when, and why."""

    agent = Text(max_length=80)
    vendor = Text(max_length=80)
    data_class = Text(max_length=60)
    until = serializers.DateTimeField()


class GrantOutput(serializers.Serializer[Any]):
    """A grant, and the review that decides it."""

    id = serializers.CharField(source="public_id")
    agent = serializers.CharField(source="agent.name")
    vendor = serializers.CharField()
    data_class = serializers.CharField()
    until = serializers.DateTimeField()
    state = serializers.CharField()
    review = serializers.CharField(source="review_id")
    asked_by = serializers.CharField()
    asked_at = serializers.DateTimeField()
    given_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    ended_by = serializers.CharField()


class GrantQuery(ListQuery):
    """Which grants to list."""

    state = serializers.ChoiceField(choices=Grant.State.choices, required=False)
    agent = Text(max_length=80, required=False)


_GRANTS: Final = Listing(
    GrantQuery, search=("public_id", "agent__name", "vendor", "data_class"), ordering=("asked_at",)
)


class Grants(APIView):
    """The grants of one's own agents, for those who govern all; and the way to ask for one."""

    @extend_schema(
        operation_id="grants_list", parameters=[GrantQuery], responses=page_of(GrantOutput)
    )
    def get(self, request: Request) -> Response:
        asked, rows = _GRANTS.read(request), grants_for(actor_of(request))
        for name, column in (("state", "state"), ("agent", "agent__name")):
            if name in asked:
                rows = rows.filter(**{column: asked[name]})
        return _GRANTS.answer(request, rows, lambda page: GrantOutput(page, many=True).data, asked)

    @extend_schema(operation_id="grants_ask", request=GrantInput, responses={202: GrantOutput})
    def post(self, request: Request) -> Response:
        asked = _said(GrantInput, request)
        reason = asked.pop("reason")
        grant = ask_grant(Wish(**asked), actor=actor_of(request), reason=reason)
        return Response(GrantOutput(grant).data, 202)


class OneGrant(APIView):
    """One grant."""

    @extend_schema(operation_id="grants_read", responses=GrantOutput)
    def get(self, request: Request, grant: str) -> Response:
        return Response(GrantOutput(grant_for(actor_of(request), grant)).data)


class RevokeGrant(APIView):
    """End a grant before its time."""

    @extend_schema(operation_id="grants_revoke", request=PolicyReasonInput, responses=GrantOutput)
    def post(self, request: Request, grant: str) -> Response:
        reason = _said(PolicyReasonInput, request)["reason"]
        return Response(
            GrantOutput(revoke_grant(grant, actor=actor_of(request), reason=reason)).data
        )


def _said(shape: type[Input], request: Request) -> dict[str, Any]:
    read = shape(data=request.data)
    read.is_valid(raise_exception=True)
    return dict(read.validated_data)


urlpatterns = [
    path("grants", Grants.as_view(), name="api-grants"),
    path("grants/<str:grant>", OneGrant.as_view(), name="api-grant"),
    path("grants/<str:grant>/revoke", RevokeGrant.as_view(), name="api-grant-revoke"),
]
