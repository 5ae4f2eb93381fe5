"""Golden cases over REST: list, add, read on record, replace, retire."""

from __future__ import annotations

from typing import Any, Final

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from effects.queries.proposals import proposal_for
from fleet.evaluations.actions.golden import (
    add_golden,
    golden_from_correction,
    golden_from_step,
    read_golden,
    replace_golden,
    retire_golden,
)
from fleet.evaluations.expecting.content import GoldenContent, checked
from fleet.evaluations.models import GoldenCase
from fleet.evaluations.queries.golden import golden_case_for, golden_cases_for
from kernel.api import Input, Listing, ListQuery, Text, page_of
from registry.authentication import actor_of
from registry.queries.agents import agent_inside_for
from routing.queries.reevaluations import ASKABLE


class ContentInput(Input):
    """What is asked and what must come of it."""

    request = serializers.DictField(help_text="As the agent sends it, without a model.")
    operation = serializers.ChoiceField(choices=ASKABLE, default="chat")
    expects = serializers.ChoiceField(choices=GoldenCase.Expects.choices)
    expected = serializers.DictField(help_text="By kind: text, schema, name and arguments, …")
    note = Text(required=False, allow_blank=True, default="", max_length=2000)


class GoldenInput(ContentInput):
    """A new case."""

    name = Text(max_length=63)
    route = Text(required=False, allow_blank=True, default="", max_length=100)


class NamedInput(Input):
    """How a case that is taken from the record is named."""

    name = Text(required=False, allow_blank=True, default="", max_length=63)


class GoldenReasonInput(Input):
    """Why somebody reads."""

    reason = Text(max_length=1000)


class GoldenOutput(serializers.ModelSerializer[GoldenCase]):
    """One version of a case; what it says is read at ``content``, on record."""

    id = serializers.CharField(source="public_id")
    agent = serializers.CharField(source="agent.name")

    class Meta:
        model = GoldenCase
        fields = (
            "id", "agent", "name", "number", "expects", "source", "source_id", "route",
            "operation", "digest", "state", "added_by", "added_at", "ended_at",
        )  # fmt: skip


class GoldenQuery(ListQuery):
    """The query of the list of cases."""

    ended = serializers.BooleanField(required=False, default=False)


_LIST: Final = Listing(GoldenQuery, search=("name", "source_id"), ordering=("added_at", "name"))


class GoldenCases(APIView):
    """The golden cases of one agent."""

    @extend_schema(
        operation_id="golden_cases_list", parameters=[GoldenQuery], responses=page_of(GoldenOutput)
    )
    def get(self, request: Request, name: str) -> Response:
        actor = actor_of(request)
        asked = _LIST.read(request)
        rows = golden_cases_for(actor, agent_inside_for(actor, name), ended=asked["ended"])
        return _LIST.answer(request, rows, lambda page: GoldenOutput(page, many=True).data, asked)

    @extend_schema(request=GoldenInput, responses={201: GoldenOutput})
    def post(self, request: Request, name: str) -> Response:
        """Add a case by hand."""
        read = GoldenInput(data=request.data)
        read.is_valid(raise_exception=True)
        actor, given = actor_of(request), read.validated_data
        agent = agent_inside_for(actor, name)
        made = add_golden(agent, given["name"], _content(given), actor=actor, route=given["route"])
        return Response(GoldenOutput(made).data, status=201)


class OneGoldenCase(APIView):
    """One version of a case."""

    @extend_schema(responses=GoldenOutput)
    def get(self, request: Request, golden: str) -> Response:
        return Response(GoldenOutput(golden_case_for(actor_of(request), golden)).data)

    @extend_schema(request=ContentInput, responses=GoldenOutput)
    def put(self, request: Request, golden: str) -> Response:
        """Replace it by a new version."""
        read = ContentInput(data=request.data)
        read.is_valid(raise_exception=True)
        actor = actor_of(request)
        found = golden_case_for(actor, golden)
        made = replace_golden(found, _content(read.validated_data), actor=actor)
        return Response(GoldenOutput(made).data)

    @extend_schema(responses=GoldenOutput)
    def delete(self, request: Request, golden: str) -> Response:
        """Retire it: it is asked no more, and stays on record."""
        actor = actor_of(request)
        return Response(
            GoldenOutput(retire_golden(golden_case_for(actor, golden), actor=actor)).data
        )


class ContentOfGoldenCase(APIView):
    """What a case asks and expects."""

    @extend_schema(request=GoldenReasonInput, responses=ContentInput)
    def post(self, request: Request, golden: str) -> Response:
        """Read it, with a reason: the reading is on record."""
        read = GoldenReasonInput(data=request.data)
        read.is_valid(raise_exception=True)
        _, content = read_golden(
            golden, actor=actor_of(request), reason=read.validated_data["reason"]
        )
        return Response(
            {
                "request": content.request,
                "operation": content.operation,
                "expects": content.expects,
                "expected": content.expected,
                "note": content.note,
            },
            headers={"Cache-Control": "no-store"},
        )


class GoldenFromStep(APIView):
    """A recorded step made a golden case."""

    @extend_schema(request=NamedInput, responses={201: GoldenOutput})
    def post(self, request: Request, run: str, step: str) -> Response:
        """Add a case from it: reading it is on record."""
        read = NamedInput(data=request.data)
        read.is_valid(raise_exception=True)
        made = golden_from_step(
            run, step, actor=actor_of(request), name=read.validated_data["name"]
        )
        return Response(GoldenOutput(made).data, status=201)


class GoldenFromCorrection(APIView):
    """A reviewer's correction made a golden case."""

    @extend_schema(request=NamedInput, responses={201: GoldenOutput})
    def post(self, request: Request, proposal: str) -> Response:
        """Add a case from it: what was decided is what should have been proposed."""
        read = NamedInput(data=request.data)
        read.is_valid(raise_exception=True)
        actor = actor_of(request)
        made = golden_from_correction(
            proposal_for(actor, proposal), actor=actor, name=read.validated_data["name"]
        )
        return Response(GoldenOutput(made).data, status=201)


def _content(given: dict[str, Any]) -> GoldenContent:
    return checked(
        operation=given["operation"],
        request=given["request"],
        expects=given["expects"],
        expected=given["expected"],
        note=given["note"],
    )


urlpatterns = [
    path("agents/<str:name>/golden-cases", GoldenCases.as_view()),
    path("golden-cases/<str:golden>", OneGoldenCase.as_view()),
    path("golden-cases/<str:golden>/content", ContentOfGoldenCase.as_view()),
    path("runs/<str:run>/steps/<str:step>/golden-case", GoldenFromStep.as_view()),
    path("proposals/<str:proposal>/golden-case", GoldenFromCorrection.as_view()),
]
