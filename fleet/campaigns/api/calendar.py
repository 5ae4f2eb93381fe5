"""The retirement calendar over REST: ends with their exposure, and the calendar file."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.urls import path, reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fleet.campaigns.calendar_file import calendar_file
from fleet.campaigns.queries.calendar import DEFAULT_DAYS, Asked, ends_for
from fleet.campaigns.shapes import end_told
from kernel.api import Input, Text
from registry.authentication import actor_of


class CalendarQuery(Input):
    """What a calendar is narrowed to."""

    days = serializers.IntegerField(required=False, min_value=1, max_value=730)
    vendor = Text(required=False, max_length=63)
    platform = Text(required=False, max_length=63)
    search = Text(required=False, max_length=200)
    scope = serializers.ChoiceField(required=False, choices=["in_use", "all"])
    owner = serializers.ChoiceField(required=False, choices=["me"])
    model = Text(required=False, max_length=200, help_text="A model's id, mod_…, or its name.")


class RetirementsQuery(CalendarQuery):
    """And which part of it."""

    limit = serializers.IntegerField(required=False, min_value=1, max_value=500, default=200)
    cursor = serializers.IntegerField(required=False, min_value=0, max_value=10**6, default=0)


def _asked(request: Request) -> Asked:
    query = CalendarQuery(data=request.query_params.dict())
    query.is_valid(raise_exception=True)
    return _narrowed(query.validated_data)


def _page_at(request: Request, start: int | None) -> str | None:
    if start is None:
        return None
    asked = request.query_params.copy()
    asked["cursor"] = str(start)
    return str(request.build_absolute_uri(f"{request.path}?{asked.urlencode()}"))


def _narrowed(said: dict[str, Any]) -> Asked:
    return Asked(
        days=said.get("days", DEFAULT_DAYS),
        vendor=said.get("vendor", ""),
        platform=said.get("platform", ""),
        search=said.get("search", ""),
        whole=said.get("scope") == "all",
        mine=said.get("owner") == "me",
        model=said.get("model", ""),
    )


class Retirements(APIView):
    """What ends when, the soonest first, with what depends on it."""

    @extend_schema(
        operation_id="retirements_list",
        parameters=[RetirementsQuery],
        responses=OpenApiTypes.OBJECT,
    )
    def get(self, request: Request) -> Response:
        query = RetirementsQuery(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        start, limit = query.validated_data["cursor"], query.validated_data["limit"]
        ends = ends_for(actor_of(request), _narrowed(query.validated_data))
        following = start + limit if start + limit < len(ends) else None
        before = max(start - limit, 0) if start else None
        return Response(
            {
                "results": [end_told(end) for end in ends[start : start + limit]],
                "next": _page_at(request, following),
                "previous": _page_at(request, before),
            }
        )


class RetirementsFile(APIView):
    """The same as a calendar file, for programs that can send a token."""

    @extend_schema(
        operation_id="retirements_file",
        parameters=[CalendarQuery],
        responses={(200, "text/calendar"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> HttpResponse:
        ends = ends_for(actor_of(request), _asked(request))
        link = request.build_absolute_uri(reverse("campaigns:calendar"))
        return HttpResponse(
            calendar_file(ends, link=link), content_type="text/calendar; charset=utf-8"
        )


urlpatterns = [
    path("retirements", Retirements.as_view(), name="retirements"),
    path("retirements.ics", RetirementsFile.as_view(), name="retirements-file"),
]
