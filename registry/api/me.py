"""Whoever asks, about themselves: a person and their tokens, an agent and its registration.

A token's text leaves once, in the answer that made it.
"""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from kernel.api import Input, Listing, ListQuery, Text, page_of
from kernel.errors import Unauthenticated
from registry.actions import people as act
from registry.actors import Actor
from registry.api.people import said
from registry.authentication import AgentKeyAuthentication, actor_of
from registry.models import Person, Role
from registry.queries import tokens_of


class MeOutput(serializers.Serializer[Any]):
    """Whoever asks."""

    id = serializers.CharField(source="public_id")
    email = serializers.EmailField()
    name = serializers.CharField()
    team = serializers.CharField(source="team.slug", default=None, allow_null=True)
    roles = serializers.ListField(child=serializers.CharField())
    roles_in_force = serializers.SerializerMethodField()
    time_zone = serializers.CharField()
    owned_agents = serializers.SerializerMethodField()

    def get_roles_in_force(self, person: Person) -> list[str]:
        return [role for role in person.roles if role in self.context["actor"].roles]

    def get_owned_agents(self, person: Person) -> list[str]:
        return list(person.owned_agents.order_by("name").values_list("name", flat=True))


class MeInput(Input):
    """What people change of themselves."""

    name = Text(required=False, allow_blank=True, max_length=200)
    time_zone = Text(required=False, max_length=60)


class TokenInput(Input):
    """A token to issue; all roles in force unless some are named."""

    name = Text(max_length=200)
    roles = serializers.ListField(
        child=serializers.ChoiceField(choices=Role.choices), required=False, max_length=10
    )
    expires_in_days = serializers.IntegerField(required=False, default=90)


class TokenOutput(serializers.Serializer[Any]):
    """A token, without its text."""

    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    roles = serializers.ListField(child=serializers.CharField())
    issued_with = serializers.CharField(source="parent.public_id", default=None, allow_null=True)
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    revoked_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)


class IssuedTokenOutput(TokenOutput):
    """A fresh token with its text."""

    token = serializers.CharField(help_text="Shown this once.")


class AgentSelfOutput(serializers.Serializer[Any]):
    """An agent as it is registered, and the key it came with."""

    id = serializers.CharField(source="agent.public_id")
    name = serializers.CharField(source="agent.name")
    title = serializers.CharField(source="agent.title")
    stage = serializers.CharField(source="agent.stage")
    suspended = serializers.BooleanField(source="agent.is_suspended")
    version = serializers.CharField(
        source="agent.current_version.version", default=None, allow_null=True
    )
    owner = serializers.CharField(source="agent.owner.email")
    backup_owner = serializers.CharField(
        source="agent.backup_owner.email", default=None, allow_null=True
    )
    team = serializers.CharField(source="agent.team.slug", default=None, allow_null=True)
    data_classes = serializers.ListField(source="agent.data_classes", child=serializers.CharField())
    routes = serializers.ListField(source="agent.routes", child=serializers.CharField())
    key = serializers.CharField(source="public_id")
    key_expires_at = serializers.DateTimeField(source="expires_at")


_TOKENS = Listing(ListQuery, search=("name",), ordering=("created_at", "expires_at"))


class Me(APIView):
    """Whoever asks, about themselves."""

    @extend_schema(responses=MeOutput)
    def get(self, request: Request) -> Response:
        return _shown(*_self(request))

    @extend_schema(request=MeInput, responses=MeOutput)
    def patch(self, request: Request) -> Response:
        person, actor = _self(request)
        return _shown(act.change_person(person, actor=actor, **said(MeInput, request)), actor)


class MyTokens(APIView):
    """The tokens of whoever asks."""

    @extend_schema(
        operation_id="my_tokens_list", parameters=[ListQuery], responses=page_of(TokenOutput)
    )
    def get(self, request: Request) -> Response:
        person, _ = _self(request)
        asked = _TOKENS.read(request)
        return _TOKENS.answer(
            request, tokens_of(person), lambda page: TokenOutput(page, many=True).data, asked
        )

    @extend_schema(request=TokenInput, responses={201: IssuedTokenOutput})
    def post(self, request: Request) -> Response:
        person, actor = _self(request)
        given = {"roles": sorted(actor.roles)} | said(TokenInput, request)
        issued = act.issue_token(person, actor=actor, **given)
        shown = TokenOutput(issued.row).data | {"token": issued.text}
        return Response(shown, status=201)


class MyToken(APIView):
    """One token of whoever asks."""

    @extend_schema(
        responses={204: None},
        parameters=[OpenApiParameter("reason", str, description="Why, for the record.")],
    )
    def delete(self, request: Request, token: str) -> Response:
        person, actor = _self(request)
        reason = request.query_params.get("reason", "")
        act.revoke_token(person, token, actor=actor, reason=reason)
        return Response(status=204)


class AgentSelf(APIView):
    """What an agent may know about itself, asked with its own key."""

    authentication_classes = (AgentKeyAuthentication,)

    @extend_schema(responses=AgentSelfOutput)
    def get(self, request: Request) -> Response:
        return Response(AgentSelfOutput(request.auth).data)


def _self(request: Request) -> tuple[Person, Actor]:
    actor = actor_of(request)
    if actor.person is None:
        raise Unauthenticated
    return actor.person, actor


def _shown(person: Person, actor: Actor) -> Response:
    return Response(MeOutput(person, context={"actor": actor}).data)


urlpatterns = [
    path("me", Me.as_view(), name="me"),
    path("me/tokens", MyTokens.as_view(), name="my-tokens"),
    path("me/tokens/<str:token>", MyToken.as_view(), name="my-token"),
    path("agent/self", AgentSelf.as_view(), name="agent-self"),
]
