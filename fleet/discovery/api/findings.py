"""Findings over REST: the list, one with its evidence, and what is decided about it."""

from __future__ import annotations

from typing import Any, Final

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fleet.discovery.actions import deciding
from fleet.discovery.actions.deciding import draft_of
from fleet.discovery.models import Finding
from fleet.discovery.queries.figures import figures_for
from fleet.discovery.queries.findings import evidence_of, finding_for, findings_for, places_of
from fleet.discovery.queries.lists import RISKS, SOURCES, STATES, filtered
from kernel.api import Input, Listing, ListQuery, Text, page_of
from registry.authentication import actor_of
from registry.queries import agent_for, person_for

_PLACES_SHOWN: Final = 200


class FindingsQuery(ListQuery):
    """The filters of the list."""

    state = serializers.ChoiceField(choices=STATES, required=False)
    source = serializers.ChoiceField(choices=SOURCES, required=False)  # type: ignore[assignment]
    kind = serializers.ChoiceField(choices=Finding.Kind.choices, required=False)
    risk = serializers.ChoiceField(choices=tuple(RISKS), required=False)
    vendor = Text(required=False, max_length=120)
    owner = Text(required=False, max_length=254)


class UnregisteredOutput(serializers.Serializer[Any]):
    """A finding: what was found, how urgent it is, who answers for it."""

    id = serializers.CharField(source="public_id")
    kind = serializers.CharField()
    title = serializers.CharField()
    vendor = serializers.CharField()
    state = serializers.CharField()
    sources = serializers.ListField(child=serializers.CharField())
    signs = serializers.ListField(child=serializers.CharField(), source="flags")
    models = serializers.ListField(child=serializers.CharField(), source="model_ids")
    retires_on = serializers.DateField(allow_null=True)
    retiring_model = serializers.CharField()
    confidence = serializers.FloatField()
    calls = serializers.IntegerField()
    cost_micros = serializers.IntegerField()
    risk = serializers.IntegerField()
    risk_parts = serializers.JSONField()
    owner = serializers.EmailField(source="owner.email", default=None, allow_null=True)
    likely_owner = serializers.EmailField(source="likely.email", default=None, allow_null=True)
    likely_reasons = serializers.JSONField()
    agent = serializers.CharField(source="agent.name", default=None, allow_null=True)
    resembles = serializers.CharField(source="resembles.name", default=None, allow_null=True)
    resembles_reasons = serializers.JSONField()
    first_seen_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField()
    found_at = serializers.DateTimeField()
    due_on = serializers.DateField(allow_null=True)
    settled_at = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField()


class FindingEvidenceOutput(serializers.Serializer[Any]):
    """What one source says of a finding."""

    source = serializers.CharField()  # type: ignore[assignment]
    summary = serializers.CharField()
    confidence = serializers.FloatField()
    facts = serializers.JSONField()
    calls = serializers.IntegerField()
    cost_micros = serializers.IntegerField()
    first_seen_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField()


class NamedModelOutput(serializers.Serializer[Any]):
    """A place that names a model."""

    path = serializers.CharField()
    line = serializers.IntegerField()
    model = serializers.CharField(source="model_id")
    is_weak = serializers.BooleanField()
    retires_on = serializers.DateField(allow_null=True)


class OneFindingOutput(UnregisteredOutput):
    """A finding with what says so."""

    evidence = FindingEvidenceOutput(many=True)
    places = NamedModelOutput(many=True)


class AssignInput(Input):
    """Who is asked, and by when; left out: whoever it probably is, in two weeks."""

    owner = Text(max_length=254, required=False, allow_blank=True, default="")
    due_on = serializers.DateField(required=False, allow_null=True, default=None)


class ClaimInput(Input):
    """What is registered; what is left out is the finding's own."""

    name = Text(max_length=63, required=False)
    title = Text(max_length=120, required=False)
    description = Text(max_length=1000, required=False)
    owner = Text(max_length=254, required=False)
    backup_owner = Text(max_length=254)
    data_classes = serializers.ListField(
        child=Text(max_length=40), required=False, min_length=1, max_length=10
    )
    route = Text(max_length=63, required=False)


class MergeInput(Input):
    """Which agent it is."""

    agent = Text(max_length=63)
    reason = Text(max_length=1000, required=False, allow_blank=True, default="")


class FindingReasonInput(Input):
    """Why, or what was done."""

    reason = Text(max_length=1000)


class DiscoveryFiguresOutput(serializers.Serializer[Any]):
    """How long it takes until what was found has an owner."""

    open = serializers.IntegerField()
    overdue = serializers.IntegerField()
    answered = serializers.IntegerField()
    median_days = serializers.FloatField(allow_null=True)
    ages = serializers.JSONField()
    chart = serializers.JSONField()
    sources = serializers.JSONField()


_FINDINGS: Final = Listing(
    FindingsQuery,
    search=("title", "vendor", "public_id"),
    ordering=("risk", "found_at", "last_seen_at", "cost_micros", "title"),
)


def _read(kind: type[Input], request: Request) -> dict[str, Any]:
    read = kind(data=request.data)
    read.is_valid(raise_exception=True)
    given: dict[str, Any] = dict(read.validated_data)
    return given


class Findings(APIView):
    """The findings this viewer may see."""

    @extend_schema(
        operation_id="findings_list",
        parameters=[FindingsQuery],
        responses=page_of(UnregisteredOutput),
    )
    def get(self, request: Request) -> Response:
        asked, rows = _FINDINGS.read(request), findings_for(actor_of(request))
        return _FINDINGS.answer(
            request,
            filtered(rows, asked),
            lambda page: UnregisteredOutput(page, many=True).data,
            asked,
        )


class FindingFigures(APIView):
    """Days to a claim, and the age of what waits."""

    @extend_schema(operation_id="findings_figures", responses=DiscoveryFiguresOutput)
    def get(self, request: Request) -> Response:
        return Response(DiscoveryFiguresOutput(figures_for(actor_of(request))).data)


class OneFinding(APIView):
    """One finding with its evidence."""

    @extend_schema(operation_id="findings_read", responses=OneFindingOutput)
    def get(self, request: Request, finding: str) -> Response:
        found = finding_for(actor_of(request), finding)
        told = UnregisteredOutput(found).data | {
            "evidence": FindingEvidenceOutput(evidence_of(found), many=True).data,
            "places": NamedModelOutput(places_of(found)[:_PLACES_SHOWN], many=True).data,
        }
        return Response(told)


class AssignFinding(APIView):
    """Ask somebody to answer for it."""

    @extend_schema(
        operation_id="findings_assign", request=AssignInput, responses=UnregisteredOutput
    )
    def post(self, request: Request, finding: str) -> Response:
        actor, given = actor_of(request), _read(AssignInput, request)
        found = finding_for(actor, finding)
        who = given["owner"] or (found.likely.email if found.likely else "")
        done = deciding.assign_finding(found, person_for(who), actor=actor, due_on=given["due_on"])
        return Response(UnregisteredOutput(done).data)


class ClaimFinding(APIView):
    """Register it as a draft."""

    @extend_schema(operation_id="findings_claim", request=ClaimInput, responses=UnregisteredOutput)
    def post(self, request: Request, finding: str) -> Response:
        actor, given = actor_of(request), _read(ClaimInput, request)
        found = finding_for(actor, finding)
        if "data_classes" in given:
            given["data_classes"] = tuple(given["data_classes"])
        draft = draft_of(found, found.owner or actor.person, **given)
        deciding.claim_finding(found, draft, actor=actor)
        return Response(UnregisteredOutput(finding_for(actor, finding)).data)


class MergeFinding(APIView):
    """Say which registered agent it is."""

    @extend_schema(operation_id="findings_merge", request=MergeInput, responses=UnregisteredOutput)
    def post(self, request: Request, finding: str) -> Response:
        actor, given = actor_of(request), _read(MergeInput, request)
        found, agent = finding_for(actor, finding), agent_for(actor, given["agent"])
        done = deciding.merge_finding(found, agent, actor=actor, reason=given["reason"])
        return Response(UnregisteredOutput(done).data)


class BlockFinding(APIView):
    """Say that it was stopped, and how."""

    @extend_schema(
        operation_id="findings_block", request=FindingReasonInput, responses=UnregisteredOutput
    )
    def post(self, request: Request, finding: str) -> Response:
        actor, given = actor_of(request), _read(FindingReasonInput, request)
        done = deciding.block_finding(finding_for(actor, finding), actor=actor, **given)
        return Response(UnregisteredOutput(done).data)


class DismissFinding(APIView):
    """Say that it is nothing, and why."""

    @extend_schema(
        operation_id="findings_dismiss", request=FindingReasonInput, responses=UnregisteredOutput
    )
    def post(self, request: Request, finding: str) -> Response:
        actor, given = actor_of(request), _read(FindingReasonInput, request)
        done = deciding.dismiss_finding(finding_for(actor, finding), actor=actor, **given)
        return Response(UnregisteredOutput(done).data)


class HandBackFinding(APIView):
    """Say that it is somebody else's."""

    @extend_schema(
        operation_id="findings_hand_back", request=FindingReasonInput, responses={204: None}
    )
    def post(self, request: Request, finding: str) -> Response:
        actor, given = actor_of(request), _read(FindingReasonInput, request)
        deciding.hand_back_finding(finding_for(actor, finding), actor=actor, **given)
        return Response(status=204)


class ReopenFinding(APIView):
    """Take a decision back."""

    @extend_schema(
        operation_id="findings_reopen", request=FindingReasonInput, responses=UnregisteredOutput
    )
    def post(self, request: Request, finding: str) -> Response:
        actor, given = actor_of(request), _read(FindingReasonInput, request)
        done = deciding.reopen_finding(finding_for(actor, finding), actor=actor, **given)
        return Response(UnregisteredOutput(done).data)


_ONE: Final = "discovery/findings/<str:finding>"
urlpatterns = [
    path("discovery/findings", Findings.as_view(), name="findings"),
    path("discovery/figures", FindingFigures.as_view(), name="finding-figures"),
    path(_ONE, OneFinding.as_view(), name="finding"),
    path(f"{_ONE}/assign", AssignFinding.as_view(), name="finding-assign"),
    path(f"{_ONE}/claim", ClaimFinding.as_view(), name="finding-claim"),
    path(f"{_ONE}/merge", MergeFinding.as_view(), name="finding-merge"),
    path(f"{_ONE}/block", BlockFinding.as_view(), name="finding-block"),
    path(f"{_ONE}/dismiss", DismissFinding.as_view(), name="finding-dismiss"),
    path(f"{_ONE}/hand-back", HandBackFinding.as_view(), name="finding-hand-back"),
    path(f"{_ONE}/reopen", ReopenFinding.as_view(), name="finding-reopen"),
]
