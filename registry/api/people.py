"""People and teams over REST.

Owns the wire only: what may be seen is decided by the queries, what may be done by the
actions. Roles and closed accounts show to those who govern.
"""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from kernel.api import Input, Listing, ListQuery, Text, page_of
from registry.actions import people as act
from registry.actors import Actor
from registry.authentication import actor_of
from registry.models import Person, Role
from registry.queries import GOVERNING, people_for, sees_roles, team_for, teams_for, visible_person


class TeamOutput(serializers.Serializer[Any]):
    """A team."""

    id = serializers.CharField(source="public_id")
    slug = serializers.CharField()
    name = serializers.CharField()
    created_at = serializers.DateTimeField()


class PersonOutput(serializers.Serializer[Any]):
    """A person as this viewer may see them; what is not theirs to see is null."""

    id = serializers.CharField(source="public_id")
    email = serializers.EmailField()
    name = serializers.CharField()
    team = serializers.CharField(source="team.slug", default=None, allow_null=True)
    active = serializers.BooleanField(source="is_active")
    roles = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    deactivated_at = serializers.DateTimeField(allow_null=True)

    def get_roles(self, person: Person) -> list[str] | None:
        return person.roles if sees_roles(self.context["actor"], person) else None


class PersonInput(Input):
    """Who gets an account."""

    email = Text(max_length=254)
    name = Text(required=False, allow_blank=True, max_length=200)
    team = Text(required=False, allow_null=True, max_length=64)
    roles = serializers.ListField(
        child=serializers.ChoiceField(choices=Role.choices), required=False, max_length=10
    )


class PersonChangeInput(Input):
    """What to change; a field left out stays as it is."""

    name = Text(required=False, allow_blank=True, max_length=200)
    team = Text(required=False, allow_null=True, allow_blank=True, max_length=64)
    roles = serializers.ListField(
        child=serializers.ChoiceField(choices=Role.choices), required=False, max_length=10
    )
    time_zone = Text(required=False, max_length=60)


class NoInput(Input):
    """A body that says nothing: the address says it all."""


class TeamInput(Input):
    """A new team."""

    name = Text(max_length=200)


class DeactivatedOutput(serializers.Serializer[Any]):
    """The closed account and the agents it leaves behind."""

    person = PersonOutput()
    owned_agents = serializers.ListField(child=serializers.CharField())


class LinkOutput(serializers.Serializer[Any]):
    """A one-time address; shown this once."""

    url = serializers.URLField()
    expires_at = serializers.DateTimeField()


class PeopleQuery(ListQuery):
    """The query of the list of people."""

    role = serializers.ChoiceField(choices=Role.choices, required=False)
    team = Text(required=False, max_length=64)
    active = serializers.BooleanField(required=False, allow_null=True, default=None)


_PEOPLE: Final = Listing(
    PeopleQuery, search=("email", "name"), ordering=("created_at", "email", "name")
)
_TEAMS: Final = Listing(ListQuery, search=("slug", "name"), ordering=("created_at", "slug"))


def shown(person: Person, actor: Actor) -> dict[str, Any]:
    """Return a person as this viewer may see them."""
    return PersonOutput(person, context={"actor": actor}).data


def said(body: type[Input], request: Request) -> dict[str, Any]:
    """Return the body's values. Raises ValidationError naming each wrong field."""
    read = body(data=request.data)
    read.is_valid(raise_exception=True)
    values: dict[str, Any] = read.validated_data
    return values


class People(APIView):
    """The people with an account."""

    @extend_schema(
        operation_id="people_list", parameters=[PeopleQuery], responses=page_of(PersonOutput)
    )
    def get(self, request: Request) -> Response:
        actor, asked = actor_of(request), _PEOPLE.read(request)
        rows = people_for(actor)
        if "team" in asked:
            rows = rows.filter(team=team_for(asked["team"]))
        if "role" in asked:
            # Nobody may find out by asking what they may not see.
            rows = rows.filter(roles__contains=[asked["role"]])
            rows = rows if actor.has(*GOVERNING) else rows.filter(public_id=actor.ref.id)
        if asked["active"] is not None:
            rows = rows.filter(deactivated_at__isnull=asked["active"])
        return _PEOPLE.answer(
            request, rows, lambda page: [shown(person, actor) for person in page], asked
        )

    @extend_schema(request=PersonInput, responses={201: PersonOutput})
    def post(self, request: Request) -> Response:
        actor = actor_of(request)
        person = act.add_person(actor=actor, **said(PersonInput, request))
        return Response(shown(person, actor), status=201)


class OnePerson(APIView):
    """One person, by id or e-mail address."""

    @extend_schema(responses=PersonOutput)
    def get(self, request: Request, person: str) -> Response:
        actor = actor_of(request)
        return Response(shown(visible_person(actor, person), actor))

    @extend_schema(request=PersonChangeInput, responses=PersonOutput)
    def patch(self, request: Request, person: str) -> Response:
        actor = actor_of(request)
        given = said(PersonChangeInput, request)
        if "team" in given:
            given["team"] = given["team"] or ""
        changed = act.change_person(visible_person(actor, person), actor=actor, **given)
        return Response(shown(changed, actor))


class DeactivateInput(Input):
    """Why an account is closed, for the record."""

    reason = Text(max_length=2000, required=False, allow_blank=True, default="")


class Deactivate(APIView):
    """Close an account: sessions, tokens and links end now."""

    @extend_schema(request=DeactivateInput, responses=DeactivatedOutput)
    def post(self, request: Request, person: str) -> Response:
        actor = actor_of(request)
        reason = said(DeactivateInput, request)["reason"]
        done = act.deactivate_person(visible_person(actor, person), actor=actor, reason=reason)
        return Response({"person": shown(done.person, actor), "owned_agents": done.owned_agents})


class Reactivate(APIView):
    """Open a closed account again; nothing old works."""

    @extend_schema(request=NoInput, responses=PersonOutput)
    def post(self, request: Request, person: str) -> Response:
        actor = actor_of(request)
        said(NoInput, request)
        return Response(
            shown(act.reactivate_person(visible_person(actor, person), actor=actor), actor)
        )


class SignInLinks(APIView):
    """One-time sign-in links of a person."""

    @extend_schema(request=NoInput, responses={201: LinkOutput})
    def post(self, request: Request, person: str) -> Response:
        actor = actor_of(request)
        said(NoInput, request)
        issued = act.issue_sign_in_link(visible_person(actor, person), actor=actor)
        link = {
            "url": f"{settings.PUBLIC_URL}{issued.url_path}",
            "expires_at": issued.expires_at,
        }
        return Response(LinkOutput(link).data, status=201)


class Teams(APIView):
    """The teams."""

    @extend_schema(operation_id="teams_list", parameters=[ListQuery], responses=page_of(TeamOutput))
    def get(self, request: Request) -> Response:
        asked = _TEAMS.read(request)
        rows = teams_for(actor_of(request))
        return _TEAMS.answer(request, rows, lambda page: TeamOutput(page, many=True).data, asked)

    @extend_schema(request=TeamInput, responses={201: TeamOutput})
    def post(self, request: Request) -> Response:
        team = act.add_team(said(TeamInput, request)["name"], actor=actor_of(request))
        return Response(TeamOutput(team).data, status=201)


urlpatterns = [
    path("people", People.as_view(), name="people"),
    path("people/<str:person>", OnePerson.as_view(), name="person"),
    path("people/<str:person>/deactivate", Deactivate.as_view(), name="person-deactivate"),
    path("people/<str:person>/reactivate", Reactivate.as_view(), name="person-reactivate"),
    path("people/<str:person>/signin-link", SignInLinks.as_view(), name="person-signin-link"),
    path("teams", Teams.as_view(), name="teams"),
]
