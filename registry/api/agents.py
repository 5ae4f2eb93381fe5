"""Agents over REST: registering, the inventory, the steps of their life.

Owns the wire only. What may be seen is decided by the queries, what may be done by the
actions; a manifest is read by its own reader, so its errors name lines.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from kernel.api import Input, Listing, ListQuery, Text, page_of
from registry.actions import agents as act
from registry.api.handed import MANIFEST_PARSERS, manifest_in
from registry.api.people import said
from registry.api.shapes import (
    AgentOutput,
    ChangeOutput,
    EntryOutput,
    SimilarOutput,
    VersionDetailOutput,
)
from registry.authentication import actor_of
from registry.manifest.diff import compare
from registry.manifest.reading import JSON_TYPES, YAML_TYPES
from registry.manifest.writing import to_yaml
from registry.models import Agent
from registry.ports import containment, endings
from registry.queries import (
    agent_for,
    agent_inside_for,
    agents_for,
    history_of,
    listed,
    matching,
    proposed_version,
    shown_version,
    similar_of,
)
from registry.similarity import Similar

# For the OpenAPI document: the schema of a manifest is published by itself.
MANIFEST_BODY: Final = dict.fromkeys(JSON_TYPES + YAML_TYPES, OpenApiTypes.OBJECT) | {
    "multipart/form-data": {
        "type": "object",
        "properties": {"manifest": {"type": "string", "format": "binary"}},
    }
}


class RegisteredOutput(AgentOutput):
    """A new agent and the agents most like it."""

    similar = SimilarOutput(many=True)


class AgentDetailOutput(RegisteredOutput):
    """An agent with its manifest and the version that waits, if one does."""

    manifest = serializers.JSONField()
    digest = serializers.CharField()
    proposed = VersionDetailOutput(allow_null=True)


class CheckedOutput(serializers.Serializer[Any]):
    """What would be registered."""

    name = serializers.CharField()
    digest = serializers.CharField()
    risk_tier = serializers.CharField()
    similar = SimilarOutput(many=True)
    changes = ChangeOutput(many=True, help_text="Against the version shown now, if there is one.")


class ReasonInput(Input):
    """Why; others will ask."""

    reason = Text(required=False, allow_blank=True, default="")


class AgentEndInput(Input):
    """Why, and for a plan: when, who follows, and what becomes of the data."""

    reason = Text(required=False, allow_blank=True, default="")
    on = serializers.DateField(required=False, allow_null=True, default=None)
    drain_minutes = serializers.IntegerField(required=False, default=60)
    successor = Text(required=False, allow_blank=True, default="", max_length=63)
    data = serializers.ChoiceField(  # type: ignore[assignment]  # a field, not the attribute
        choices=["keep", "shred"], required=False, default="keep"
    )
    shred_after_days = serializers.IntegerField(required=False, default=30)


class KilledOutput(AgentOutput):
    """A killed agent and the keys that no longer open anything."""

    revoked_keys = serializers.ListField(child=serializers.CharField())
    containment = serializers.DictField(
        help_text="contained, verdict, milliseconds, and what each path was found to be."
    )


class AgentQuery(ListQuery):
    """The filters of the inventory."""

    stage = serializers.ChoiceField(choices=Agent.Stage.choices, required=False)
    team = Text(required=False, max_length=64)
    owner = Text(required=False, max_length=254)
    route = Text(required=False, max_length=100)
    data_class = Text(required=False, max_length=32)
    tool = Text(required=False, max_length=200)
    tag = Text(required=False, max_length=40)
    risk_tier = Text(required=False, max_length=10)
    suspended = serializers.BooleanField(required=False, allow_null=True, default=None)


_AGENTS: Final = Listing(
    AgentQuery,
    search=(),  # by `matching`, which has an index
    ordering=("created_at", "name", "title", "stage", "stage_changed_at", "risk_tier"),
)
_HISTORY: Final = Listing(ListQuery, search=("verb", "actor"), ordering=("recorded_at",))
_FILTERS: Final[dict[str, Callable[[str], dict[str, Any]]]] = {
    "stage": lambda value: {"stage": value},
    "team": lambda value: {"team__slug": value},
    "owner": lambda value: {"owner__email": value.lower()},
    "route": lambda value: {"routes__contains": [value]},
    "data_class": lambda value: {"data_classes__contains": [value]},
    "tool": lambda value: {"tools__contains": [value]},
    "tag": lambda value: {"tags__contains": [value]},
    "risk_tier": lambda value: {"risk_tier": value},
}


def narrowed(agents: QuerySet[Agent], asked: dict[str, Any]) -> QuerySet[Agent]:
    """Return the agents that fit every filter asked for."""
    for name, condition in _FILTERS.items():
        if name in asked:
            agents = agents.filter(**condition(asked[name]))
    if asked["suspended"] is not None:
        agents = agents.filter(suspended_at__isnull=not asked["suspended"])
    return agents


class Agents(APIView):
    """The inventory, and the door into it."""

    parser_classes = MANIFEST_PARSERS

    @extend_schema(
        operation_id="agents_list", parameters=[AgentQuery], responses=page_of(AgentOutput)
    )
    def get(self, request: Request) -> Response:
        asked = _AGENTS.read(request)
        rows = narrowed(listed(agents_for(actor_of(request))), asked)
        rows = matching(rows, asked.pop("search", ""))
        return _AGENTS.answer(request, rows, lambda page: AgentOutput(page, many=True).data, asked)

    @extend_schema(
        operation_id="agents_register",
        request=MANIFEST_BODY,
        responses={201: RegisteredOutput, 200: RegisteredOutput},
        description="Register an agent from its manifest (schema: /schemas/agent-v1.json). The very"
        " same manifest handed in again answers 200 with what exists.",
    )
    def post(self, request: Request) -> Response:
        actor = actor_of(request)
        manifest, source = manifest_in(request)
        done = act.register_agent(manifest, actor=actor, source=source)
        shown = AgentOutput(done.agent).data | {"similar": _facts(done.similar)}
        response = Response(shown, status=201 if done.created else 200)
        response["Location"] = shown["links"]["self"]
        return response


class CheckManifest(APIView):
    """What registering would say, changing nothing."""

    parser_classes = MANIFEST_PARSERS

    @extend_schema(request=MANIFEST_BODY, responses=CheckedOutput)
    def post(self, request: Request) -> Response:
        actor = actor_of(request)
        manifest, _ = manifest_in(request)
        checked = act.check_manifest(manifest, actor=actor)
        known = agents_for(actor).filter(name=manifest.name).first()
        changes = (
            compare(shown_version(known).manifest, manifest.document) if known is not None else []
        )
        return Response(
            {
                "name": manifest.name,
                "digest": manifest.digest,
                "risk_tier": manifest.risk_tier,
                "similar": _facts(checked.similar),
                "changes": [change.facts() for change in changes],
            }
        )


class OneAgent(APIView):
    """One agent, by name or id."""

    @extend_schema(operation_id="agents_read", responses=AgentDetailOutput)
    def get(self, request: Request, name: str) -> Response:
        agent = agent_for(actor_of(request), name)
        version, waiting = shown_version(agent), proposed_version(agent)
        similar = [Similar(each.other, each.score, each.reasons) for each in similar_of(agent)]
        return Response(
            AgentOutput(agent).data
            | {
                "similar": _facts(similar),
                "manifest": version.manifest,
                "digest": version.digest,
                "proposed": VersionDetailOutput(waiting).data if waiting is not None else None,
            }
        )

    @extend_schema(
        operation_id="agents_remove",
        responses={204: None},
        description="Remove a draft that never ran.",
    )
    def delete(self, request: Request, name: str) -> Response:
        act.remove_draft(name, actor=actor_of(request))
        return Response(status=204)


class AgentManifest(APIView):
    """The manifest in force (or, before there is one, the newest) as YAML."""

    @extend_schema(responses={(200, "application/yaml"): OpenApiTypes.STR})
    def get(self, request: Request, name: str) -> HttpResponse:
        version = shown_version(agent_for(actor_of(request), name))
        response = HttpResponse(
            to_yaml(version.manifest), content_type="application/yaml; charset=utf-8"
        )
        response["ETag"] = f'"{version.digest}"'
        response["X-Content-Type-Options"] = "nosniff"
        return response


class AgentHistory(APIView):
    """What happened to an agent, from the ledger, for those who may see inside."""

    @extend_schema(
        operation_id="agents_history", parameters=[ListQuery], responses=page_of(EntryOutput)
    )
    def get(self, request: Request, name: str) -> Response:
        asked = _HISTORY.read(request)
        agent = agent_inside_for(actor_of(request), name)
        return _HISTORY.answer(
            request,
            history_of(agent),
            lambda page: EntryOutput(page, many=True).data,
            asked,
        )


def _step(action: Callable[..., Agent], word: str) -> type[APIView]:
    """Return the view of one step of an agent's life, with its reason."""

    @extend_schema(
        operation_id=f"agents_{word}",
        request=ReasonInput,
        responses=AgentOutput,
        description=(action.__doc__ or "").partition("\n")[0],
    )
    def post(self: APIView, request: Request, name: str) -> Response:
        actor = actor_of(request)
        reason = said(ReasonInput, request)["reason"]
        return Response(AgentOutput(action(name, actor=actor, reason=reason)).data)

    return type(f"{word.title()}Agent", (APIView,), {"post": post})


class DeprecateAgent(APIView):
    """Announce an agent's end; with a day (`on`), plan its retirement."""

    @extend_schema(operation_id="agents_deprecate", request=AgentEndInput, responses=AgentOutput)
    def post(self, request: Request, name: str) -> Response:
        actor, wish = actor_of(request), said(AgentEndInput, request)
        agent = endings().deprecate(name, actor=actor, reason=wish.pop("reason"), wish=wish)
        return Response(AgentOutput(agent).data)


class RetireAgent(APIView):
    """End an agent at once and revoke its keys; with a day to come (`on`), plan that."""

    @extend_schema(operation_id="agents_retire", request=AgentEndInput, responses=AgentOutput)
    def post(self, request: Request, name: str) -> Response:
        actor, wish = actor_of(request), said(AgentEndInput, request)
        agent = endings().retire(name, actor=actor, reason=wish.pop("reason"), wish=wish)
        return Response(AgentOutput(agent).data)


class KillAgent(APIView):
    """Stop an agent at once and revoke every key it holds."""

    @extend_schema(operation_id="agents_kill", request=ReasonInput, responses=KilledOutput)
    def post(self, request: Request, name: str) -> Response:
        actor = actor_of(request)
        killed = act.kill_agent(name, actor=actor, reason=said(ReasonInput, request)["reason"])
        proven = containment().prove(killed.agent, actor=actor)
        more = {"revoked_keys": killed.revoked_keys, "containment": proven}
        return Response(AgentOutput(killed.agent).data | more)


def _facts(similar: list[Similar]) -> list[dict[str, object]]:
    return [each.facts() for each in similar]


urlpatterns = [
    path("agents", Agents.as_view(), name="agents"),
    path("manifests/check", CheckManifest.as_view(), name="manifest-check"),
    path("agents/<str:name>", OneAgent.as_view(), name="agent"),
    path("agents/<str:name>/manifest.yaml", AgentManifest.as_view(), name="agent-manifest"),
    path("agents/<str:name>/history", AgentHistory.as_view(), name="agent-history"),
    path("agents/<str:name>/deprecate", DeprecateAgent.as_view(), name="agent-deprecate"),
    path("agents/<str:name>/retire", RetireAgent.as_view(), name="agent-retire"),
    path("agents/<str:name>/kill", KillAgent.as_view(), name="agent-kill"),
    *(
        path(f"agents/<str:name>/{word}", _step(action, word).as_view(), name=f"agent-{word}")
        for word, action in (
            ("suspend", act.suspend_agent),
            ("resume", act.resume_agent),
        )
    ),
]
