"""Worth over REST: where agents stand, the lists of quarters, what is answered to them."""

from __future__ import annotations

from typing import Any, Final

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fleet.worth.actions.answering import answer_suggestion, decide_suggestion
from fleet.worth.actions.declaring import declare_value, end_value
from fleet.worth.actions.listing import list_quarter_now
from fleet.worth.models import Answer, DeclaredValue, Listed, Quarter, Standing
from fleet.worth.models.standing import Suggestion
from fleet.worth.queries.lists import (
    answers_of,
    listed_for,
    listed_in,
    quarter_named,
    quarters_made,
    standing_for,
    standings_for,
    sums_for,
    values_of,
)
from kernel.api import Input, Listing, ListQuery, Text, page_of
from registry.authentication import actor_of
from registry.models import Role
from registry.queries import agent_inside_for


class WorthSumsOutput(serializers.Serializer[Any]):
    """What the agents that a viewer sees inside come to, over 13 weeks."""

    agents = serializers.IntegerField()
    cost_micros = serializers.IntegerField()
    accepted_milli = serializers.IntegerField()
    by_suggestion = serializers.DictField(child=serializers.IntegerField())
    valued = serializers.IntegerField(help_text="Agents with a declared value.")


class WorthOutput(serializers.Serializer[Any]):
    """Where one agent stands now: its figures, and what the rules suggest."""

    agent = serializers.CharField(source="agent.name")
    owner = serializers.CharField(source="agent.owner.email")
    suggestion = serializers.ChoiceField(choices=Suggestion.choices)
    reasons = serializers.ListField(child=serializers.CharField())
    cost_micros = serializers.IntegerField()
    accepted_milli = serializers.IntegerField()
    figures = serializers.DictField()
    made_at = serializers.DateTimeField()


class ValueOutput(serializers.Serializer[Any]):
    """What an accepted outcome is declared to be worth."""

    action = serializers.CharField()
    value_micros = serializers.IntegerField()
    because = serializers.CharField()
    declared_by = serializers.CharField()
    declared_at = serializers.DateTimeField()


class WorthOfAgentOutput(serializers.Serializer[Any]):
    """One agent: where it stands, and what its outcomes are declared to be worth."""

    standing = WorthOutput(allow_null=True)
    values = ValueOutput(many=True)


class ValueInput(Input):
    """What an accepted outcome of an operation is worth, and why; null takes it back."""

    action = Text(max_length=200, help_text="connection.operation, or run.")
    value_micros = serializers.IntegerField(allow_null=True)
    because = Text(required=False, allow_blank=True, default="", max_length=2000)


class QuarterOutput(serializers.Serializer[Any]):
    """One list: of a quarter that is over, or made before its end."""

    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    since = serializers.DateField()
    until = serializers.DateField()
    is_final = serializers.BooleanField()
    rules = serializers.DictField()
    made_by = serializers.CharField()
    made_at = serializers.DateTimeField()


class SaidOutput(serializers.Serializer[Any]):
    """What somebody said to a suggestion."""

    said = serializers.ChoiceField(choices=Answer.Said.choices)
    because = serializers.CharField()
    said_by = serializers.CharField()
    said_at = serializers.DateTimeField()


class ListedOutput(serializers.Serializer[Any]):
    """One line of a list, as it was made, with what was said to it since."""

    id = serializers.CharField(source="public_id")
    agent = serializers.CharField(source="agent_name")
    title = serializers.CharField()
    owner = serializers.CharField()
    team = serializers.CharField()
    suggestion = serializers.ChoiceField(choices=Suggestion.choices)
    reasons = serializers.ListField(child=serializers.CharField())
    cost_micros = serializers.IntegerField()
    figures = serializers.DictField()
    answer = serializers.SerializerMethodField()
    decision = serializers.SerializerMethodField()

    def get_answer(self, row: Listed) -> dict[str, Any] | None:
        return _said(answers_of(row)["answer"])

    def get_decision(self, row: Listed) -> dict[str, Any] | None:
        return _said(answers_of(row)["decision"])


class SuggestionQuery(ListQuery):
    """The filters of standings and of lists."""

    suggestion = serializers.ChoiceField(choices=Suggestion.choices, required=False)


class OwnersWordInput(Input):
    """Accept what is suggested, or contest it with evidence."""

    said = serializers.ChoiceField(choices=["accepted", "contested"])
    because = Text(required=False, allow_blank=True, default="", max_length=4000)


class LineDecisionInput(Input):
    """Uphold what is contested, or lift it."""

    said = serializers.ChoiceField(choices=["upheld", "lifted"])
    because = Text(max_length=4000)


_STANDINGS: Final = Listing(
    SuggestionQuery,
    search=("agent__name", "agent__title", "agent__owner__email", "agent__team__name"),
    ordering=("cost_micros", "net_micros", "accepted_milli"),
)
_QUARTERS: Final = Listing(ListQuery, search=("name",), ordering=("made_at", "since"))
_LINES: Final = Listing(
    SuggestionQuery, search=("agent_name", "title", "owner", "team"), ordering=("cost_micros",)
)


def _said(answer: Answer | None) -> dict[str, Any] | None:
    return None if answer is None else dict(SaidOutput(answer).data)


def _read(form: type[Input], request: Request) -> dict[str, Any]:
    given = form(data=request.data)
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)


class Standings(APIView):
    """Where the agents stand that this viewer sees inside."""

    @extend_schema(
        operation_id="worth_list", parameters=[SuggestionQuery], responses=page_of(WorthOutput)
    )
    def get(self, request: Request) -> Response:
        asked, rows = _STANDINGS.read(request), standings_for(actor_of(request))
        if "suggestion" in asked:
            rows = rows.filter(suggestion=asked["suggestion"])
        return _STANDINGS.answer(
            request, rows, lambda page: WorthOutput(page, many=True).data, asked
        )


class WorthSums(APIView):
    """What they come to."""

    @extend_schema(operation_id="worth_sums", responses=WorthSumsOutput)
    def get(self, request: Request) -> Response:
        return Response(WorthSumsOutput(sums_for(actor_of(request))).data)


class WorthOfAgent(APIView):
    """One agent's worth; putting declares what an accepted outcome of it is worth."""

    @extend_schema(operation_id="worth_of_agent", responses=WorthOfAgentOutput)
    def get(self, request: Request, name: str) -> Response:
        return Response(_of(request, name))

    @extend_schema(operation_id="worth_declare", request=ValueInput, responses=WorthOfAgentOutput)
    def put(self, request: Request, name: str) -> Response:
        actor, given = actor_of(request), _read(ValueInput, request)
        if given["value_micros"] is None:
            end_value(name, given["action"], actor=actor)
        else:
            declare_value(
                name, given["action"], given["value_micros"], actor=actor, because=given["because"]
            )
        return Response(_of(request, name))


def _of(request: Request, name: str) -> dict[str, Any]:
    agent = agent_inside_for(actor_of(request), name)
    standing: Standing | None = standing_for(agent)
    values: list[DeclaredValue] = values_of(agent)
    return {
        "standing": None if standing is None else WorthOutput(standing).data,
        "values": ValueOutput(values, many=True).data,
    }


class QuarterLists(APIView):
    """The lists there are; posting makes that of the quarter so far."""

    @extend_schema(
        operation_id="worth_lists_list", parameters=[ListQuery], responses=page_of(QuarterOutput)
    )
    def get(self, request: Request) -> Response:
        asked, rows = _QUARTERS.read(request), quarters_made(actor_of(request))
        return _QUARTERS.answer(
            request, rows, lambda page: QuarterOutput(page, many=True).data, asked
        )

    @extend_schema(operation_id="worth_lists_make", request=None, responses={201: QuarterOutput})
    def post(self, request: Request) -> Response:
        actor = actor_of(request)
        actor.require(Role.PLATFORM)
        made: Quarter = list_quarter_now(actor=actor)
        return Response(QuarterOutput(made).data, status=201)


class QuarterLines(APIView):
    """The lines of one list, as far as this viewer sees inside their agents."""

    @extend_schema(
        operation_id="worth_lists_lines", parameters=[SuggestionQuery],
        responses=page_of(ListedOutput),
    )  # fmt: skip
    def get(self, request: Request, quarter: str) -> Response:
        asked = _LINES.read(request)
        rows = listed_in(actor_of(request), quarter_named(quarter))
        if "suggestion" in asked:
            rows = rows.filter(suggestion=asked["suggestion"])
        return _LINES.answer(request, rows, lambda page: ListedOutput(page, many=True).data, asked)


class OneLine(APIView):
    """One line of a list."""

    @extend_schema(operation_id="worth_lines_read", responses=ListedOutput)
    def get(self, request: Request, line: str) -> Response:
        return Response(ListedOutput(listed_for(actor_of(request), line)).data)


class AnswerLine(APIView):
    """Accept or contest a suggestion, for an agent that one answers for."""

    @extend_schema(
        operation_id="worth_lines_answer", request=OwnersWordInput, responses=ListedOutput
    )
    def post(self, request: Request, line: str) -> Response:
        actor, given = actor_of(request), _read(OwnersWordInput, request)
        answer_suggestion(line, given["said"], actor=actor, because=given["because"])
        return Response(ListedOutput(listed_for(actor, line)).data)


class DecideLine(APIView):
    """Uphold or lift what is contested; platform, and not who contested it."""

    @extend_schema(
        operation_id="worth_lines_decide", request=LineDecisionInput, responses=ListedOutput
    )
    def post(self, request: Request, line: str) -> Response:
        actor = actor_of(request)
        actor.require(Role.PLATFORM)
        given = _read(LineDecisionInput, request)
        decide_suggestion(line, given["said"], actor=actor, because=given["because"])
        return Response(ListedOutput(listed_for(actor, line)).data)


urlpatterns = [
    path("worth", Standings.as_view(), name="worth"),
    path("worth/sums", WorthSums.as_view(), name="worth-sums"),
    path("worth/lists", QuarterLists.as_view(), name="worth-lists"),
    path("worth/lists/<str:quarter>/lines", QuarterLines.as_view(), name="worth-list-lines"),
    path("worth/lines/<str:line>", OneLine.as_view(), name="worth-line"),
    path("worth/lines/<str:line>/answer", AnswerLine.as_view(), name="worth-line-answer"),
    path("worth/lines/<str:line>/decide", DecideLine.as_view(), name="worth-line-decide"),
    path("agents/<str:name>/worth", WorthOfAgent.as_view(), name="agent-worth"),
]
