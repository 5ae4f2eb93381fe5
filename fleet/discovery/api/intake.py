"""Sources, files and reports over REST. Keys and files go in here and never come out.

A file is the body as it is: streamed to the disk, never held in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from django.http import HttpResponse
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fleet.discovery.actions.parts import open_upload, take_part
from fleet.discovery.actions.readings import PIECE, cancel_reading, take_upload
from fleet.discovery.actions.reports import take_report
from fleet.discovery.actions.sources import (
    WantedSource,
    add_source,
    ask_source,
    remove_source,
)
from fleet.discovery.models import Reading, Source
from fleet.discovery.queries.findings import DECIDING
from fleet.discovery.queries.intake import reading_for, readings_for, source_for, sources_for
from fleet.discovery.queries.names import fingerprint_key
from fleet.discovery.queries.retirements import known_models
from fleet.discovery.scanning.served import scanner_digest, scanner_text
from fleet.discovery.signs import FORMATS
from kernel.api import Input, Listing, ListQuery, Text, page_of
from registry.authentication import actor_of
from registry.models import Role


class DiscoverySourceInput(Input):
    """An account, and the admin key it is read with."""

    name = Text(max_length=63)
    kind = serializers.ChoiceField(choices=Source.Kind.choices)
    secret = Text(max_length=16_384, write_only=True)
    base_url = Text(max_length=2048, required=False, allow_blank=True, default="")
    every_hours = serializers.IntegerField(required=False, default=24)


class DiscoverySourceOutput(serializers.Serializer[Any]):
    """A source and when it is read."""

    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    kind = serializers.CharField()
    base_url = serializers.CharField()
    every_hours = serializers.IntegerField()
    next_at = serializers.DateTimeField()
    last_read_at = serializers.DateTimeField(allow_null=True)
    failures = serializers.IntegerField()
    failure = serializers.CharField()
    added_by = serializers.CharField()
    added_at = serializers.DateTimeField()


class ReadingsQuery(ListQuery):
    """The filters of the list."""

    state = serializers.ChoiceField(choices=Reading.State.choices, required=False)


class UploadQuery(Input):
    """What the body is."""

    kind = serializers.ChoiceField(choices=tuple(FORMATS))
    name = Text(max_length=200, required=False, allow_blank=True, default="")
    size = serializers.IntegerField(
        required=False, min_value=1,
        help_text="Of a file that comes in parts: the body is empty, and the parts follow.",
    )  # fmt: skip


class PartQuery(Input):
    """Where a part begins."""

    offset = serializers.IntegerField(min_value=0)


class ReadingOutput(serializers.Serializer[Any]):
    """One reading, how far it is and what became of its lines."""

    id = serializers.CharField(source="public_id")
    kind = serializers.CharField()
    source = serializers.CharField(  # type: ignore[assignment]
        source="source.public_id", default=None, allow_null=True
    )
    state = serializers.CharField()
    title = serializers.CharField()
    size = serializers.IntegerField()
    received = serializers.IntegerField(allow_null=True, help_text="Of a file that comes in parts.")
    percent = serializers.IntegerField()
    lines = serializers.IntegerField()
    understood = serializers.IntegerField()
    passed = serializers.IntegerField()
    malformed = serializers.IntegerField()
    samples = serializers.JSONField()
    overflow = serializers.IntegerField()
    ours = serializers.IntegerField(help_text="Lines of gateways here to connected vendors.")
    found = serializers.IntegerField()
    seen_again = serializers.IntegerField()
    known = serializers.IntegerField()
    failure = serializers.CharField()
    asked_by = serializers.CharField()
    asked_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class ScannerOutput(serializers.Serializer[Any]):
    """What the scanner needs: its own digest, the key it hashes under, the models it looks for."""

    sha256 = serializers.CharField()
    fingerprint_key = serializers.CharField()
    models = serializers.DictField(child=serializers.CharField())


class ReportTakenOutput(serializers.Serializer[Any]):
    """What became of a report."""

    title = serializers.CharField()
    summary = serializers.CharField()
    finding = serializers.CharField(allow_null=True)
    retires_on = serializers.DateField(allow_null=True)
    reading = ReadingOutput()


class RawParser(BaseParser):
    """Leaves the body where it is, to be read in pieces."""

    media_type = "application/octet-stream"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        return stream


_SOURCES: Final = Listing(ListQuery, search=("name",), ordering=("added_at", "name"))
_READINGS: Final = Listing(ReadingsQuery, search=("title",), ordering=("asked_at", "state"))


class Sources(APIView):
    """The connected accounts, and the way to connect one."""

    @extend_schema(
        operation_id="discovery_sources_list",
        parameters=[ListQuery],
        responses=page_of(DiscoverySourceOutput),
    )
    def get(self, request: Request) -> Response:
        asked, rows = _SOURCES.read(request), sources_for(actor_of(request))
        return _SOURCES.answer(
            request, rows, lambda page: DiscoverySourceOutput(page, many=True).data, asked
        )

    @extend_schema(
        operation_id="discovery_sources_add",
        request=DiscoverySourceInput,
        responses={201: DiscoverySourceOutput},
    )
    def post(self, request: Request) -> Response:
        actor = actor_of(request)
        actor.require(Role.PLATFORM)
        read = DiscoverySourceInput(data=request.data)
        read.is_valid(raise_exception=True)
        source = add_source(WantedSource(**read.validated_data), actor=actor)
        return Response(DiscoverySourceOutput(source).data, status=201)


class OneSource(APIView):
    """One source; deleting it ends its readings and retires its key."""

    @extend_schema(operation_id="discovery_sources_read", responses=DiscoverySourceOutput)
    def get(self, request: Request, source: str) -> Response:
        return Response(DiscoverySourceOutput(source_for(actor_of(request), source)).data)

    @extend_schema(operation_id="discovery_sources_remove", request=None, responses={204: None})
    def delete(self, request: Request, source: str) -> Response:
        actor = actor_of(request)
        remove_source(source_for(actor, source), actor=actor)
        return Response(status=204)


class ReadSource(APIView):
    """Read a source now."""

    @extend_schema(
        operation_id="discovery_sources_pull", request=None, responses={202: ReadingOutput}
    )
    def post(self, request: Request, source: str) -> Response:
        actor = actor_of(request)
        row = ask_source(source_for(actor, source), actor=actor)
        return Response(ReadingOutput(row).data, status=202)


class Readings(APIView):
    """The readings, and the way to hand a file in."""

    parser_classes = (RawParser,)

    @extend_schema(
        operation_id="discovery_readings_list",
        parameters=[ReadingsQuery],
        responses=page_of(ReadingOutput),
    )
    def get(self, request: Request) -> Response:
        asked, rows = _READINGS.read(request), readings_for(actor_of(request))
        if "state" in asked:
            rows = rows.filter(state=asked["state"])
        return _READINGS.answer(
            request, rows, lambda page: ReadingOutput(page, many=True).data, asked
        )

    @extend_schema(
        operation_id="discovery_readings_upload",
        parameters=[UploadQuery],
        request={"application/octet-stream": bytes},
        responses={202: ReadingOutput},
    )
    def post(self, request: Request) -> Response:
        actor = actor_of(request)
        actor.require(*DECIDING)
        asked = UploadQuery(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        what: dict[str, Any] = {"kind": given["kind"], "title": given["name"], "actor": actor}
        size = given.get("size")
        if size is None:
            row = take_upload(_pieces(request.data), **what)
        else:
            row = open_upload(size=size, **what)
        location = {"Location": f"/api/v1/discovery/readings/{row.public_id}"}
        return Response(ReadingOutput(row).data, status=202, headers=location)


class OneReading(APIView):
    """One reading; deleting it cancels it."""

    @extend_schema(operation_id="discovery_readings_read", responses=ReadingOutput)
    def get(self, request: Request, reading: str) -> Response:
        return Response(ReadingOutput(reading_for(actor_of(request), reading)).data)

    @extend_schema(operation_id="discovery_readings_cancel", request=None, responses=ReadingOutput)
    def delete(self, request: Request, reading: str) -> Response:
        actor = actor_of(request)
        done = cancel_reading(reading_for(actor, reading), actor=actor)
        return Response(ReadingOutput(done).data)


class ReadingParts(APIView):
    """The next part of a file that comes in parts; a break is gone on from where it was."""

    parser_classes = (RawParser,)

    @extend_schema(
        operation_id="discovery_readings_part",
        parameters=[PartQuery],
        request={"application/octet-stream": bytes},
        responses=ReadingOutput,
    )
    def put(self, request: Request, reading: str) -> Response:
        actor = actor_of(request)
        actor.require(*DECIDING)
        asked = PartQuery(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        row = reading_for(actor, reading)
        offset = asked.validated_data["offset"]
        done = take_part(row, _pieces(request.data), offset=offset, actor=actor)
        return Response(ReadingOutput(done).data)


class Scanner(APIView):
    """What the scanner asks for before it looks."""

    @extend_schema(operation_id="discovery_scanner", responses=ScannerOutput)
    def get(self, request: Request) -> Response:
        actor_of(request).require(Role.EMPLOYEE, *DECIDING)
        told = {
            "sha256": scanner_digest(),
            "fingerprint_key": fingerprint_key().hex(),
            "models": known_models(),
        }
        return Response(ScannerOutput(told).data)


class ScannerFile(APIView):
    """The scanner itself: one file, standard library only."""

    @extend_schema(operation_id="discovery_scanner_file", responses={(200, "text/x-python"): bytes})
    def get(self, request: Request) -> HttpResponse:
        answer = HttpResponse(scanner_text(), content_type="text/x-python; charset=utf-8")
        answer["Content-Disposition"] = 'attachment; filename="scan_repository.py"'
        answer["x-unsprawl-sha256"] = scanner_digest()
        return answer


class Repositories(APIView):
    """The report of a repository that was scanned where it lies."""

    @extend_schema(
        operation_id="discovery_repositories_report",
        request=OpenApiTypes.OBJECT,
        responses=ReportTakenOutput,
    )
    def post(self, request: Request) -> Response:
        row, found = take_report(request.data, actor=actor_of(request))
        told = {
            "title": row.title,
            "summary": _summary(found),
            "finding": found.public_id if found else None,
            "retires_on": found.retires_on if found else None,
            "reading": row,
        }
        return Response(ReportTakenOutput(told).data)


def _summary(found: Any) -> str:
    if found is None:
        return "nothing that is looked for was found"
    if found.retires_on is None:
        return f"{found.get_state_display().lower()}, risk {found.risk}"
    return f"breaks on {found.retires_on:%-d %B %Y}, when {found.retiring_model} ends"


def _pieces(body: Any) -> Iterator[bytes]:
    while isinstance(piece := body.read(PIECE) if hasattr(body, "read") else b"", bytes) and piece:
        yield piece


urlpatterns = [
    path("discovery/sources", Sources.as_view(), name="discovery-sources"),
    path("discovery/sources/<str:source>", OneSource.as_view(), name="discovery-source"),
    path("discovery/sources/<str:source>/read", ReadSource.as_view(), name="discovery-source-read"),
    path("discovery/readings", Readings.as_view(), name="discovery-readings"),
    path("discovery/readings/<str:reading>", OneReading.as_view(), name="discovery-reading"),
    path("discovery/readings/<str:reading>/parts", ReadingParts.as_view(), name="reading-parts"),
    path("discovery/scanner", Scanner.as_view(), name="discovery-scanner"),
    path("discovery/scanner/file", ScannerFile.as_view(), name="discovery-scanner-file"),
    path("discovery/repositories", Repositories.as_view(), name="discovery-repositories"),
]
