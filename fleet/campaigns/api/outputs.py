"""Campaigns, moves and impact as REST answers tell them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework import serializers

from fleet.campaigns.models import Campaign, Move
from fleet.campaigns.queries.campaigns import days_left


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
    change = serializers.CharField(source="change.public_id", default=None, allow_null=True)
    note = serializers.CharField()
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
    adapted_why = serializers.CharField()
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
