"""Detectors over REST: what they would find in a text. Nothing is sent, stored or recorded."""

from __future__ import annotations

from typing import Any, Final

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from kernel.api import Input
from registry.authentication import actor_of
from routing.api.bodies import said
from routing.gateway.detectors.rules import ACTIONS, KINDS
from routing.gateway.detectors.trial import try_text

_LONGEST: Final = 100_000


class DetectorsInput(Input):
    """A text, and what a route would do about what is in it; without that, all is redacted."""

    text = serializers.CharField(max_length=_LONGEST, trim_whitespace=False, allow_blank=True)
    actions = serializers.DictField(
        child=serializers.ChoiceField(choices=ACTIONS), required=False, default=dict
    )

    def validate_actions(self, actions: dict[str, str]) -> dict[str, str]:
        if unknown := sorted(actions.keys() - set(KINDS)):
            raise serializers.ValidationError(
                f"There is no kind {unknown[0][:40]!r}; there are: {', '.join(KINDS)}."
            )
        return actions


class FindingOutput(serializers.Serializer[Any]):
    """Something that was found: its kind, and where, in characters."""

    kind = serializers.CharField()
    action = serializers.ChoiceField(choices=ACTIONS)
    start = serializers.IntegerField()
    end = serializers.IntegerField()


class DetectorsOutput(serializers.Serializer[Any]):
    """What would be found. ``text`` is what would go on: empty when nothing would."""

    outcome = serializers.ChoiceField(choices=ACTIONS)
    counts = serializers.DictField(child=serializers.IntegerField())
    found = FindingOutput(many=True)
    text = serializers.CharField(allow_blank=True)


class Check(APIView):
    """Try a text."""

    @extend_schema(
        operation_id="detectors_check", request=DetectorsInput, responses=DetectorsOutput
    )
    def post(self, request: Request) -> Response:
        actor_of(request)
        given = said(DetectorsInput, request)
        return Response(DetectorsOutput(try_text(given["text"], given["actions"])).data)


urlpatterns = [path("detectors/check", Check.as_view(), name="detectors-check")]
