"""Targets and schedules over REST. The secret of a target is never read back."""

from __future__ import annotations

from typing import Any, Final

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from kernel.api import Input, Listing, ListQuery, Text, page_of
from outlets.actions.targets import (
    WantedTarget,
    add_schedule,
    add_target,
    end_schedule,
    remove_target,
)
from outlets.models import Schedule, Target
from outlets.queries.targets import schedule_for, schedules_for, target_for, targets_for
from registry.authentication import actor_of


class ExportTargetInput(Input):
    """A place for copies: a folder under UNSPRAWL_EXPORT_DIR, or a bucket."""

    name = Text(max_length=63)
    kind = serializers.ChoiceField(choices=Target.Kind.choices)
    prefix = Text(max_length=300, required=False, allow_blank=True, default="")
    endpoint = Text(max_length=2048, required=False, allow_blank=True, default="")
    region = Text(max_length=40, required=False, allow_blank=True, default="")
    bucket = Text(max_length=63, required=False, allow_blank=True, default="")
    access_key = Text(max_length=200, required=False, allow_blank=True, default="")
    secret = Text(max_length=16_384, required=False, allow_blank=True, default="", write_only=True)
    lock_days = serializers.IntegerField(required=False, default=0)


class ExportTargetOutput(serializers.Serializer[Any]):
    """A target."""

    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    kind = serializers.CharField()
    prefix = serializers.CharField()
    endpoint = serializers.CharField()
    region = serializers.CharField()
    bucket = serializers.CharField()
    access_key = serializers.CharField()
    lock_days = serializers.IntegerField()
    added_by = serializers.CharField()
    added_at = serializers.DateTimeField()


class ScheduleInput(Input):
    """How often everything new is sent where, and why."""

    target = Text(max_length=60)
    every = serializers.ChoiceField(choices=Schedule.Every.choices)
    payloads = serializers.BooleanField(required=False, default=True)
    reason = Text(max_length=1000)


class ScheduleOutput(serializers.Serializer[Any]):
    """A schedule; ``reached`` is the size of each epoch's tree that is out already."""

    id = serializers.CharField(source="public_id")
    target = serializers.CharField(source="target.public_id")
    every = serializers.CharField()
    payloads = serializers.BooleanField(source="with_payloads")
    reason = serializers.CharField()
    reached = serializers.JSONField()
    next_at = serializers.DateTimeField()
    late_since = serializers.DateTimeField(allow_null=True)
    added_by = serializers.CharField()
    added_at = serializers.DateTimeField()


_TARGETS: Final = Listing(ListQuery, search=("name", "bucket"), ordering=("added_at", "name"))
_SCHEDULES: Final = Listing(ListQuery, search=("reason",), ordering=("added_at", "every"))


class Targets(APIView):
    """The targets, and the way to add one."""

    @extend_schema(
        operation_id="targets_list", parameters=[ListQuery], responses=page_of(ExportTargetOutput)
    )
    def get(self, request: Request) -> Response:
        asked, rows = _TARGETS.read(request), targets_for(actor_of(request))
        return _TARGETS.answer(
            request, rows, lambda page: ExportTargetOutput(page, many=True).data, asked
        )

    @extend_schema(
        operation_id="targets_add", request=ExportTargetInput, responses={201: ExportTargetOutput}
    )
    def post(self, request: Request) -> Response:
        actor, read = actor_of(request), ExportTargetInput(data=request.data)
        read.is_valid(raise_exception=True)
        target = add_target(WantedTarget(**read.validated_data), actor=actor)
        return Response(ExportTargetOutput(target).data, status=201)


class OneTarget(APIView):
    """One target."""

    @extend_schema(operation_id="targets_read", responses=ExportTargetOutput)
    def get(self, request: Request, target: str) -> Response:
        return Response(ExportTargetOutput(target_for(actor_of(request), target)).data)

    @extend_schema(operation_id="targets_remove", request=None, responses={204: None})
    def delete(self, request: Request, target: str) -> Response:
        actor = actor_of(request)
        remove_target(target_for(actor, target), actor=actor)
        return Response(status=204)


class Schedules(APIView):
    """The schedules, and the way to add one."""

    @extend_schema(
        operation_id="schedules_list", parameters=[ListQuery], responses=page_of(ScheduleOutput)
    )
    def get(self, request: Request) -> Response:
        asked, rows = _SCHEDULES.read(request), schedules_for(actor_of(request))
        return _SCHEDULES.answer(
            request, rows, lambda page: ScheduleOutput(page, many=True).data, asked
        )

    @extend_schema(
        operation_id="schedules_add", request=ScheduleInput, responses={201: ScheduleOutput}
    )
    def post(self, request: Request) -> Response:
        actor, read = actor_of(request), ScheduleInput(data=request.data)
        read.is_valid(raise_exception=True)
        given = read.validated_data
        schedule = add_schedule(
            target_for(actor, given["target"]),
            given["every"],
            actor=actor,
            payloads=given["payloads"],
            reason=given["reason"],
        )
        return Response(ScheduleOutput(schedule).data, status=201)


class OneSchedule(APIView):
    """One schedule; deleting it ends it."""

    @extend_schema(operation_id="schedules_read", responses=ScheduleOutput)
    def get(self, request: Request, schedule: str) -> Response:
        return Response(ScheduleOutput(schedule_for(actor_of(request), schedule)).data)

    @extend_schema(operation_id="schedules_end", request=None, responses={204: None})
    def delete(self, request: Request, schedule: str) -> Response:
        actor = actor_of(request)
        end_schedule(schedule_for(actor, schedule), actor=actor)
        return Response(status=204)


urlpatterns = [
    path("export-targets", Targets.as_view(), name="export-targets"),
    path("export-targets/<str:target>", OneTarget.as_view(), name="export-target"),
    path("export-schedules", Schedules.as_view(), name="export-schedules"),
    path("export-schedules/<str:schedule>", OneSchedule.as_view(), name="export-schedule"),
]
