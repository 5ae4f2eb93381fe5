"""Task routes over REST: whole documents, with the revision as the entity tag."""

from __future__ import annotations

import re
from typing import Any, Final

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from kernel.api import Listing, ListQuery, page_of
from registry.authentication import actor_of
from routing.actions import routes as act
from routing.actions.route_gates import fail_target, pass_target
from routing.actions.route_targets import TargetDraft
from routing.api.bodies import EvalGateInput, NoInput, RouteInput, StopInput, said
from routing.api.shapes import NotedRouteOutput, RouteOutput, route_shown
from routing.errors import RouteInvalid
from routing.models import Route
from routing.queries.routes import route_for, routes_for

_ROUTES: Final = Listing(
    ListQuery, search=("name", "title"), ordering=("created_at", "changed_at", "name")
)
_TAG: Final = re.compile(r'(?:W/)?"(\d{1,9})"')


def _tagged(document: dict[str, Any], status: int = 200) -> Response:
    return Response(document, status=status, headers={"ETag": f'"{document["revision"]}"'})


class Routes(APIView):
    """The names agents may call."""

    @extend_schema(
        operation_id="routes_list", parameters=[ListQuery], responses=page_of(RouteOutput)
    )
    def get(self, request: Request) -> Response:
        asked = _ROUTES.read(request)
        rows = routes_for(actor_of(request))
        return _ROUTES.answer(request, rows, lambda page: RouteOutput(page, many=True).data, asked)


class OneRoute(APIView):
    """One route: read it, say what it is, or stop it."""

    @extend_schema(responses=RouteOutput)
    def get(self, request: Request, name: str) -> Response:
        return _tagged(route_shown(route_for(actor_of(request), name)))

    @extend_schema(request=RouteInput, responses={200: NotedRouteOutput, 201: NotedRouteOutput})
    def put(self, request: Request, name: str) -> Response:
        given = said(RouteInput, request)
        result = act.put_route(
            name,
            [TargetDraft(**target) for target in given["targets"]],
            given.get("constraints"),
            actor=actor_of(request),
            title=given["title"],
            options=given.get("options"),
            aliases=given["aliases"],
            expected_revision=_expected(request, given),
        )
        document = route_shown(result.route) | {"notes": result.notes}
        return _tagged(document, 201 if result.created else 200)

    @extend_schema(
        request=StopInput,
        responses={204: None},
        description="Stops the route. Its name stays taken and its history stays.",
    )
    def delete(self, request: Request, name: str) -> Response:
        reason = said(StopInput, request)["reason"] or "removed over the API"
        act.disable_route(name, actor=actor_of(request), reason=reason)
        return Response(status=204)


class Disable(APIView):
    """Stop every call to a route."""

    @extend_schema(request=StopInput, responses=RouteOutput)
    def post(self, request: Request, name: str) -> Response:
        reason = said(StopInput, request)["reason"]
        return _shown(act.disable_route(name, actor=actor_of(request), reason=reason))


class Enable(APIView):
    """Let calls use a route again."""

    @extend_schema(request=NoInput, responses=RouteOutput)
    def post(self, request: Request, name: str) -> Response:
        said(NoInput, request)
        return _shown(act.enable_route(name, actor=actor_of(request)))


def _shown(route: Route) -> Response:
    return _tagged(route_shown(route))


def _expected(request: Request, given: dict[str, Any]) -> int | None:
    tag = request.headers.get("If-Match", "").strip()
    if not tag or tag == "*":
        revision: int | None = given.get("revision")
        return revision
    found = _TAG.fullmatch(tag)
    if found is None:
        raise RouteInvalid(
            'If-Match holds the revision you have read, such as "3".', field="If-Match"
        )
    return int(found[1])


class EvalGate(APIView):
    """Say whether a target is good enough to be chosen by price or speed."""

    @extend_schema(request=EvalGateInput, responses=RouteOutput)
    def post(self, request: Request, name: str) -> Response:
        given = said(EvalGateInput, request)
        act = pass_target if given.pop("passed") else fail_target
        return _shown(act(name, **given, actor=actor_of(request)))


# A route's name may hold slashes, so what follows it is looked at first.
urlpatterns = [
    path("routes", Routes.as_view(), name="routes"),
    path("routes/<path:name>/disable", Disable.as_view(), name="route-disable"),
    path("routes/<path:name>/enable", Enable.as_view(), name="route-enable"),
    path("routes/<path:name>/eval-gate", EvalGate.as_view(), name="route-eval-gate"),
    path("routes/<path:name>", OneRoute.as_view(), name="route"),
]
