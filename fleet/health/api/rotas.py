"""Rotas over REST: who is on call, the weeks ahead, setting a rota, and covers."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Any, Final

from django.conf import settings
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fleet.health.actions.rotas import Turns, end_cover, set_cover, set_rota
from fleet.health.models import Cover
from fleet.health.queries.rotas import (
    cover_for,
    covers_of,
    duty_of,
    rota_now,
    rotas_of,
    team_of_rota,
    weeks_of,
)
from kernel import clock
from kernel.api import Input, Listing, ListQuery, Text, page_of
from registry.actors import Actor
from registry.authentication import actor_of
from registry.models import Team
from registry.queries import teams_for, visible_person

WEEKS: Final = 6


class PassedOverOutput(serializers.Serializer[Any]):
    """Somebody who is not called, and why."""

    name = serializers.CharField()
    why = serializers.CharField()


class RotaLineOutput(serializers.Serializer[Any]):
    """A team and who is called for it now; null where it has no rota, or nobody can be called."""

    team = serializers.CharField()
    on_call = serializers.EmailField(allow_null=True)
    then = serializers.EmailField(allow_null=True)
    passed_over = PassedOverOutput(many=True)


class StretchOutput(serializers.Serializer[Any]):
    """Who has the duty from when to when; ``planned`` would, if nobody covered."""

    person = serializers.EmailField(source="person.email", default=None, allow_null=True)
    planned = serializers.EmailField(source="planned.email", default=None, allow_null=True)
    starts_at = serializers.DateTimeField(source="begins")
    ends_at = serializers.DateTimeField(source="ends")
    is_cover = serializers.BooleanField()


class CoverOutput(serializers.Serializer[Any]):
    """Somebody who has the duty for a stretch."""

    id = serializers.CharField(source="public_id")
    person = serializers.EmailField(source="person.email")
    instead_of = serializers.EmailField(source="instead_of.email", default=None, allow_null=True)
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()


class RotaOutput(RotaLineOutput):
    """A team's rota in force, the weeks ahead, and its covers."""

    id = serializers.CharField(allow_null=True)
    zone = serializers.CharField(allow_null=True)
    handover = serializers.TimeField(format="%H:%M", allow_null=True)
    days = serializers.IntegerField(allow_null=True)
    minutes = serializers.IntegerField()
    weeks = StretchOutput(many=True)
    covers = CoverOutput(many=True)


class RotaInput(Input):
    """Who takes turns; an empty list of people ends the rota from its first handover on."""

    people = serializers.ListField(
        child=Text(max_length=254), max_length=50, allow_empty=True,
        help_text="Addresses or ids, in the order in which they take turns.",
    )  # fmt: skip
    starts_on = serializers.DateField(help_text="The first handover.")
    handover = serializers.TimeField(required=False, default=time(9), help_text="Such as 09:00.")
    zone = Text(max_length=60, required=False, default="UTC", help_text="Such as Europe/Berlin.")
    days = serializers.IntegerField(required=False, default=7, min_value=1, max_value=92)
    minutes = serializers.IntegerField(
        required=False, min_value=1, max_value=1440,
        help_text="Until the next is called, and as many again until the team is told.",
    )  # fmt: skip


class CoverInput(Input):
    """Who covers, for whom (else for whoever is on call), from when to when."""

    person = Text(max_length=254)
    instead_of = Text(max_length=254, required=False)
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()


_ROTAS: Final = Listing(ListQuery, search=("name", "slug"), ordering=("name",))
_COVERS: Final = Listing(ListQuery, search=("person__email",), ordering=("starts_at",))


class Rotas(APIView):
    """Who is on call for each team."""

    @extend_schema(
        operation_id="rotas_list", parameters=[ListQuery], responses=page_of(RotaLineOutput)
    )
    def get(self, request: Request) -> Response:
        asked, rows = _ROTAS.read(request), teams_for(actor_of(request))
        return _ROTAS.answer(request, rows, lambda page: [_line(team) for team in page], asked)


class OneRota(APIView):
    """One team's rota."""

    @extend_schema(operation_id="rotas_read", responses=RotaOutput)
    def get(self, request: Request, team: str) -> Response:
        """Return who is on call, and the next six weeks."""
        return Response(_whole(team_of_rota(actor_of(request), team)))

    @extend_schema(operation_id="rotas_set", request=RotaInput, responses=RotaOutput)
    def put(self, request: Request, team: str) -> Response:
        """Let people take turns from a day on; until then the rota before goes on."""
        actor, read = actor_of(request), RotaInput(data=request.data)
        one = team_of_rota(actor, team)
        read.is_valid(raise_exception=True)
        said = read.validated_data
        turns = Turns(
            [visible_person(actor, each) for each in said["people"]], said["zone"],
            said["starts_on"], said["handover"], said["days"],
            said.get("minutes", settings.INCIDENT_ESCALATE_MINUTES),
        )  # fmt: skip
        set_rota(one, turns, actor=actor)
        return Response(_whole(one))


class Covers(APIView):
    """Who covers for whom in a team."""

    @extend_schema(
        operation_id="covers_list", parameters=[ListQuery], responses=page_of(CoverOutput)
    )
    def get(self, request: Request, team: str) -> Response:
        one, asked = team_of_rota(actor_of(request), team), _COVERS.read(request)
        rows = covers_of(one)
        return _COVERS.answer(request, rows, lambda page: CoverOutput(page, many=True).data, asked)

    @extend_schema(operation_id="covers_set", request=CoverInput, responses={201: CoverOutput})
    def post(self, request: Request, team: str) -> Response:
        actor, read = actor_of(request), CoverInput(data=request.data)
        one = team_of_rota(actor, team)
        read.is_valid(raise_exception=True)
        made = _cover(one, actor, read.validated_data)
        return Response(CoverOutput(made).data, status=201)


class OneCover(APIView):
    """One cover."""

    @extend_schema(operation_id="covers_end", request=None, responses={204: None})
    def delete(self, request: Request, team: str, cover: str) -> Response:
        """End it, or take it back; the rota holds again."""
        actor = actor_of(request)
        end_cover(cover_for(team_of_rota(actor, team), cover), actor=actor)
        return Response(status=204)


def _cover(team: Team, actor: Actor, said: dict[str, Any]) -> Cover:
    instead = said.get("instead_of")
    return set_cover(
        team, visible_person(actor, said["person"]),
        instead_of=visible_person(actor, instead) if instead else None,
        starts_at=said["starts_at"], ends_at=said["ends_at"], actor=actor,
    )  # fmt: skip


def _line(team: Team) -> dict[str, Any]:
    duty = duty_of(team)
    after = duty.order[1:] if duty is not None else ()
    return {
        "team": team.slug,
        "on_call": duty.person.email if duty is not None and duty.person is not None else None,
        "then": after[0].email if after else None,
        "passed_over": [
            {"name": name, "why": why} for name, why in (duty.passed_over if duty else ())
        ],
    }


def _whole(team: Team) -> dict[str, Any]:
    now = clock.now()
    rota = rota_now(rotas_of(team), now)
    shown = _line(team) | {
        "id": rota.public_id if rota else None,
        "zone": rota.zone if rota else None,
        "handover": rota.handover_time if rota else None,
        "days": rota.length_days if rota else None,
        "minutes": rota.minutes if rota else settings.INCIDENT_ESCALATE_MINUTES,
        "weeks": weeks_of(team, now, now + timedelta(weeks=WEEKS)),
        "covers": list(covers_of(team)),
    }
    return dict(RotaOutput(shown).data)


urlpatterns = [
    path("rotas", Rotas.as_view(), name="rotas"),
    path("rotas/<str:team>", OneRota.as_view(), name="rota"),
    path("rotas/<str:team>/covers", Covers.as_view(), name="covers"),
    path("rotas/<str:team>/covers/<str:cover>", OneCover.as_view(), name="cover"),
]
