"""Versions of an agent over REST: handing in, looking back, comparing."""

from __future__ import annotations

from typing import Any, Final

from django.urls import path
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from kernel.api import Listing, ListQuery, page_of
from registry.actions import agents as act
from registry.api.agents import MANIFEST_BODY
from registry.api.handed import MANIFEST_PARSERS, manifest_in
from registry.api.shapes import ChangeOutput, VersionDetailOutput, VersionOutput
from registry.authentication import actor_of
from registry.manifest.diff import Change, compare
from registry.queries import agent_for, version_of, versions_of

_VERSIONS: Final = Listing(ListQuery, search=("version", "digest"), ordering=("number",))


class Versions(APIView):
    """All versions of an agent, and the door for the next one."""

    parser_classes = MANIFEST_PARSERS

    @extend_schema(
        operation_id="agent_versions_list", parameters=[ListQuery], responses=page_of(VersionOutput)
    )
    def get(self, request: Request, name: str) -> Response:
        asked = _VERSIONS.read(request)
        rows = versions_of(agent_for(actor_of(request), name))
        return _VERSIONS.answer(
            request, rows, lambda page: VersionOutput(page, many=True).data, asked
        )

    @extend_schema(
        operation_id="agent_versions_propose",
        request=MANIFEST_BODY,
        responses={201: VersionDetailOutput, 200: VersionDetailOutput},
        description="Hand in another manifest: at once in force for a draft, proposed for a running"
        " agent. The one that waits handed in again answers 200.",
    )
    def post(self, request: Request, name: str) -> Response:
        actor = actor_of(request)
        agent_for(actor, name)  # before the body is read: absent is absent
        manifest, source = manifest_in(request)
        done = act.propose_version(name, manifest, actor=actor, source=source)
        shown = VersionOutput(done.version).data | {
            "manifest": done.version.manifest,
            "changes": _facts(done.changes),
        }
        return Response(shown, status=201 if done.created else 200)

    @extend_schema(
        operation_id="agent_versions_put", request=MANIFEST_BODY, responses=VersionDetailOutput
    )
    def put(self, request: Request, name: str) -> Response:
        return self.post(request, name)


class ProposedVersion(APIView):
    """The version that waits."""

    @extend_schema(operation_id="agent_versions_withdraw", responses=VersionOutput)
    def delete(self, request: Request, name: str) -> Response:
        version = act.withdraw_version(name, actor=actor_of(request))
        return Response(VersionOutput(version).data)


class OneVersion(APIView):
    """One version, with its manifest and what it changed from the one before it."""

    @extend_schema(operation_id="agent_versions_read", responses=VersionDetailOutput)
    def get(self, request: Request, name: str, number: int) -> Response:
        agent = agent_for(actor_of(request), name)
        version = version_of(agent, number)
        changes = (
            compare(version_of(agent, number - 1).manifest, version.manifest) if number > 1 else []
        )
        return Response(
            VersionOutput(version).data | {"manifest": version.manifest, "changes": _facts(changes)}
        )


class VersionDiff(APIView):
    """What changed from one version to another."""

    @extend_schema(
        operation_id="agent_versions_diff",
        responses=inline_serializer(
            "VersionDiff",
            {
                "before": serializers.IntegerField(),
                "after": serializers.IntegerField(),
                "changes": ChangeOutput(many=True),
            },
        ),
    )
    def get(self, request: Request, name: str, before: int, after: int) -> Response:
        agent = agent_for(actor_of(request), name)
        changes = compare(version_of(agent, before).manifest, version_of(agent, after).manifest)
        return Response({"before": before, "after": after, "changes": _facts(changes)})


def _facts(changes: list[Change]) -> list[dict[str, Any]]:
    return [change.facts() for change in changes]


_AT: Final = "agents/<str:name>/versions"
urlpatterns = [
    path(_AT, Versions.as_view(), name="agent-versions"),
    path(f"{_AT}/proposed", ProposedVersion.as_view(), name="agent-version-proposed"),
    path(f"{_AT}/<int:number>", OneVersion.as_view(), name="agent-version"),
    path(f"{_AT}/<int:before>/diff/<int:after>", VersionDiff.as_view(), name="agent-version-diff"),
]
