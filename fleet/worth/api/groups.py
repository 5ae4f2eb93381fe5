"""Duplicates over REST: the groups, why their agents are alike, and what people say of them."""

from __future__ import annotations

from typing import Any, Final

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fleet.worth.actions.merging import confirm_group, reopen_group, separate_group
from fleet.worth.models import DuplicateGroup, DuplicateMember, LikePair
from fleet.worth.queries.duplicates import (
    Side,
    calls_of,
    group_for,
    groups_for,
    pairs_in,
    sides_in,
    sides_of,
)
from kernel.api import Input, Listing, ListQuery, Text, page_of
from registry.authentication import actor_of


class MemberOutput(serializers.Serializer[Any]):
    """One agent of a group."""

    agent = serializers.CharField(source="agent.name")
    title = serializers.CharField(source="agent.title")
    owner = serializers.CharField(source="agent.owner.email")
    stage = serializers.CharField(source="agent.stage")
    step = serializers.ChoiceField(source="member.step", choices=DuplicateMember.Step.choices)
    calls = serializers.SerializerMethodField()
    cost_micros = serializers.IntegerField(
        source="standing.cost_micros", default=None, allow_null=True
    )
    dependants = serializers.SerializerMethodField()

    def get_calls(self, side: Side) -> int:
        return calls_of(side.standing)

    def get_dependants(self, side: Side) -> list[str]:
        return [agent.name for agent in side.dependants]


class LikeOutput(serializers.Serializer[Any]):
    """Two agents of a group, and why they are alike."""

    one = serializers.CharField(source="one.name")
    other = serializers.CharField(source="other.name")
    score = serializers.SerializerMethodField()
    reasons = serializers.ListField(child=serializers.CharField())

    def get_score(self, pair: LikePair) -> float:
        return pair.score_permille / 1000


class DuplicatesOutput(serializers.Serializer[Any]):
    """A group of agents that look as if they did the same job."""

    id = serializers.CharField(source="public_id")
    state = serializers.ChoiceField(choices=DuplicateGroup.State.choices)
    score = serializers.SerializerMethodField()
    survivor = serializers.CharField(source="survivor.name", default=None, allow_null=True)
    because = serializers.CharField()
    found_at = serializers.DateTimeField()
    settled_at = serializers.DateTimeField(allow_null=True)
    settled_by = serializers.CharField()
    members = serializers.SerializerMethodField()

    def get_score(self, group: DuplicateGroup) -> float:
        return group.score_permille / 1000

    def get_members(self, group: DuplicateGroup) -> list[dict[str, Any]]:
        known: dict[int, list[Side]] = self.context.get("sides", {})
        sides = known[group.pk] if group.pk in known else sides_of(group)
        return [dict(MemberOutput(side).data) for side in sides]


class DuplicatesDetailOutput(DuplicatesOutput):
    """A group with why its agents are alike, pair by pair."""

    pairs = serializers.SerializerMethodField()

    def get_pairs(self, group: DuplicateGroup) -> list[dict[str, Any]]:
        return [dict(LikeOutput(pair).data) for pair in pairs_in(group)]


class DuplicatesQuery(ListQuery):
    """The filters of the list; open ones unless asked otherwise."""

    state = serializers.ChoiceField(
        choices=DuplicateGroup.State.choices, required=False, default="open"
    )
    agent = Text(required=False, max_length=63)


class ConfirmInput(Input):
    """The same job: which agent survives."""

    survivor = Text(max_length=63)
    because = Text(required=False, allow_blank=True, default="", max_length=2000)


class BecauseInput(Input):
    """Why."""

    because = Text(max_length=2000)


_LISTED: Final = Listing(
    DuplicatesQuery, search=("public_id",), ordering=("score_permille", "found_at")
)


def _read(form: type[Input], request: Request) -> dict[str, Any]:
    given = form(data=request.data)
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)


class Duplicates(APIView):
    """The groups that hold an agent whose inside this viewer sees."""

    @extend_schema(
        operation_id="duplicates_list",
        parameters=[DuplicatesQuery],
        responses=page_of(DuplicatesOutput),
    )
    def get(self, request: Request) -> Response:
        asked, rows = _LISTED.read(request), groups_for(actor_of(request))
        rows = rows.filter(state=asked["state"]).select_related("survivor")
        if asked.get("agent"):
            rows = rows.filter(members__agent__name=asked["agent"])
        return _LISTED.answer(request, rows, _listed, asked)


def _listed(page: list[DuplicateGroup]) -> Any:
    return DuplicatesOutput(page, many=True, context={"sides": sides_in(page)}).data


class OneDuplicates(APIView):
    """One group."""

    @extend_schema(operation_id="duplicates_read", responses=DuplicatesDetailOutput)
    def get(self, request: Request, group: str) -> Response:
        return Response(DuplicatesDetailOutput(group_for(actor_of(request), group)).data)


class ConfirmDuplicates(APIView):
    """Say that it is one job, and which agent survives."""

    @extend_schema(
        operation_id="duplicates_confirm", request=ConfirmInput, responses=DuplicatesOutput
    )
    def post(self, request: Request, group: str) -> Response:
        given = _read(ConfirmInput, request)
        done = confirm_group(group, given["survivor"], actor=actor_of(request),
                             because=given["because"])  # fmt: skip
        return Response(DuplicatesOutput(done).data)


class SeparateDuplicates(APIView):
    """Say that they are different jobs, and why."""

    @extend_schema(
        operation_id="duplicates_separate", request=BecauseInput, responses=DuplicatesOutput
    )
    def post(self, request: Request, group: str) -> Response:
        because = _read(BecauseInput, request)["because"]
        done = separate_group(group, actor=actor_of(request), because=because)
        return Response(DuplicatesOutput(done).data)


class ReopenDuplicates(APIView):
    """Take back what was said; they are compared again."""

    @extend_schema(
        operation_id="duplicates_reopen", request=BecauseInput, responses=DuplicatesOutput
    )
    def post(self, request: Request, group: str) -> Response:
        because = _read(BecauseInput, request)["because"]
        done = reopen_group(group, actor=actor_of(request), because=because)
        return Response(DuplicatesOutput(done).data)


_ONE: Final = "duplicates/<str:group>"
urlpatterns = [
    path("duplicates", Duplicates.as_view(), name="duplicates"),
    path(_ONE, OneDuplicates.as_view(), name="duplicate-group"),
    path(f"{_ONE}/confirm", ConfirmDuplicates.as_view(), name="duplicate-group-confirm"),
    path(f"{_ONE}/separate", SeparateDuplicates.as_view(), name="duplicate-group-separate"),
    path(f"{_ONE}/reopen", ReopenDuplicates.as_view(), name="duplicate-group-reopen"),
]
