"""Stops over REST: placed with a proof that they hold, looked at, lifted."""

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
from routing.actions.containing import Containment, contain_stop
from routing.actions.stops import lift_stop, place_stop
from routing.api.bodies import NoInput, StopInput, said
from routing.containment.reach import reach_of
from routing.models import Stop
from routing.queries.stops import stop_for, stops_for, subject_for


class PlaceInput(Input):
    """What is to stop, and why; the fleet has no subject."""

    scope = serializers.ChoiceField(choices=Stop.Scope.choices)
    subject = Text(max_length=300, required=False, allow_blank=True, default="")
    reason = Text(max_length=2000, required=False, allow_blank=True, default="")


class ReachInput(Input):
    """What would stop."""

    scope = serializers.ChoiceField(choices=Stop.Scope.choices)
    subject = Text(max_length=300, required=False, allow_blank=True, default="")


class StopQuery(ListQuery):
    """The filters of the list."""

    scope = serializers.ChoiceField(choices=Stop.Scope.choices, required=False)
    in_force = serializers.BooleanField(required=False, allow_null=True, default=None)


class EvidenceOutput(serializers.Serializer[Any]):
    """What one path was found to be."""

    path = serializers.CharField()
    state = serializers.ChoiceField(choices=["contained", "open", "beyond_reach"])
    detail = serializers.CharField()
    advice = serializers.CharField()
    open = serializers.IntegerField()
    milliseconds = serializers.IntegerField()


class ContainmentOutput(serializers.Serializer[Any]):
    """Whether a stop holds everywhere, path by path."""

    contained = serializers.BooleanField()
    verdict = serializers.CharField()
    milliseconds = serializers.IntegerField()
    paths = EvidenceOutput(many=True)


class StopOutput(serializers.Serializer[Any]):
    """A stop; ``containment`` is what its last proof found."""

    id = serializers.CharField(source="public_id")
    scope = serializers.CharField()
    subject = serializers.CharField()
    subject_name = serializers.CharField()
    reason = serializers.CharField()
    placed_by = serializers.CharField()
    placed_as = serializers.CharField()
    placed_at = serializers.DateTimeField()
    lifted_by = serializers.CharField()
    lifted_at = serializers.DateTimeField(allow_null=True)
    lifted_reason = serializers.CharField()
    containment = ContainmentOutput(source="last_report", allow_null=True)


class LiftingOutput(StopOutput):
    """A stop after somebody wanted it lifted, with the review that has to say yes first."""

    review = serializers.CharField(allow_null=True)


_STOPS: Final = Listing(
    StopQuery, search=("subject_name", "reason"), ordering=("placed_at", "scope")
)


def _shown(stop: Stop, found: Containment) -> dict[str, Any]:
    stop.last_report = found.facts()
    return StopOutput(stop).data


class Stops(APIView):
    """Every stop, and the way to place one."""

    @extend_schema(operation_id="stops_list", parameters=[StopQuery], responses=page_of(StopOutput))
    def get(self, request: Request) -> Response:
        asked, rows = _STOPS.read(request), stops_for(actor_of(request))
        if "scope" in asked:
            rows = rows.filter(scope=asked["scope"])
        if asked["in_force"] is not None:
            rows = rows.filter(lifted_at__isnull=asked["in_force"])
        return _STOPS.answer(request, rows, lambda page: StopOutput(page, many=True).data, asked)

    @extend_schema(
        operation_id="stops_place",
        request=PlaceInput,
        responses={201: StopOutput},
        description="Stop something and prove that it holds in every gateway. 201 also when it is"
        " not contained: the stop stands, and `containment.paths` names what is open.",
    )
    def post(self, request: Request) -> Response:
        actor, given = actor_of(request), said(PlaceInput, request)
        stop = place_stop(given["scope"], given["subject"], actor=actor, reason=given["reason"])
        shown = _shown(stop, contain_stop(stop, actor=actor))
        return Response(shown, status=201, headers={"Location": f"/api/v1/stops/{stop.public_id}"})


class CallerOutput(serializers.Serializer[Any]):
    """An agent that called in the last day, and how often."""

    agent = serializers.CharField()
    calls = serializers.IntegerField()


class ReachOutput(serializers.Serializer[Any]):
    """Whom a stop would hit. ``agent_names`` and ``callers`` may be the first of many."""

    agents = serializers.IntegerField()
    agent_names = serializers.ListField(child=serializers.CharField())
    owners = serializers.ListField(child=serializers.CharField())
    keys = serializers.IntegerField()
    calls_in_hour = serializers.IntegerField()
    calls_in_day = serializers.IntegerField()
    open_now = serializers.IntegerField()
    callers = CallerOutput(many=True)
    gateways = serializers.IntegerField()
    silent_gateways = serializers.ListField(child=serializers.CharField())


class Reach(APIView):
    """How far a stop would reach; it stops nothing."""

    @extend_schema(operation_id="stops_reach", request=ReachInput, responses=ReachOutput)
    def post(self, request: Request) -> Response:
        actor, given = actor_of(request), said(ReachInput, request)
        subject = subject_for(actor, given["scope"], given["subject"])
        return Response(reach_of(subject, actor=actor).facts())


class OneStop(APIView):
    """One stop."""

    @extend_schema(operation_id="stops_read", responses=StopOutput)
    def get(self, request: Request, stop: str) -> Response:
        return Response(StopOutput(stop_for(actor_of(request), stop)).data)


class Prove(APIView):
    """Probe every path of a stop in force again."""

    @extend_schema(operation_id="stops_prove", request=NoInput, responses=StopOutput)
    def post(self, request: Request, stop: str) -> Response:
        actor = actor_of(request)
        said(NoInput, request)
        found = stop_for(actor, stop)
        return Response(_shown(found, contain_stop(found, actor=actor)))


class Lift(APIView):
    """Let what was stopped go on; everything, only with a second person."""

    @extend_schema(
        operation_id="stops_lift",
        request=StopInput,
        responses={200: LiftingOutput, 202: LiftingOutput},
        description="202 with a review when everything is stopped: another person with the"
        " security role decides it; then ask again.",
    )
    def post(self, request: Request, stop: str) -> Response:
        actor = actor_of(request)
        lifting = lift_stop(stop, actor=actor, reason=said(StopInput, request)["reason"])
        review = lifting.review.public_id if lifting.review is not None else None
        shown = StopOutput(lifting.stop).data | {"review": review}
        return Response(shown, status=202 if review else 200)


urlpatterns = [
    path("stops", Stops.as_view(), name="stops"),
    path("stops/reach", Reach.as_view(), name="stop-reach"),
    path("stops/<str:stop>", OneStop.as_view(), name="stop"),
    path("stops/<str:stop>/prove", Prove.as_view(), name="stop-prove"),
    path("stops/<str:stop>/lift", Lift.as_view(), name="stop-lift"),
]
