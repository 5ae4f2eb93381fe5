"""Two runs side by side over REST: by their headers, or with what was said, on record."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from registry.authentication import actor_of
from routing.actions.comparing import compare_headers, compare_said


class DifferenceOutput(serializers.Serializer[dict[str, str]]):
    """One thing in which two steps differ."""

    what = serializers.CharField()
    one = serializers.CharField()
    other = serializers.CharField()


class PairOutput(serializers.Serializer[dict[str, object]]):
    """Two steps side by side, or one that stands alone."""

    state = serializers.ChoiceField(["same", "changed", "missing", "added"])
    one = serializers.CharField(allow_null=True)
    other = serializers.CharField(allow_null=True)
    kind = serializers.CharField()
    differences = DifferenceOutput(many=True)


class ComparisonOutput(serializers.Serializer[dict[str, object]]):
    """Two runs side by side. ``steps`` counts pairs by state, ``sums`` has both runs' sums.

    A sum is null where nothing is known, such as the price of every call.
    """

    one = serializers.CharField()
    other = serializers.CharField()
    is_same = serializers.BooleanField()
    steps = serializers.DictField(child=serializers.IntegerField())
    sums = serializers.DictField(
        child=serializers.ListField(child=serializers.IntegerField(allow_null=True))
    )
    pairs = PairOutput(many=True)


class ReadingInput(serializers.Serializer[dict[str, str]]):
    """Why what was said is read; it goes on the record."""

    reason = serializers.CharField(max_length=500)


class Diff(APIView):
    """Two runs compared step by step."""

    @extend_schema(operation_id="runs_diff", responses=ComparisonOutput)
    def get(self, request: Request, run: str, other: str) -> Response:
        """Compare what the record's headers say; nothing that was said is read."""
        found = compare_headers(run, other, actor=actor_of(request))
        return Response(found.told(), headers={"Cache-Control": "no-store"})

    @extend_schema(operation_id="runs_diff_read", request=ReadingInput, responses=ComparisonOutput)
    def post(self, request: Request, run: str, other: str) -> Response:
        """Compare with what was said as well; each run's reading is an entry of its own."""
        given = ReadingInput(data=request.data)
        given.is_valid(raise_exception=True)
        reason = given.validated_data["reason"]
        found = compare_said(run, other, actor=actor_of(request), reason=reason)
        return Response(found.told(), headers={"Cache-Control": "no-store"})
