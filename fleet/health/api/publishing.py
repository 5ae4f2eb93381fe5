"""Links to the status page over REST: listed, made and revoked."""

from __future__ import annotations

from typing import Any, Final

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fleet.health.actions.publishing import LONGEST_DAYS, make_status_link, revoke_status_link
from fleet.health.queries.published import link_for, links_for
from kernel.api import Input, Listing, ListQuery, Text, page_of
from registry.authentication import actor_of
from registry.models import Role
from registry.queries.people import team_for


class StatusLinkInput(Input):
    """Whom a link is for, and what it shows."""

    name = Text(max_length=120)
    team = Text(max_length=80, required=False, help_text="A team's slug; else the whole fleet.")
    shows_agents = serializers.BooleanField(
        required=False, default=False, help_text="Agents by their titles; else counts only."
    )
    days = serializers.IntegerField(
        required=False, min_value=1, max_value=LONGEST_DAYS, help_text="Else until it is revoked."
    )


class StatusLinkOutput(serializers.Serializer[Any]):
    """A link; its address is shown once, when it is made."""

    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    team = serializers.CharField(source="team.slug", default=None, allow_null=True)
    shows_agents = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)


class MadeStatusLinkOutput(StatusLinkOutput):
    """A fresh link with its address."""

    url = serializers.CharField()


_LINKS: Final = Listing(ListQuery, search=("name", "team__slug"), ordering=("created_at",))


class StatusLinks(APIView):
    """Links to the status page without an account."""

    @extend_schema(
        operation_id="status_links_list", parameters=[ListQuery],
        responses=page_of(StatusLinkOutput),
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        rows, asked = links_for(actor_of(request)), _LINKS.read(request)
        shape = StatusLinkOutput
        return _LINKS.answer(request, rows, lambda page: shape(page, many=True).data, asked)

    @extend_schema(
        operation_id="status_links_make", request=StatusLinkInput,
        responses={201: MadeStatusLinkOutput},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        actor, read = actor_of(request), StatusLinkInput(data=request.data)
        actor.require(Role.PLATFORM, Role.SECURITY)
        read.is_valid(raise_exception=True)
        said = read.validated_data
        made = make_status_link(
            said["name"], actor=actor, shows_agents=said["shows_agents"], days=said.get("days"),
            team=team_for(said["team"]) if said.get("team") else None,
        )  # fmt: skip
        shown = dict(StatusLinkOutput(made.row).data) | {"url": made.url}
        return Response(shown, status=201, headers={"Cache-Control": "no-store"})


class OneStatusLink(APIView):
    """One link."""

    @extend_schema(operation_id="status_links_revoke", request=None, responses={204: None})
    def delete(self, request: Request, link: str) -> Response:
        """End it at once."""
        actor = actor_of(request)
        revoke_status_link(link_for(actor, link), actor=actor)
        return Response(status=204)


urlpatterns = [
    path("status-links", StatusLinks.as_view(), name="status-links"),
    path("status-links/<str:link>", OneStatusLink.as_view(), name="status-link"),
]
