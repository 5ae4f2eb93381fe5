"""When models end, over REST: what holds and why, overrides, changes, vendors' own lists."""

from __future__ import annotations

from typing import Any, Final

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from kernel.api import Input, Listing, ListQuery, Text, page_of
from registry.authentication import actor_of
from routing.actions import listing, overriding, vendor_notices
from routing.api.bodies import NoInput, StopInput, said
from routing.errors import VendorNotFound
from routing.models import LifecycleChange, Model, VendorListing
from routing.queries.fate import fate_of
from routing.queries.lifecycle import changes_for, listing_of
from routing.queries.vendors import model_for, sees_addresses, vendor_for

_OF_VENDOR: Final = frozenset({"endpoint", "api_version"})


class FateOutput(serializers.Serializer[Any]):
    """What holds for a model's end, who says so, and who says otherwise."""

    model = serializers.CharField()
    standing = serializers.ChoiceField(choices=["active", "ending", "overdue", "retired"])
    retires_on = serializers.DateField(allow_null=True)
    deprecated_on = serializers.DateField(allow_null=True)
    not_before = serializers.DateField(allow_null=True)
    date_precision = serializers.CharField()
    replacements = serializers.ListField(child=serializers.CharField())
    source = serializers.CharField()  # type: ignore[assignment]
    source_kind = serializers.CharField(source="kind")
    as_of = serializers.CharField()
    is_overridden = serializers.BooleanField()
    conflicts = serializers.ListField(child=serializers.DictField())


class ModelEndInput(Input):
    """What somebody says of a model's end; what is left out is said to be unknown."""

    reason = Text(max_length=500)
    retires_on = serializers.DateField(required=False, allow_null=True, default=None)
    deprecated_on = serializers.DateField(required=False, allow_null=True, default=None)
    date_precision = Text(required=False, allow_blank=True, max_length=20, default="")
    replacement = Text(required=False, allow_blank=True, max_length=200, default="")
    source = Text(  # type: ignore[assignment]
        required=False, allow_blank=True, max_length=500, default=""
    )


class NoticeInput(Input):
    """A change of a vendor's address or API version."""

    kind = serializers.ChoiceField(choices=vendor_notices.KINDS)
    before = Text(required=False, allow_blank=True, max_length=200, default="")
    after = Text(max_length=200)
    source = Text(  # type: ignore[assignment]
        required=False, allow_blank=True, max_length=500, default=""
    )


class ChangesQuery(ListQuery):
    """What a list of changes is narrowed to."""

    since = serializers.DateTimeField(required=False)
    kind = serializers.ChoiceField(required=False, choices=LifecycleChange.Kind.values)
    model = Text(required=False, max_length=80)


class LifecycleChangeOutput(serializers.Serializer[Any]):
    """One change of what holds for a model or a vendor."""

    id = serializers.CharField(source="public_id")
    kind = serializers.CharField()
    platform = serializers.CharField()
    name = serializers.CharField(source="model_name")
    model = serializers.CharField(source="model.public_id", default=None, allow_null=True)
    vendor = serializers.CharField(source="vendor.name", default=None, allow_null=True)
    before = serializers.DictField()
    after = serializers.DictField()
    source = serializers.CharField()  # type: ignore[assignment]
    seen_at = serializers.DateTimeField()


class ListingOutput(serializers.Serializer[Any]):
    """How asking a vendor for its own list of models went."""

    state = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()
    models = serializers.IntegerField(source="models_seen")
    pages = serializers.IntegerField()
    read_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    next_at = serializers.DateTimeField()


_CHANGES: Final = Listing(ChangesQuery, search=("model_name", "platform"), ordering=("seen_at",))


class FateOfModel(APIView):
    """What holds for one model's end."""

    @extend_schema(responses=FateOutput)
    def get(self, request: Request, model: str) -> Response:
        return Response(_fate(model_for(actor_of(request), model)))


class Override(APIView):
    """Say by hand when a model ends, or give it back to the other sources."""

    @extend_schema(request=ModelEndInput, responses=FateOutput)
    def put(self, request: Request, model: str) -> Response:
        draft = overriding.OverrideDraft(**said(ModelEndInput, request))
        return Response(_fate(overriding.override_fate(model, draft, actor=actor_of(request))))

    @extend_schema(request=StopInput, responses=FateOutput)
    def delete(self, request: Request, model: str) -> Response:
        reason = said(StopInput, request)["reason"]
        return Response(
            _fate(overriding.lift_override(model, actor=actor_of(request), reason=reason))
        )


class Changes(APIView):
    """What changed of models and vendors, the newest first."""

    @extend_schema(
        operation_id="lifecycle_changes_list",
        parameters=[ChangesQuery],
        responses=page_of(LifecycleChangeOutput),
    )
    def get(self, request: Request) -> Response:
        actor, asked = actor_of(request), _CHANGES.read(request)
        narrowed = {name: asked[name] for name in ("since", "kind", "model") if name in asked}
        rows = changes_for(actor, **narrowed)
        is_masked = not sees_addresses(actor)

        def told(found: list[LifecycleChange]) -> Any:
            return [_told(change, is_masked=is_masked) for change in found]

        return _CHANGES.answer(request, rows, told, asked)


class ListingOfVendor(APIView):
    """A vendor's own list of models: how it stands, and asking for it now."""

    @extend_schema(responses=ListingOutput)
    def get(self, request: Request, name: str) -> Response:
        actor = actor_of(request)
        vendor = vendor_for(actor, name)
        found = listing_of(vendor)
        if found is None:
            raise VendorNotFound(f"{vendor.name} was never asked for its list of models.")
        shown = ListingOutput(found).data
        if not sees_addresses(actor):
            shown["detail"] = ""
        return Response(shown)

    @extend_schema(request=NoInput, responses={202: ListingOutput})
    def post(self, request: Request, name: str) -> Response:
        said(NoInput, request)
        made: VendorListing = listing.ask_for_listing(name, actor=actor_of(request))
        return Response(ListingOutput(made).data, status=202)


class Notices(APIView):
    """Note that a vendor's address or API version changes."""

    @extend_schema(request=NoticeInput, responses={201: LifecycleChangeOutput})
    def post(self, request: Request, name: str) -> Response:
        given = said(NoticeInput, request)
        change = vendor_notices.note_vendor_change(
            name, given.pop("kind"), **given, actor=actor_of(request)
        )
        return Response(LifecycleChangeOutput(change).data, status=201)


def _fate(model: Model) -> dict[str, Any]:
    fate = fate_of(model)
    told = FateOutput({
        "model": model.public_id, "standing": fate.standing, "retires_on": fate.retires_on,
        "deprecated_on": fate.deprecated_on, "not_before": fate.not_before,
        "date_precision": fate.date_precision, "replacements": fate.replacements,
        "source": fate.source, "kind": fate.kind, "as_of": fate.as_of,
        "is_overridden": fate.is_overridden,
        "conflicts": [conflict.told() for conflict in fate.conflicts],
    }).data  # fmt: skip
    return dict(told)


def _told(change: LifecycleChange, *, is_masked: bool) -> Any:
    told = dict(LifecycleChangeOutput(change).data)
    if is_masked and change.kind in _OF_VENDOR:
        told |= {"before": {}, "after": {}}
    return told


urlpatterns = [
    path("models/<str:model>/fate", FateOfModel.as_view(), name="model-fate"),
    path("models/<str:model>/override", Override.as_view(), name="model-override"),
    path("lifecycle-changes", Changes.as_view(), name="lifecycle-changes"),
    path("vendors/<str:name>/listing", ListingOfVendor.as_view(), name="vendor-listing"),
    path("vendors/<str:name>/changes", Notices.as_view(), name="vendor-changes"),
]
