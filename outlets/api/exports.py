"""Exports over REST: asked for, watched, fetched with range, cancelled; a run's at once."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpResponseBase
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from kernel.api import Input, Listing, ListQuery, Text, page_of
from outlets.actions.exporting import ask_export, cancel_export, hand_out, make_now
from outlets.models import Export
from outlets.queries.exports import asked_scope, export_for, exports_for, scope_of_run
from outlets.serving import file_response
from registry.authentication import actor_of


class ExportInput(Input):
    """What to export (one of run, agent, whole, or since and until), and why."""

    run = Text(max_length=300, required=False, allow_blank=True, default="")
    agent = Text(max_length=300, required=False, allow_blank=True, default="")
    whole = serializers.BooleanField(required=False, default=False)
    since = serializers.DateTimeField(required=False, allow_null=True, default=None)
    until = serializers.DateTimeField(required=False, allow_null=True, default=None)
    payloads = serializers.BooleanField(required=False, default=True)
    target = Text(max_length=60, required=False, allow_blank=True, default="")
    reason = Text(max_length=1000)


class ExportsQuery(ListQuery):
    """The filters of the list."""

    state = serializers.ChoiceField(choices=Export.State.choices, required=False)


class RunExportQuery(Input):
    """How a run is exported at once."""

    payloads = serializers.BooleanField(required=False, default=True)
    reason = Text(max_length=1000, required=False, allow_blank=True, default="")


class ExportOutput(serializers.Serializer[Any]):
    """An export and how far it is. ``download`` is there once the file is."""

    id = serializers.CharField(source="public_id")
    state = serializers.CharField()
    title = serializers.CharField()
    scope = serializers.JSONField()
    payloads = serializers.BooleanField(source="with_payloads")
    reason = serializers.CharField()
    asked_by = serializers.CharField()
    asked_at = serializers.DateTimeField()
    entries = serializers.IntegerField()
    expected = serializers.IntegerField(allow_null=True)
    percent = serializers.IntegerField()
    bytes = serializers.IntegerField(source="size")
    sha256 = serializers.CharField()
    target = serializers.CharField(source="target.public_id", default=None, allow_null=True)
    place = serializers.CharField()
    failure = serializers.CharField()
    finished_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    download = serializers.SerializerMethodField()

    def get_download(self, export: Export) -> str | None:
        ready = export.state == Export.State.READY
        return f"/api/v1/exports/{export.public_id}/file" if ready else None


_EXPORTS: Final = Listing(ExportsQuery, search=("title", "reason"), ordering=("asked_at", "state"))


class Exports(APIView):
    """The exports this viewer may see, and the way to ask for one."""

    @extend_schema(
        operation_id="exports_list", parameters=[ExportsQuery], responses=page_of(ExportOutput)
    )
    def get(self, request: Request) -> Response:
        asked, rows = _EXPORTS.read(request), exports_for(actor_of(request))
        if "state" in asked:
            rows = rows.filter(state=asked["state"])
        return _EXPORTS.answer(
            request, rows, lambda page: ExportOutput(page, many=True).data, asked
        )

    @extend_schema(operation_id="exports_ask", request=ExportInput, responses={202: ExportOutput})
    def post(self, request: Request) -> Response:
        actor, read = actor_of(request), ExportInput(data=request.data)
        read.is_valid(raise_exception=True)
        given = read.validated_data
        scope, title = asked_scope(actor, given)
        export = ask_export(
            scope,
            title,
            actor=actor,
            payloads=given["payloads"],
            reason=given["reason"],
            target=given["target"],
        )
        location = {"Location": f"/api/v1/exports/{export.public_id}"}
        return Response(ExportOutput(export).data, status=202, headers=location)


class OneExport(APIView):
    """One export; deleting it cancels it."""

    @extend_schema(operation_id="exports_read", responses=ExportOutput)
    def get(self, request: Request, export: str) -> Response:
        return Response(ExportOutput(export_for(actor_of(request), export)).data)

    @extend_schema(operation_id="exports_cancel", request=None, responses=ExportOutput)
    def delete(self, request: Request, export: str) -> Response:
        actor = actor_of(request)
        return Response(ExportOutput(cancel_export(export_for(actor, export), actor=actor)).data)


class ExportFile(APIView):
    """The file of a finished export; ranges are answered, so a download can go on."""

    @extend_schema(operation_id="exports_file", responses={(200, "application/jsonl"): bytes})
    def get(self, request: Request, export: str) -> HttpResponseBase:
        actor = actor_of(request)
        found = export_for(actor, export)
        file = hand_out(found, actor=actor)
        return file_response(
            request._request, file, found.size, name=found.filename, tag=found.sha256
        )


class RunExport(APIView):
    """A run as a file that anybody can check, made while you wait."""

    @extend_schema(
        operation_id="runs_export_retrieve",
        parameters=[RunExportQuery],
        responses={(200, "application/jsonl"): bytes},
    )
    def get(self, request: Request, run: str) -> HttpResponseBase:
        actor, read = actor_of(request), RunExportQuery(data=request.query_params.dict())
        read.is_valid(raise_exception=True)
        scope, _ = scope_of_run(actor, run)
        made = make_now(scope, actor=actor, **read.validated_data)
        name = f"{scope.document()['run']}.jsonl"
        return file_response(request._request, made.file, made.size, name=name, tag=made.sha256)


urlpatterns = [
    path("exports", Exports.as_view(), name="exports"),
    path("exports/<str:export>", OneExport.as_view(), name="export"),
    path("exports/<str:export>/file", ExportFile.as_view(), name="export-file"),
    path("runs/<path:run>/export", RunExport.as_view(), name="run-export"),
]
