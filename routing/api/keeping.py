"""Retention, legal holds and erasures over REST."""

from __future__ import annotations

from typing import Any, Final

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from kernel.api import Input, Listing, ListQuery, Text, page_of
from ledger.models import LegalHold
from registry.authentication import actor_of
from routing.api.bodies import said
from routing.keeping.deciding import end_hold, place_hold, set_age
from routing.keeping.erasing import erasure_for, preview_erasure, request_erasure
from routing.keeping.looking import erasures_for, hold_for, holds_for, kept, tombstones_of
from routing.models import Erasure


class AgeInput(Input):
    """How long payloads of a class are kept; null is without end."""

    days = serializers.IntegerField(allow_null=True)
    reason = Text(max_length=2000)


class HoldInput(Input):
    """What is to be held, and why. A period has days, everything else a subject."""

    scope = serializers.ChoiceField(choices=LegalHold.Scope.choices)
    subject = Text(max_length=300, required=False, allow_blank=True, default="")
    starts_on = serializers.DateField(required=False, allow_null=True, default=None)
    ends_on = serializers.DateField(required=False, allow_null=True, default=None)
    reason = Text(max_length=2000)


class EndInput(Input):
    """Why a hold is to end."""

    reason = Text(max_length=2000)


class PreviewInput(Input):
    """Whose payloads would go: an agent's (its name), or a data subject's (its id, or tag)."""

    scope = serializers.ChoiceField(choices=Erasure.Scope.choices)
    subject = Text(max_length=300)
    data_classes = serializers.ListField(
        child=Text(max_length=60), required=False, max_length=20, default=list
    )


class ErasureInput(PreviewInput):
    """Whose payloads are to go, why, and which request that answers."""

    reason = Text(max_length=2000)
    reference = Text(max_length=200, required=False, allow_blank=True, default="")


class AgeOutput(serializers.Serializer[Any]):
    """How one data class is kept; an empty class is every one without an age of its own."""

    data_class = serializers.CharField()
    days = serializers.IntegerField(allow_null=True)
    is_own = serializers.BooleanField()
    next_days = serializers.IntegerField(allow_null=True)
    next_at = serializers.DateTimeField(allow_null=True)
    keys = serializers.IntegerField()
    due = serializers.IntegerField()
    first_ends_at = serializers.DateTimeField(allow_null=True)


class MonthOutput(serializers.Serializer[Any]):
    """One month of payloads; ``alive`` keys still open something."""

    month = serializers.CharField(source="name")
    bytes = serializers.IntegerField()
    payloads = serializers.IntegerField()
    keys = serializers.IntegerField()
    alive = serializers.IntegerField()
    may_go_at = serializers.DateTimeField(allow_null=True)
    dropped_at = serializers.DateTimeField(allow_null=True)
    entry = serializers.CharField()


class KeptOutput(serializers.Serializer[Any]):
    """How payloads are kept, and what is wrong with their months."""

    floor_days = serializers.IntegerField(source="floor")
    ages = AgeOutput(many=True)
    months = MonthOutput(many=True)
    troubles = serializers.ListField(child=serializers.CharField())


class HoldOutput(serializers.Serializer[Any]):
    """A legal hold. A data subject goes by its tag."""

    id = serializers.CharField(source="public_id")
    scope = serializers.CharField()
    subject = serializers.CharField()
    subject_name = serializers.CharField()
    starts_at = serializers.DateTimeField(allow_null=True)
    ends_at = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField()
    placed_by = serializers.CharField()
    placed_at = serializers.DateTimeField()
    entry = serializers.CharField()
    ended_at = serializers.DateTimeField(allow_null=True)
    ended_by = serializers.CharField()
    ended_reason = serializers.CharField()
    ended_review = serializers.CharField()


class EndingOutput(HoldOutput):
    """A hold after somebody wanted it ended, with the review that has to say yes first."""

    review = serializers.CharField(allow_null=True)


class ErasurePreviewOutput(serializers.Serializer[Any]):
    """What would be destroyed, what is in the way; payloads are counted to 100,000."""

    subject = serializers.SerializerMethodField()
    keys = serializers.IntegerField()
    agents = serializers.IntegerField()
    classes = serializers.ListField(child=serializers.CharField())
    payloads = serializers.IntegerField()
    is_more = serializers.BooleanField()
    runs = serializers.IntegerField()
    bytes = serializers.IntegerField()
    stored_responses = serializers.IntegerField()
    oldest_at = serializers.DateTimeField(allow_null=True)
    newest_at = serializers.DateTimeField(allow_null=True)
    held_keys = serializers.IntegerField()
    holds = HoldOutput(many=True)

    def get_subject(self, seen: Any) -> str:
        return str(self.context["subject"])


class ErasureOutput(serializers.Serializer[Any]):
    """An erasure and how far it has come."""

    id = serializers.CharField(source="public_id")
    scope = serializers.CharField()
    subject = serializers.CharField()
    subject_name = serializers.CharField()
    data_classes = serializers.ListField(child=serializers.CharField())
    reason = serializers.CharField()
    reference = serializers.CharField()
    requested_by = serializers.CharField()
    requested_at = serializers.DateTimeField()
    review = serializers.CharField()
    state = serializers.CharField()
    until = serializers.DateTimeField(allow_null=True)
    keys_destroyed = serializers.IntegerField()
    keys_held = serializers.IntegerField()
    closed_at = serializers.DateTimeField(allow_null=True)
    entry = serializers.CharField()


class OneErasureOutput(ErasureOutput):
    """An erasure with the entries that prove it."""

    tombstones = serializers.ListField(child=serializers.CharField())


class HoldQuery(ListQuery):
    """The filters of the list."""

    scope = serializers.ChoiceField(choices=LegalHold.Scope.choices, required=False)
    in_force = serializers.BooleanField(required=False, allow_null=True, default=None)


class ErasureQuery(ListQuery):
    """The filters of the list."""

    state = serializers.ChoiceField(choices=Erasure.State.choices, required=False)
    scope = serializers.ChoiceField(choices=Erasure.Scope.choices, required=False)


_HOLDS: Final = Listing(
    HoldQuery, search=("public_id", "subject_name", "reason"), ordering=("placed_at", "scope")
)
_ERASURES: Final = Listing(
    ErasureQuery, search=("public_id", "subject_name", "reference"), ordering=("requested_at",)
)


class Retention(APIView):
    """Ages, the floor and the months."""

    @extend_schema(operation_id="retention_read", responses=KeptOutput)
    def get(self, request: Request) -> Response:
        return Response(KeptOutput(kept(actor_of(request))).data)


class Age(APIView):
    """The age of one data class; ``others`` is every class without its own."""

    @extend_schema(
        operation_id="retention_set_age",
        request=AgeInput,
        responses=AgeOutput,
        description="A shorter age, and a first one, takes effect after seven days.",
    )
    def put(self, request: Request, data_class: str) -> Response:
        actor, asked = actor_of(request), said(AgeInput, request)
        row = set_age(data_class, asked["days"], actor=actor, reason=asked["reason"])
        found = next(age for age in kept(actor).ages if age.data_class == row.data_class)
        return Response(AgeOutput(found).data)


class Holds(APIView):
    """Every legal hold, and the way to place one."""

    @extend_schema(operation_id="holds_list", parameters=[HoldQuery], responses=page_of(HoldOutput))
    def get(self, request: Request) -> Response:
        asked, rows = _HOLDS.read(request), holds_for(actor_of(request))
        if "scope" in asked:
            rows = rows.filter(scope=asked["scope"])
        if asked["in_force"] is not None:
            rows = rows.filter(ended_at__isnull=asked["in_force"])
        return _HOLDS.answer(request, rows, lambda page: HoldOutput(page, many=True).data, asked)

    @extend_schema(operation_id="holds_place", request=HoldInput, responses={201: HoldOutput})
    def post(self, request: Request) -> Response:
        actor, asked = actor_of(request), said(HoldInput, request)
        scope, subject = asked.pop("scope"), asked.pop("subject")
        return Response(HoldOutput(place_hold(scope, subject, actor=actor, **asked)).data, 201)


class OneHold(APIView):
    """One legal hold."""

    @extend_schema(operation_id="holds_read", responses=HoldOutput)
    def get(self, request: Request, hold: str) -> Response:
        return Response(HoldOutput(hold_for(actor_of(request), hold)).data)


class EndHold(APIView):
    """Ask for a hold to end; asked again once another person agreed, end it."""

    @extend_schema(
        operation_id="holds_end",
        request=EndInput,
        responses={200: EndingOutput, 202: EndingOutput},
        description="202 with a review: another person with the security role decides; then ask"
        " again.",
    )
    def post(self, request: Request, hold: str) -> Response:
        actor = actor_of(request)
        ending = end_hold(hold, actor=actor, reason=said(EndInput, request)["reason"])
        review = ending.review.public_id if ending.review is not None else None
        shown = HoldOutput(ending.hold).data | {"review": review}
        return Response(shown, status=202 if review else 200)


class Erasures(APIView):
    """Every erasure, and the way to ask for one."""

    @extend_schema(
        operation_id="erasures_list", parameters=[ErasureQuery], responses=page_of(ErasureOutput)
    )
    def get(self, request: Request) -> Response:
        asked, rows = _ERASURES.read(request), erasures_for(actor_of(request))
        for name in ("state", "scope"):
            if name in asked:
                rows = rows.filter(**{name: asked[name]})
        return _ERASURES.answer(
            request, rows, lambda page: ErasureOutput(page, many=True).data, asked
        )

    @extend_schema(
        operation_id="erasures_request",
        request=ErasureInput,
        responses={202: ErasureOutput},
        description="Nothing is destroyed before another person with the security role agrees.",
    )
    def post(self, request: Request) -> Response:
        actor, asked = actor_of(request), said(ErasureInput, request)
        scope, subject = asked.pop("scope"), asked.pop("subject")
        made = request_erasure(scope, subject, actor=actor, **asked)
        return Response(ErasureOutput(made).data, 202)


class PreviewErasure(APIView):
    """What an erasure would destroy."""

    @extend_schema(
        operation_id="erasures_preview", request=PreviewInput, responses=ErasurePreviewOutput
    )
    def post(self, request: Request) -> Response:
        actor, asked = actor_of(request), said(PreviewInput, request)
        found, _, seen = preview_erasure(
            asked["scope"], asked["subject"], actor=actor, data_classes=asked["data_classes"]
        )
        return Response(ErasurePreviewOutput(seen, context={"subject": found}).data)


class OneErasure(APIView):
    """One erasure, with its proof."""

    @extend_schema(operation_id="erasures_read", responses=OneErasureOutput)
    def get(self, request: Request, erasure: str) -> Response:
        found = erasure_for(actor_of(request), erasure)
        return Response(ErasureOutput(found).data | {"tombstones": tombstones_of(found)})


urlpatterns = [
    path("retention", Retention.as_view(), name="retention"),
    path("retention/ages/<str:data_class>", Age.as_view(), name="retention-age"),
    path("holds", Holds.as_view(), name="holds"),
    path("holds/<str:hold>", OneHold.as_view(), name="hold"),
    path("holds/<str:hold>/end", EndHold.as_view(), name="hold-end"),
    path("erasures", Erasures.as_view(), name="erasures"),
    path("erasures/preview", PreviewErasure.as_view(), name="erasure-preview"),
    path("erasures/<str:erasure>", OneErasure.as_view(), name="erasure"),
]
