"""Incidents over REST: listed, read, taken, noted on and closed; and mutes."""

from __future__ import annotations

from typing import Any, Final

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fleet.health.actions.incidents import (
    LONGEST_NOTE,
    acknowledge_incident,
    assign_incident,
    close_incident,
    note_on_incident,
)
from fleet.health.actions.setting import LONGEST_REASON, end_mute, set_mute
from fleet.health.api.shapes import IncidentEventOutput, IncidentOutput, IncidentStoryOutput
from fleet.health.models import Incident
from fleet.health.queries.incidents import (
    incident_for,
    incidents_for,
    mute_for,
    mutes_for,
    require_acting,
    story_of,
)
from kernel.api import Input, Listing, ListQuery, Text, page_of
from registry.authentication import actor_of
from registry.queries import agent_for, visible_person
from registry.queries.people import team_for


class IncidentsQuery(ListQuery):
    """The query of the list of incidents."""

    state = serializers.ChoiceField(choices=Incident.State.choices, required=False)
    severity = serializers.ChoiceField(choices=Incident.Severity.choices, required=False)
    agent = Text(required=False, max_length=80)


class NoteInput(Input):
    """What somebody found out."""

    text = Text(max_length=LONGEST_NOTE)


class CloseInput(Input):
    """Why it is over."""

    why = Text(max_length=300, required=False, allow_blank=True, default="")


class AssignIncidentInput(Input):
    """To whom it is given."""

    person = Text(max_length=254, help_text="An address or an id.")


class MuteInput(Input):
    """A window of quiet for one agent, or for all of a team's."""

    agent = Text(max_length=80, required=False)
    team = Text(max_length=80, required=False, help_text="Instead of an agent: a team's slug.")
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    reason = Text(max_length=LONGEST_REASON, required=False, allow_blank=True, default="")


class MuteOutput(serializers.Serializer[Any]):
    """A window of quiet."""

    id = serializers.CharField(source="public_id")
    agent = serializers.CharField(source="agent.name", default=None, allow_null=True)
    team = serializers.CharField(source="team.slug", default=None, allow_null=True)
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    reason = serializers.CharField()
    set_by = serializers.CharField()


_INCIDENTS: Final = Listing(
    IncidentsQuery, search=("public_id", "title", "agent__name"), ordering=("opened_at",)
)
_MUTES: Final = Listing(ListQuery, search=("agent__name", "team__slug"), ordering=("ends_at",))


class Incidents(APIView):
    """What is wrong, the newest first."""

    @extend_schema(
        operation_id="incidents_list", parameters=[IncidentsQuery],
        responses=page_of(IncidentOutput),
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        asked, rows = _INCIDENTS.read(request), incidents_for(actor_of(request))
        for given, column in (
            ("state", "state"), ("severity", "severity"), ("agent", "agents__agent__name"),
        ):  # fmt: skip
            if given in asked:
                rows = rows.filter(**{column: asked[given]})
        return _INCIDENTS.answer(
            request, rows, lambda page: IncidentOutput(page, many=True).data, asked
        )


class OneIncident(APIView):
    """One incident and its story."""

    @extend_schema(operation_id="incidents_read", responses=IncidentStoryOutput)
    def get(self, request: Request, incident: str) -> Response:
        found = incident_for(actor_of(request), incident)
        shown = dict(IncidentOutput(found).data)
        shown["story"] = IncidentEventOutput(story_of(found), many=True).data
        return Response(shown)


class AcknowledgeIncident(APIView):
    """Take an incident: it escalates no further."""

    @extend_schema(operation_id="incidents_acknowledge", request=None, responses=IncidentOutput)
    def post(self, request: Request, incident: str) -> Response:
        actor = actor_of(request)
        found = incident_for(actor, incident)
        require_acting(actor, found)
        return Response(IncidentOutput(acknowledge_incident(found, actor=actor)).data)


class NoteOnIncident(APIView):
    """Add a note to an incident's story."""

    @extend_schema(
        operation_id="incidents_note", request=NoteInput, responses={201: IncidentEventOutput}
    )
    def post(self, request: Request, incident: str) -> Response:
        actor, read = actor_of(request), NoteInput(data=request.data)
        found = incident_for(actor, incident)
        require_acting(actor, found)
        read.is_valid(raise_exception=True)
        event = note_on_incident(found, read.validated_data["text"], actor=actor)
        return Response(IncidentEventOutput(event).data, status=201)


class ResolveIncident(APIView):
    """Say that an incident is over."""

    @extend_schema(operation_id="incidents_resolve", request=CloseInput, responses=IncidentOutput)
    def post(self, request: Request, incident: str) -> Response:
        actor, read = actor_of(request), CloseInput(data=request.data)
        found = incident_for(actor, incident)
        require_acting(actor, found)
        read.is_valid(raise_exception=True)
        closed = close_incident(found, why=read.validated_data["why"], actor=actor)
        return Response(IncidentOutput(closed).data)


class AssignIncident(APIView):
    """Give an incident to somebody who may take it."""

    @extend_schema(
        operation_id="incidents_assign", request=AssignIncidentInput, responses=IncidentOutput
    )
    def post(self, request: Request, incident: str) -> Response:
        actor, read = actor_of(request), AssignIncidentInput(data=request.data)
        found = incident_for(actor, incident)
        require_acting(actor, found)
        read.is_valid(raise_exception=True)
        person = visible_person(actor, read.validated_data["person"])
        return Response(IncidentOutput(assign_incident(found, person, actor=actor)).data)


class Mutes(APIView):
    """Windows of quiet, such as maintenance."""

    @extend_schema(operation_id="mutes_list", parameters=[ListQuery], responses=page_of(MuteOutput))
    def get(self, request: Request) -> Response:
        asked, rows = _MUTES.read(request), mutes_for(actor_of(request))
        return _MUTES.answer(request, rows, lambda page: MuteOutput(page, many=True).data, asked)

    @extend_schema(operation_id="mutes_set", request=MuteInput, responses={201: MuteOutput})
    def post(self, request: Request) -> Response:
        actor, read = actor_of(request), MuteInput(data=request.data)
        read.is_valid(raise_exception=True)
        given = dict(read.validated_data)
        agent, team = given.pop("agent", None), given.pop("team", None)
        mute = set_mute(
            agent=agent_for(actor, agent) if agent else None,
            team=team_for(team) if team else None,
            actor=actor,
            **given,
        )
        return Response(MuteOutput(mute).data, status=201)


class OneMute(APIView):
    """One window of quiet."""

    @extend_schema(operation_id="mutes_end", request=None, responses={204: None})
    def delete(self, request: Request, mute: str) -> Response:
        actor = actor_of(request)
        end_mute(mute_for(actor, mute), actor=actor)
        return Response(status=204)


_ONE = "incidents/<str:incident>"
urlpatterns = [
    path("incidents", Incidents.as_view(), name="incidents"),
    path(_ONE, OneIncident.as_view(), name="incident"),
    path(f"{_ONE}/acknowledge", AcknowledgeIncident.as_view(), name="incident-acknowledge"),
    path(f"{_ONE}/assign", AssignIncident.as_view(), name="incident-assign"),
    path(f"{_ONE}/notes", NoteOnIncident.as_view(), name="incident-note"),
    path(f"{_ONE}/resolve", ResolveIncident.as_view(), name="incident-resolve"),
    path("mutes", Mutes.as_view(), name="mutes"),
    path("mutes/<str:mute>", OneMute.as_view(), name="mute"),
]
