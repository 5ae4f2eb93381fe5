"""Keys of an agent over REST. A value is in one answer, once, and that answer is not stored."""

from __future__ import annotations

from typing import Any, Final

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from kernel.api import Input, Listing, ListQuery, Text, page_of
from registry.actions import keys as act
from registry.api.people import said
from registry.api.shapes import KeyOutput
from registry.authentication import actor_of
from registry.queries import agent_inside_for, keys_of

_KEYS: Final = Listing(ListQuery, search=("name", "key_id"), ordering=("created_at", "expires_at"))


class Whole(serializers.IntegerField):
    """A number that is a JSON integer: a text or a boolean in its place is an error."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return super().to_internal_value(data)


class KeyInput(Input):
    """How long the key lives, and what to call it."""

    expires_in_days = Whole(
        required=False, default=act.USUAL_DAYS, help_text=f"1 to {act.LONGEST_DAYS}."
    )
    label = Text(  # type: ignore[assignment]  # a field, not the attribute
        required=False, allow_blank=True, default="", max_length=act.LONGEST_LABEL
    )


class RotateInput(Input):
    """How long the old key works on."""

    overlap_hours = Whole(
        required=False, default=24, help_text=f"0 to {act.LONGEST_OVERLAP_HOURS}."
    )


class RevokeInput(Input):
    """Why; may be left out."""

    reason = Text(required=False, allow_blank=True, default="")


class IssuedKeyOutput(KeyOutput):
    """A new key, with its value."""

    key = serializers.CharField(help_text="Shown this once.")


class Keys(APIView):
    """The keys of an agent."""

    @extend_schema(
        operation_id="agent_keys_list", parameters=[ListQuery], responses=page_of(KeyOutput)
    )
    def get(self, request: Request, name: str) -> Response:
        asked = _KEYS.read(request)
        rows = keys_of(agent_inside_for(actor_of(request), name))
        return _KEYS.answer(request, rows, lambda page: KeyOutput(page, many=True).data, asked)

    @extend_schema(
        operation_id="agent_keys_issue", request=KeyInput, responses={201: IssuedKeyOutput}
    )
    def post(self, request: Request, name: str) -> Response:
        actor = actor_of(request)
        return _shown_once(act.issue_key(name, actor=actor, **said(KeyInput, request)))


class RotateKey(APIView):
    """A successor for a key."""

    @extend_schema(
        operation_id="agent_keys_rotate", request=RotateInput, responses={201: IssuedKeyOutput}
    )
    def post(self, request: Request, name: str, key: str) -> Response:
        actor = actor_of(request)
        return _shown_once(act.rotate_key(name, key, actor=actor, **said(RotateInput, request)))


class OneKey(APIView):
    """One key; taking it away makes it worthless at once."""

    @extend_schema(operation_id="agent_keys_revoke", request=RevokeInput, responses={204: None})
    def delete(self, request: Request, name: str, key: str) -> Response:
        actor = actor_of(request)
        act.revoke_key(name, key, actor=actor, **said(RevokeInput, request))
        return Response(status=204)


def _shown_once(issued: act.IssuedKey) -> Response:
    response = Response(KeyOutput(issued.row).data | {"key": issued.text}, status=201)
    response["Cache-Control"] = "no-store"
    return response


_AT: Final = "agents/<str:name>/keys"
urlpatterns = [
    path(_AT, Keys.as_view(), name="agent-keys"),
    path(f"{_AT}/<str:key>", OneKey.as_view(), name="agent-key"),
    path(f"{_AT}/<str:key>/rotate", RotateKey.as_view(), name="agent-key-rotate"),
]
