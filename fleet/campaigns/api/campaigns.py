"""Campaigns and moves over REST. Owns the wire only: what happens is asked elsewhere."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fleet.campaigns.actions.choosing import choose_candidate, contest_move
from fleet.campaigns.actions.ruling import set_fallback
from fleet.campaigns.errors import MoveNotFound
from fleet.campaigns.models import Campaign, Move
from fleet.campaigns.queries.campaigns import (
    campaign_for,
    campaigns_for,
    days_left,
    move_for,
    moves_for,
)
from fleet.campaigns.queries.impact import NAMED, impact_of
from kernel.api import Input, Listing, ListQuery, Text, page_of
from registry.actors import Actor
from registry.authentication import actor_of
from routing.queries.vendors import model_for


class CampaignOutput(serializers.Serializer[Any]):
    """A campaign and its day."""

    id = serializers.CharField(source="public_id")
    model = serializers.CharField(source="model.public_id")
    name = serializers.CharField(source="model.__str__")
    kind = serializers.ChoiceField(choices=Campaign.Kind.choices)
    state = serializers.ChoiceField(choices=Campaign.State.choices)
    due_on = serializers.DateField()
    days_left = serializers.SerializerMethodField()
    replacement = serializers.CharField()
    said_by = serializers.CharField(source="source")
    fallback = serializers.JSONField()
    opened_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    ended_why = serializers.CharField()
    url = serializers.SerializerMethodField()

    def get_days_left(self, campaign: Campaign) -> int:
        return days_left(campaign)

    def get_url(self, campaign: Campaign) -> str:
        return f"{settings.PUBLIC_URL}/campaigns/{campaign.public_id}/"


class MoveOutput(serializers.Serializer[Any]):
    """One agent's move."""

    id = serializers.CharField(source="public_id")
    campaign = serializers.CharField(source="campaign.public_id")
    agent = serializers.CharField(source="agent.name")
    owner = serializers.CharField(source="agent.owner.email")
    state = serializers.ChoiceField(choices=Move.State.choices)
    ways = serializers.ListField(child=serializers.CharField())
    calls = serializers.IntegerField()
    cost_micros = serializers.IntegerField()
    last_called_at = serializers.DateTimeField(allow_null=True)
    candidate = serializers.SerializerMethodField()
    evaluation = serializers.CharField(source="evaluation_id")
    cutover = serializers.CharField(source="cutover_id")
    fallback = serializers.JSONField(source="rule")
    ended_at = serializers.DateTimeField(allow_null=True)
    ended_why = serializers.CharField()

    def get_candidate(self, move: Move) -> str | None:
        return move.candidate.public_id if move.candidate is not None else None


class TouchedOutput(serializers.Serializer[Any]):
    """One agent that touches a model."""

    agent = serializers.CharField(source="name")
    title = serializers.CharField()
    owner = serializers.CharField(source="owner_email")
    data_classes = serializers.ListField(child=serializers.CharField())
    ways = serializers.ListField(child=serializers.CharField())
    last_called_at = serializers.DateTimeField(allow_null=True)
    calls = serializers.IntegerField(source="figures.calls")
    cost_micros = serializers.IntegerField(source="figures.cost_micros")


class ImpactOutput(serializers.Serializer[Any]):
    """Whom a change of a model concerns: the sums of all, and the busiest agents."""

    model = serializers.CharField(source="model_id")
    agents = serializers.IntegerField(source="exposure.agents")
    calling = serializers.IntegerField(source="exposure.calling")
    owners = serializers.IntegerField(source="exposure.owners")
    calls = serializers.IntegerField(source="exposure.calls")
    cost_micros = serializers.IntegerField(source="exposure.cost_micros")
    touched = TouchedOutput(source="agents", many=True)


class CampaignsQuery(ListQuery):
    """The query of the list of campaigns."""

    state = serializers.ChoiceField(choices=Campaign.State.choices, required=False)
    kind = serializers.ChoiceField(choices=Campaign.Kind.choices, required=False)


class MovesQuery(ListQuery):
    """The query of the list of moves."""

    state = serializers.ChoiceField(choices=Move.State.choices, required=False)
    agent = Text(required=False, max_length=80)


class ChooseInput(Input):
    """Where the agent moves to."""

    model = Text(max_length=80, help_text="mod_…")


class FallbackInput(Input):
    """What happens at the deadline; null: as the campaign says."""

    rule = serializers.ChoiceField(choices=["pause", "move"], allow_null=True)
    to = Text(required=False, max_length=80, help_text="mod_…, where the rule is to move")


class ContestInput(Input):
    """Why the move is wrong."""

    reason = Text(max_length=2000)


_CAMPAIGNS: Final = Listing(
    CampaignsQuery,
    search=("public_id", "model__name", "model__vendor__name"),
    ordering=("due_on", "opened_at"),
)
_MOVES: Final = Listing(
    MovesQuery,
    search=("public_id", "agent__name", "agent__title", "agent__owner__email"),
    ordering=("cost_micros", "calls", "joined_at"),
)


class Campaigns(APIView):
    """Campaigns that the caller may see."""

    @extend_schema(
        operation_id="campaigns_list", parameters=[CampaignsQuery],
        responses=page_of(CampaignOutput),
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        asked = _CAMPAIGNS.read(request)
        rows = campaigns_for(actor_of(request))
        for name in ("state", "kind"):
            if name in asked:
                rows = rows.filter(**{name: asked[name]})
        return _CAMPAIGNS.answer(
            request, rows, lambda page: CampaignOutput(page, many=True).data, asked
        )


class OneCampaign(APIView):
    """One campaign."""

    @extend_schema(responses=CampaignOutput)
    def get(self, request: Request, campaign: str) -> Response:
        return Response(CampaignOutput(campaign_for(actor_of(request), campaign)).data)


class Moves(APIView):
    """The moves of a campaign that the caller may see."""

    @extend_schema(
        operation_id="moves_list", parameters=[MovesQuery], responses=page_of(MoveOutput)
    )
    def get(self, request: Request, campaign: str) -> Response:
        actor, asked = actor_of(request), _MOVES.read(request)
        rows = moves_for(actor, campaign_for(actor, campaign))
        if "state" in asked:
            rows = rows.filter(state=asked["state"])
        if "agent" in asked:
            rows = rows.filter(agent__name=asked["agent"])
        return _MOVES.answer(request, rows, lambda page: MoveOutput(page, many=True).data, asked)


class Choose(APIView):
    """Choose where an agent moves to; its evaluation begins."""

    @extend_schema(operation_id="move_choose", request=ChooseInput, responses=MoveOutput)
    def post(self, request: Request, campaign: str, move: str) -> Response:
        actor, said = actor_of(request), _read(ChooseInput, request)
        row = _move(actor, campaign, move)
        choose_candidate(row, said["model"], actor=actor)
        return Response(MoveOutput(_move(actor, campaign, move)).data)


class Fallback(APIView):
    """Say what happens at the deadline."""

    @extend_schema(operation_id="move_fallback", request=FallbackInput, responses=MoveOutput)
    def post(self, request: Request, campaign: str, move: str) -> Response:
        actor, said = actor_of(request), _read(FallbackInput, request)
        row = _move(actor, campaign, move)
        rule = None if said["rule"] is None else dict(said)
        set_fallback(row, rule, actor=actor)
        return Response(MoveOutput(_move(actor, campaign, move)).data)


class Contest(APIView):
    """Say that a move is wrong."""

    @extend_schema(operation_id="move_contest", request=ContestInput, responses=MoveOutput)
    def post(self, request: Request, campaign: str, move: str) -> Response:
        actor, said = actor_of(request), _read(ContestInput, request)
        row = _move(actor, campaign, move)
        contest_move(row, said["reason"], actor=actor)
        return Response(MoveOutput(_move(actor, campaign, move)).data)


class ModelImpact(APIView):
    """Whom a change of a model concerns, as far as the caller may see."""

    @extend_schema(operation_id="model_impact", responses=ImpactOutput)
    def get(self, request: Request, model: str) -> Response:
        actor = actor_of(request)
        found = impact_of(model_for(actor, model), viewer=actor, limit=NAMED)
        return Response(ImpactOutput(found).data)


def _read(shape: type[Input], request: Request) -> dict[str, Any]:
    read = shape(data=request.data)
    read.is_valid(raise_exception=True)
    said: dict[str, Any] = read.validated_data
    return said


def _move(actor: Actor, campaign: str, move: str) -> Move:
    row = move_for(actor, move)
    if row.campaign.public_id != campaign:
        raise MoveNotFound
    return row


_ONE: Final = "campaigns/<str:campaign>/moves/<str:move>"
urlpatterns = [
    path("campaigns", Campaigns.as_view(), name="campaigns"),
    path("campaigns/<str:campaign>", OneCampaign.as_view(), name="campaign"),
    path("campaigns/<str:campaign>/moves", Moves.as_view(), name="moves"),
    path(f"{_ONE}/choose", Choose.as_view(), name="move-choose"),
    path(f"{_ONE}/fallback", Fallback.as_view(), name="move-fallback"),
    path(f"{_ONE}/contest", Contest.as_view(), name="move-contest"),
    path("models/<str:model>/impact", ModelImpact.as_view(), name="model-impact"),
]
