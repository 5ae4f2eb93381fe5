"""Usage over REST: sums of the last days, by day or by what they belong to."""

from __future__ import annotations

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from registry.authentication import actor_of
from routing.api.bodies import UsageQuery, read
from routing.api.shapes import UsageOutput
from routing.queries.calls import seen_agent
from routing.queries.usage import counted_at, total, usage_by, usage_by_day


class Usage(APIView):
    """What the agents this viewer may see have used."""

    @extend_schema(parameters=[UsageQuery], responses=UsageOutput)
    def get(self, request: Request) -> Response:
        actor = actor_of(request)
        asked = read(UsageQuery, request.query_params.dict())
        agent = seen_agent(actor, asked["agent"]) if "agent" in asked else None
        days = asked["days"]
        rows = usage_by(actor, asked["by"], days=days, agent=agent)
        document = {
            "counted_at": counted_at(),
            # Of all, also where only the dearest are listed.
            "total": total(row.used for row in usage_by_day(actor, days=days, agent=agent)),
            "results": rows,
        }
        return Response(UsageOutput(document).data)


urlpatterns = [path("usage", Usage.as_view(), name="usage")]
