"""Models over REST: what vendors serve here, and the whole catalogue behind it."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from django.db.models import F, QuerySet, Value
from django.db.models.functions import Coalesce
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from kernel import clock
from kernel.api import Listing, ListQuery, page_of
from registry.authentication import actor_of
from routing.actions import models as act
from routing.api.bodies import (
    ModelChangeInput,
    ModelInput,
    ModelsQuery,
    NoInput,
    StopInput,
    read,
    said,
    with_micros,
)
from routing.api.shapes import CatalogueRowOutput, ModelOutput
from routing.queries.catalogue import catalogue_rows
from routing.queries.vendors import model_for, models_for, models_of, vendor_for

_NEVER: Final = date(9999, 12, 31)
_OF_VENDOR: Final = Listing(ListQuery, search=("name",), ordering=("created_at", "name"))
_MODELS: Final = Listing(
    ModelsQuery, search=("name", "vendor__name"), ordering=("retires_on", "created_at", "name")
)
_CATALOGUE: Final = Listing(
    ModelsQuery, search=("model_id", "platform", "canonical_id"), ordering=("retires_on",)
)


def _many(rows: list[Any]) -> Any:
    return ModelOutput(rows, many=True).data


class ModelsOfVendor(APIView):
    """What one vendor serves here."""

    @extend_schema(
        operation_id="vendor_models_list", parameters=[ListQuery], responses=page_of(ModelOutput)
    )
    def get(self, request: Request, name: str) -> Response:
        asked = _OF_VENDOR.read(request)
        vendor = vendor_for(actor_of(request), name)
        return _OF_VENDOR.answer(request, models_of(vendor), _many, asked)

    @extend_schema(
        request=ModelInput(many=True),
        responses={201: ModelOutput(many=True)},
        description="Takes one model or a list of them; a list is added whole or not at all.",
    )
    def post(self, request: Request, name: str) -> Response:
        actor = actor_of(request)
        given = request.data
        listed = given if isinstance(given, list) else [given]
        drafts = [act.ModelDraft(**with_micros(read(ModelInput, one))) for one in listed]
        added = _many(act.add_models(name, drafts, actor=actor))
        return Response(added if isinstance(given, list) else added[0], status=201)


class Models(APIView):
    """Every configured model, the soonest end first; or the catalogue.

    What retires before a day is asked of the whole catalogue, from today on, unless the
    query says ``catalogue=configured`` or names a vendor.
    """

    @extend_schema(
        operation_id="models_list", parameters=[ModelsQuery], responses=page_of(ModelOutput)
    )
    def get(self, request: Request) -> Response:
        said_which = request.query_params.keys() & {"catalogue", "vendor"}
        is_ahead = "retiring_before" in request.query_params and not said_which
        whole = is_ahead or request.query_params.get("catalogue") == "all"
        listing = _CATALOGUE if whole else _MODELS
        asked = _soonest_first(listing.read(request), request)
        rows: QuerySet[Any]
        if whole:
            rows = catalogue_rows(
                retiring_before=asked.get("retiring_before"), platform=asked.get("platform", "")
            ).annotate(public_id=F("id"))
            if is_ahead:
                rows = rows.filter(retires_on__gte=clock.now().date())
            return listing.answer(request, _dated(rows), _catalogue_many, asked)
        rows = models_for(actor_of(request), retiring_before=asked.get("retiring_before"))
        if "vendor" in asked:
            rows = rows.filter(vendor__name=asked["vendor"])
        if "platform" in asked:
            rows = rows.filter(vendor__platform=asked["platform"])
        return listing.answer(request, _dated(rows), _many, asked)


class OneModel(APIView):
    """One model, by id."""

    @extend_schema(responses=ModelOutput)
    def get(self, request: Request, model: str) -> Response:
        return Response(ModelOutput(model_for(actor_of(request), model)).data)

    @extend_schema(request=ModelChangeInput, responses=ModelOutput)
    def patch(self, request: Request, model: str) -> Response:
        changes = with_micros(said(ModelChangeInput, request))
        changed = act.change_model(model, changes, actor=actor_of(request))
        return Response(ModelOutput(changed).data)


class Disable(APIView):
    """Stop every call to a model, at once."""

    @extend_schema(request=StopInput, responses=ModelOutput)
    def post(self, request: Request, model: str) -> Response:
        reason = said(StopInput, request)["reason"]
        stopped = act.disable_model(model, actor=actor_of(request), reason=reason)
        return Response(ModelOutput(stopped).data)


class Enable(APIView):
    """Let calls go to a model again."""

    @extend_schema(request=NoInput, responses=ModelOutput)
    def post(self, request: Request, model: str) -> Response:
        said(NoInput, request)
        return Response(ModelOutput(act.enable_model(model, actor=actor_of(request))).data)


def _catalogue_many(rows: list[Any]) -> Any:
    return CatalogueRowOutput(rows, many=True).data


def _dated(rows: QuerySet[Any]) -> QuerySet[Any]:
    # A cursor cannot stand on an unknown date, so an unknown end counts as never.
    dated: QuerySet[Any] = rows.annotate(ends=Coalesce("retires_on", Value(_NEVER)))
    return dated


def _soonest_first(asked: dict[str, Any], request: Request) -> dict[str, Any]:
    ordering = asked["ordering"] if "ordering" in request.query_params else "retires_on"
    return asked | {"ordering": ordering.replace("retires_on", "ends")}


urlpatterns = [
    path("vendors/<str:name>/models", ModelsOfVendor.as_view(), name="vendor-models"),
    path("models", Models.as_view(), name="models"),
    path("models/<str:model>", OneModel.as_view(), name="model"),
    path("models/<str:model>/disable", Disable.as_view(), name="model-disable"),
    path("models/<str:model>/enable", Enable.as_view(), name="model-enable"),
]
