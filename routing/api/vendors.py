"""Vendors over REST. Owns the wire only; a secret goes in by its own address and never out."""

from __future__ import annotations

from typing import Any, Final

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from kernel.api import Listing, ListQuery, page_of
from registry.actors import Actor
from registry.authentication import actor_of
from routing.actions import probing
from routing.actions import vendors as act
from routing.addresses import read_address
from routing.api.bodies import (
    AddressInput,
    NoInput,
    SecretInput,
    StopInput,
    TestInput,
    VendorChangeInput,
    VendorInput,
    said,
)
from routing.api.shapes import (
    AddressOutput,
    NotedVendorOutput,
    VendorOutput,
    VendorTestOutput,
    vendor_shown,
)
from routing.queries.vendors import vendor_for, vendors_for

_VENDORS: Final = Listing(
    ListQuery, search=("name", "title", "platform"), ordering=("created_at", "name")
)


def _noted(result: act.VendorResult, actor: Actor) -> dict[str, Any]:
    # Read again: the state of the secret and the number of models are the query's to tell.
    vendor = vendor_for(actor, result.vendor.public_id)
    return vendor_shown(vendor, actor) | {"notes": result.notes}


class Vendors(APIView):
    """The vendors that are connected."""

    @extend_schema(
        operation_id="vendors_list", parameters=[ListQuery], responses=page_of(VendorOutput)
    )
    def get(self, request: Request) -> Response:
        actor, asked = actor_of(request), _VENDORS.read(request)
        return _VENDORS.answer(
            request,
            vendors_for(actor),
            lambda page: [vendor_shown(vendor, actor) for vendor in page],
            asked,
        )

    @extend_schema(request=VendorInput, responses={201: NotedVendorOutput})
    def post(self, request: Request) -> Response:
        actor = actor_of(request)
        draft = act.VendorDraft(**said(VendorInput, request))
        return Response(_noted(act.connect_vendor(draft, actor=actor), actor), status=201)


class OneVendor(APIView):
    """One vendor, by name or id."""

    @extend_schema(responses=VendorOutput)
    def get(self, request: Request, name: str) -> Response:
        actor = actor_of(request)
        return Response(vendor_shown(vendor_for(actor, name), actor))

    @extend_schema(request=VendorChangeInput, responses=NotedVendorOutput)
    def patch(self, request: Request, name: str) -> Response:
        actor = actor_of(request)
        changes = said(VendorChangeInput, request)
        return Response(_noted(act.change_vendor(name, changes, actor=actor), actor))


class Secret(APIView):
    """A vendor's secret. There is no way to read it."""

    @extend_schema(request=SecretInput, responses={204: None})
    def put(self, request: Request, name: str) -> Response:
        value = said(SecretInput, request)["value"]
        act.set_vendor_secret(name, value, actor=actor_of(request))
        return Response(status=204)


class Disable(APIView):
    """Stop every call to a vendor, at once."""

    @extend_schema(request=StopInput, responses=VendorOutput)
    def post(self, request: Request, name: str) -> Response:
        actor = actor_of(request)
        reason = said(StopInput, request)["reason"]
        return Response(vendor_shown(act.disable_vendor(name, actor=actor, reason=reason), actor))


class Enable(APIView):
    """Let calls go to a vendor again."""

    @extend_schema(request=NoInput, responses=VendorOutput)
    def post(self, request: Request, name: str) -> Response:
        actor = actor_of(request)
        said(NoInput, request)
        return Response(vendor_shown(act.enable_vendor(name, actor=actor), actor))


class Test(APIView):
    """Try a vendor: list its models, make one small call."""

    @extend_schema(request=TestInput, responses=VendorTestOutput)
    def post(self, request: Request, name: str) -> Response:
        model = said(TestInput, request)["model"]
        outcome = probing.test_vendor(name, actor=actor_of(request), model=model)
        return Response(VendorTestOutput(outcome).data)


class Address(APIView):
    """Look at an address before anything is stored: its normal form, and what to know of it."""

    @extend_schema(request=AddressInput, responses=AddressOutput)
    def post(self, request: Request) -> Response:
        actor_of(request)
        given = said(AddressInput, request)
        address = read_address(given["base_url"], dialect=given["dialect"])
        return Response(AddressOutput(address).data)


urlpatterns = [
    path("vendors", Vendors.as_view(), name="vendors"),
    path("vendor-address", Address.as_view(), name="vendor-address"),
    path("vendors/<str:name>", OneVendor.as_view(), name="vendor"),
    path("vendors/<str:name>/secret", Secret.as_view(), name="vendor-secret"),
    path("vendors/<str:name>/test", Test.as_view(), name="vendor-test"),
    path("vendors/<str:name>/disable", Disable.as_view(), name="vendor-disable"),
    path("vendors/<str:name>/enable", Enable.as_view(), name="vendor-enable"),
]
