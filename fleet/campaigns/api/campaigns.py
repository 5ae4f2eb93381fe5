"""Campaigns over REST. Owns the wire only: what happens is asked elsewhere."""

from __future__ import annotations

from typing import Any, Final

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fleet.campaigns.actions.opening import change_campaign, close_campaign, open_campaign
from fleet.campaigns.actions.reminding import remind_now
from fleet.campaigns.api.outputs import CampaignOutput
from fleet.campaigns.models import Campaign
from fleet.campaigns.queries.campaigns import campaign_for, campaigns_for, moves_for
from kernel.api import Input, Listing, ListQuery, Text, page_of
from registry.actors import Actor
from registry.authentication import actor_of
from routing.queries.vendors import model_for

MOST: Final = 1000


class CampaignsQuery(ListQuery):
    """The query of the list of campaigns."""

    state = serializers.ChoiceField(choices=Campaign.State.choices, required=False)
    kind = serializers.ChoiceField(choices=Campaign.Kind.choices, required=False)


class RuleInput(Input):
    """What happens at the deadline to agents without a rule of their own."""

    rule = serializers.ChoiceField(choices=["pause", "move"])
    to = Text(required=False, max_length=80, help_text="mod_…, where the rule is to move")


class OpenInput(Input):
    """A model, what changes of it, and the day by which agents must be off it."""

    model = Text(max_length=80, help_text="mod_…")
    due_on = serializers.DateField()
    kind = serializers.ChoiceField(choices=Campaign.Kind.choices, default="retirement")
    note = Text(required=False, max_length=2000, allow_blank=True)
    fallback = RuleInput(required=False)


class ChangeInput(Input):
    """Another day, where no source gives one; another rule."""

    due_on = serializers.DateField(required=False)
    fallback = RuleInput(required=False)


class EndCampaignInput(Input):
    """Why the campaign is not needed."""

    reason = Text(max_length=2000)


class RemindInput(Input):
    """Whose owners are reminded; all that have something to do where none is named."""

    moves = serializers.ListField(child=Text(max_length=80), required=False, max_length=MOST)


class RemindedOutput(serializers.Serializer[Any]):
    """How many moves were reminded of."""

    reminded = serializers.IntegerField()


_CAMPAIGNS: Final = Listing(
    CampaignsQuery,
    search=("public_id", "model__name", "model__vendor__name"),
    ordering=("due_on", "opened_at"),
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

    @extend_schema(operation_id="campaign_open", request=OpenInput, responses={201: CampaignOutput})
    def post(self, request: Request) -> Response:
        actor, said = actor_of(request), _read(OpenInput, request)
        made = open_campaign(
            model_for(actor, said["model"]), due_on=said["due_on"], kind=said["kind"],
            note=said.get("note", ""), fallback=said.get("fallback"), actor=actor,
        )  # fmt: skip
        return _told(actor, made.public_id, status=201)


class OneCampaign(APIView):
    """One campaign."""

    @extend_schema(responses=CampaignOutput)
    def get(self, request: Request, campaign: str) -> Response:
        return _told(actor_of(request), campaign)

    @extend_schema(operation_id="campaign_change", request=ChangeInput, responses=CampaignOutput)
    def patch(self, request: Request, campaign: str) -> Response:
        actor, said = actor_of(request), _read(ChangeInput, request)
        row = campaign_for(actor, campaign)
        change_campaign(row, due_on=said.get("due_on"), fallback=said.get("fallback"), actor=actor)
        return _told(actor, campaign)


class Close(APIView):
    """End a campaign that is not needed."""

    @extend_schema(
        operation_id="campaign_close", request=EndCampaignInput, responses=CampaignOutput
    )
    def post(self, request: Request, campaign: str) -> Response:
        actor, said = actor_of(request), _read(EndCampaignInput, request)
        close_campaign(campaign_for(actor, campaign), why=said["reason"], actor=actor)
        return _told(actor, campaign)


class Remind(APIView):
    """Remind the owners of some moves now, or of all."""

    @extend_schema(operation_id="campaign_remind", request=RemindInput, responses=RemindedOutput)
    def post(self, request: Request, campaign: str) -> Response:
        actor, said = actor_of(request), _read(RemindInput, request)
        row = campaign_for(actor, campaign)
        rows = moves_for(actor, row)
        if "moves" in said:
            rows = rows.filter(public_id__in=said["moves"])
        return Response({"reminded": remind_now(row, list(rows), actor=actor)})


def _told(actor: Actor, campaign: str, *, status: int = 200) -> Response:
    return Response(CampaignOutput(campaign_for(actor, campaign)).data, status=status)


def _read(shape: type[Input], request: Request) -> dict[str, Any]:
    read = shape(data=request.data)
    read.is_valid(raise_exception=True)
    said: dict[str, Any] = read.validated_data
    return said


urlpatterns = [
    path("campaigns", Campaigns.as_view(), name="campaigns"),
    path("campaigns/<str:campaign>", OneCampaign.as_view(), name="campaign"),
    path("campaigns/<str:campaign>/close", Close.as_view(), name="campaign-close"),
    path("campaigns/<str:campaign>/remind", Remind.as_view(), name="campaign-remind"),
]
