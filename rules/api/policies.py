"""Bundles, their activation and what they would answer, over REST."""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import Any, Final

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from kernel.api import Input, Listing, ListQuery, Text, page_of
from registry.authentication import actor_of
from rules.actions.proposing import propose_activation
from rules.actions.uploading import upload_bundle
from rules.comparing import as_evidence, compare_bundles, sources_of, tests_of
from rules.errors import BundleRefused
from rules.queries.bundles import activations_for, bundle_for, bundles_for, in_force
from rules.queries.trying import try_facts
from rules.uploads import read_zip


class BundleInput(Input):
    """A bundle: its files as text by name, or a zip of them in base64."""

    title = Text(max_length=200)
    note = Text(max_length=2000, required=False, allow_blank=True, default="")
    files = serializers.DictField(
        child=serializers.CharField(allow_blank=True, trim_whitespace=False),
        required=False,
        default=dict,
    )
    zip = serializers.CharField(required=False, allow_blank=True, default="")


class PolicyReasonInput(Input):
    """Why it is wanted."""

    reason = Text(max_length=2000)


class TryInput(Input):
    """Facts as a rule would be told them, and the bundle to ask; without one, the one in force."""

    facts = serializers.DictField(child=serializers.JSONField(allow_null=True), allow_empty=True)
    policy = Text(max_length=60, required=False, allow_blank=True, default="")


class BundleOutput(serializers.Serializer[Any]):
    """A bundle without its files."""

    id = serializers.CharField(source="public_id")
    digest = serializers.CharField()
    title = serializers.CharField()
    note = serializers.CharField()
    origin = serializers.CharField()
    is_in_force = serializers.BooleanField()
    tested = serializers.JSONField(source="checked")
    added_by = serializers.CharField()
    added_at = serializers.DateTimeField()


class WholeBundleOutput(BundleOutput):
    """A bundle with its files; settings are shown with one to a line."""

    files = serializers.SerializerMethodField()
    tests = serializers.SerializerMethodField()

    def get_files(self, bundle: Any) -> dict[str, str]:
        return sources_of(bundle)

    def get_tests(self, bundle: Any) -> dict[str, str]:
        return tests_of(bundle)


class ActivationOutput(serializers.Serializer[Any]):
    """One stretch of time in which a bundle judged."""

    id = serializers.CharField(source="public_id")
    policy = serializers.CharField(source="bundle.public_id")
    title = serializers.CharField(source="bundle.title")
    digest = serializers.CharField(source="bundle.digest")
    review = serializers.CharField(source="review_id")
    reason = serializers.CharField()
    activated_by = serializers.CharField()
    activated_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class AskedOutput(serializers.Serializer[Any]):
    """The review that has to say yes first."""

    review = serializers.CharField(source="public_id")
    state = serializers.CharField()
    digest = serializers.CharField()


class ComparedOutput(serializers.Serializer[Any]):
    """What differs, file by file."""

    files = serializers.JSONField()


class AnswerOutput(serializers.Serializer[Any]):
    """What would be decided, by which rule, and how long that took."""

    answer = serializers.CharField(source="word")
    rule = serializers.CharField(source="decision.rule")
    reason = serializers.CharField(source="decision.reason")
    constraints = serializers.JSONField(source="decision.constraints")
    bundle = serializers.CharField(source="decision.bundle_digest")
    input = serializers.CharField(source="decision.input_digest")
    micros = serializers.IntegerField()


class CompareQuery(Input):
    """With which bundle to compare; without one, with the one in force."""

    before = Text(max_length=60, required=False, allow_blank=True, default="")


class BundleQuery(ListQuery):
    """Which bundles to list."""

    origin = serializers.ChoiceField(choices=["shipped", "uploaded"], required=False)


_BUNDLES: Final = Listing(
    BundleQuery, search=("public_id", "title", "note", "digest"), ordering=("added_at",)
)
_ACTIVATIONS: Final = Listing(
    ListQuery, search=("bundle__title", "reason", "bundle__digest"), ordering=("activated_at",)
)


class Bundles(APIView):
    """Every bundle, and the way to add one."""

    @extend_schema(
        operation_id="policies_list", parameters=[BundleQuery], responses=page_of(BundleOutput)
    )
    def get(self, request: Request) -> Response:
        asked, rows = _BUNDLES.read(request), bundles_for(actor_of(request))
        if "origin" in asked:
            rows = rows.filter(origin=asked["origin"])
        return _BUNDLES.answer(
            request, rows, lambda page: BundleOutput(page, many=True).data, asked
        )

    @extend_schema(
        operation_id="policies_add",
        request=BundleInput,
        responses={201: BundleOutput},
        description="Linted, built and tested before it is kept; it judges nothing yet.",
    )
    def post(self, request: Request) -> Response:
        actor, asked = actor_of(request), _said(BundleInput, request)
        files = {name: text.encode() for name, text in asked["files"].items()}
        if asked["zip"]:
            try:
                files |= read_zip(b64decode(asked["zip"], validate=True))
            except (binascii.Error, ValueError):
                raise BundleRefused("The zip is not base64.", field="zip") from None
        made = upload_bundle(files, title=asked["title"], note=asked["note"], actor=actor)
        return Response(BundleOutput(bundle_for(actor, made.public_id)).data, 201)


class OneBundle(APIView):
    """One bundle with its files."""

    @extend_schema(operation_id="policies_read", responses=WholeBundleOutput)
    def get(self, request: Request, policy: str) -> Response:
        return Response(WholeBundleOutput(bundle_for(actor_of(request), policy)).data)


class CompareBundle(APIView):
    """What differs between a bundle and another one; without one, the one in force."""

    @extend_schema(
        operation_id="policies_compare", parameters=[CompareQuery], responses=ComparedOutput
    )
    def get(self, request: Request, policy: str) -> Response:
        actor, read = actor_of(request), CompareQuery(data=request.query_params.dict())
        read.is_valid(raise_exception=True)
        other = read.validated_data["before"]
        after = bundle_for(actor, policy)
        now = in_force()
        before = bundle_for(actor, other) if other else now.bundle if now else None
        files = as_evidence(compare_bundles(before, after))
        return Response(ComparedOutput({"files": files}).data)


class ActivateBundle(APIView):
    """Ask security to put a bundle in force; an earlier one as well."""

    @extend_schema(
        operation_id="policies_activate", request=PolicyReasonInput, responses={202: AskedOutput}
    )
    def post(self, request: Request, policy: str) -> Response:
        reason = _said(PolicyReasonInput, request)["reason"]
        review = propose_activation(policy, actor=actor_of(request), reason=reason)
        return Response(AskedOutput(review).data, 202)


class Activations(APIView):
    """What was in force, from when to when, the newest first."""

    @extend_schema(
        operation_id="activations_list",
        parameters=[ListQuery],
        responses=page_of(ActivationOutput),
    )
    def get(self, request: Request) -> Response:
        asked, rows = _ACTIVATIONS.read(request), activations_for(actor_of(request))
        return _ACTIVATIONS.answer(
            request, rows, lambda page: ActivationOutput(page, many=True).data, asked
        )


class TryPolicy(APIView):
    """What would be answered; nothing comes of it."""

    @extend_schema(operation_id="policies_try", request=TryInput, responses=AnswerOutput)
    def post(self, request: Request) -> Response:
        actor, asked = actor_of(request), _said(TryInput, request)
        return Response(AnswerOutput(try_facts(actor, asked["facts"], bundle=asked["policy"])).data)


def _said(shape: type[Input], request: Request) -> dict[str, Any]:
    read = shape(data=request.data)
    read.is_valid(raise_exception=True)
    return dict(read.validated_data)


urlpatterns = [
    path("policies", Bundles.as_view(), name="api-policies"),
    path("policies/try", TryPolicy.as_view(), name="api-policy-try"),
    path("policies/<str:policy>", OneBundle.as_view(), name="api-policy"),
    path("policies/<str:policy>/changes", CompareBundle.as_view(), name="api-policy-changes"),
    path("policies/<str:policy>/activate", ActivateBundle.as_view(), name="api-policy-activate"),
    path("activations", Activations.as_view(), name="api-activations"),
]
