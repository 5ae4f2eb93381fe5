"""Moves over REST: what their owners decide, and what the platform team does."""

from __future__ import annotations

from typing import Any, Final

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fleet.campaigns.actions.adapting import say_adapted
from fleet.campaigns.actions.advancing import begin_moves
from fleet.campaigns.actions.choosing import (
    answer_contest,
    choose_candidate,
    contest_move,
    evaluate_again,
)
from fleet.campaigns.actions.resuming import pause_move, resume_move
from fleet.campaigns.actions.ruling import set_fallback
from fleet.campaigns.api.outputs import MoveOutput
from fleet.campaigns.errors import MoveNotFound
from fleet.campaigns.models import Move
from fleet.campaigns.queries.campaigns import campaign_for, move_for, moves_for
from fleet.campaigns.queries.glance import NEEDS, narrowed
from kernel.api import Input, Listing, ListQuery, Text, page_of
from registry.actors import Actor
from registry.authentication import actor_of


class MovesQuery(ListQuery):
    """The query of the list of moves."""

    state = serializers.ChoiceField(choices=Move.State.choices, required=False)
    need = serializers.ChoiceField(choices=list(NEEDS), required=False)
    agent = Text(required=False, max_length=80)


class ChooseInput(Input):
    """Where the agent moves to."""

    model = Text(max_length=80, help_text="mod_…")


class FallbackInput(Input):
    """What happens at the deadline; null: as the campaign says."""

    rule = serializers.ChoiceField(choices=["pause", "move"], allow_null=True)
    to = Text(required=False, max_length=80, help_text="mod_…, where the rule is to move")


class ContestInput(Input):
    """Why the move is wrong."""

    reason = Text(max_length=2000)


class BeginMoveInput(Input):
    """Why a cutover begins all the same where nothing has passed; of the platform team alone."""

    override_reason = Text(required=False, max_length=2000, allow_blank=True)


class AnswerInput(ContestInput):
    """The platform team's answer to an objection."""

    is_right = serializers.BooleanField(help_text="true: the move is not needed")


_MOVES: Final = Listing(
    MovesQuery,
    search=("public_id", "agent__name", "agent__title", "agent__owner__email"),
    ordering=("cost_micros", "calls", "joined_at"),
)


class Moves(APIView):
    """The moves of a campaign that the caller may see."""

    @extend_schema(
        operation_id="moves_list", parameters=[MovesQuery], responses=page_of(MoveOutput)
    )
    def get(self, request: Request, campaign: str) -> Response:
        actor, asked = actor_of(request), _MOVES.read(request)
        found = campaign_for(actor, campaign)
        rows = narrowed(moves_for(actor, found), found, actor, need=asked.get("need", ""))
        if "state" in asked:
            rows = rows.filter(state=asked["state"])
        if "agent" in asked:
            rows = rows.filter(agent__name=asked["agent"])
        return _MOVES.answer(request, rows, lambda page: MoveOutput(page, many=True).data, asked)


class Choose(APIView):
    """Choose where an agent moves to; its evaluation begins."""

    @extend_schema(operation_id="move_choose", request=ChooseInput, responses=MoveOutput)
    def post(self, request: Request, campaign: str, move: str) -> Response:
        actor, said = actor_of(request), _read(ChooseInput, request)
        row = _move(actor, campaign, move)
        choose_candidate(row, said["model"], actor=actor)
        return Response(MoveOutput(_move(actor, campaign, move)).data)


class Fallback(APIView):
    """Say what happens at the deadline."""

    @extend_schema(operation_id="move_fallback", request=FallbackInput, responses=MoveOutput)
    def post(self, request: Request, campaign: str, move: str) -> Response:
        actor, said = actor_of(request), _read(FallbackInput, request)
        row = _move(actor, campaign, move)
        rule = None if said["rule"] is None else dict(said)
        set_fallback(row, rule, actor=actor)
        return Response(MoveOutput(_move(actor, campaign, move)).data)


class Contest(APIView):
    """Say that a move is wrong."""

    @extend_schema(operation_id="move_contest", request=ContestInput, responses=MoveOutput)
    def post(self, request: Request, campaign: str, move: str) -> Response:
        actor, said = actor_of(request), _read(ContestInput, request)
        row = _move(actor, campaign, move)
        contest_move(row, said["reason"], actor=actor)
        return Response(MoveOutput(_move(actor, campaign, move)).data)


class Evaluate(APIView):
    """Evaluate again what was chosen."""

    @extend_schema(operation_id="move_evaluate", request=None, responses=MoveOutput)
    def post(self, request: Request, campaign: str, move: str) -> Response:
        actor = actor_of(request)
        evaluate_again(_move(actor, campaign, move), actor=actor)
        return Response(MoveOutput(_move(actor, campaign, move)).data)


class Begin(APIView):
    """Begin the cutover of a move that is ready."""

    @extend_schema(operation_id="move_begin", request=BeginMoveInput, responses=MoveOutput)
    def post(self, request: Request, campaign: str, move: str) -> Response:
        actor, said = actor_of(request), _read(BeginMoveInput, request)
        why = said.get("override_reason", "")
        begin_moves([_move(actor, campaign, move)], actor=actor, override_reason=why)
        return Response(MoveOutput(_move(actor, campaign, move)).data)


class Adapt(APIView):
    """Say that an agent was adapted to what changed, and stays."""

    @extend_schema(operation_id="move_adapt", request=ContestInput, responses=MoveOutput)
    def post(self, request: Request, campaign: str, move: str) -> Response:
        actor, said = actor_of(request), _read(ContestInput, request)
        say_adapted(_move(actor, campaign, move), said["reason"], actor=actor)
        return Response(MoveOutput(_move(actor, campaign, move)).data)


class Answer(APIView):
    """Answer an objection."""

    @extend_schema(operation_id="move_answer", request=AnswerInput, responses=MoveOutput)
    def post(self, request: Request, campaign: str, move: str) -> Response:
        actor, said = actor_of(request), _read(AnswerInput, request)
        row = _move(actor, campaign, move)
        answer_contest(row, said["reason"], is_right=said["is_right"], actor=actor)
        return Response(MoveOutput(_move(actor, campaign, move)).data)


class Pause(APIView):
    """Pause an agent's calls to the model now."""

    @extend_schema(operation_id="move_pause", request=ContestInput, responses=MoveOutput)
    def post(self, request: Request, campaign: str, move: str) -> Response:
        actor, said = actor_of(request), _read(ContestInput, request)
        pause_move(_move(actor, campaign, move), said["reason"], actor=actor)
        return Response(MoveOutput(_move(actor, campaign, move)).data)


class Resume(APIView):
    """Let a paused agent call the model again."""

    @extend_schema(operation_id="move_resume", request=ContestInput, responses=MoveOutput)
    def post(self, request: Request, campaign: str, move: str) -> Response:
        actor, said = actor_of(request), _read(ContestInput, request)
        resume_move(_move(actor, campaign, move), said["reason"], actor=actor)
        return Response(MoveOutput(_move(actor, campaign, move)).data)


def _read(shape: type[Input], request: Request) -> dict[str, Any]:
    read = shape(data=request.data)
    read.is_valid(raise_exception=True)
    said: dict[str, Any] = read.validated_data
    return said


def _move(actor: Actor, campaign: str, move: str) -> Move:
    row = move_for(actor, move)
    if row.campaign.public_id != campaign:
        raise MoveNotFound
    return row


_ONE: Final = "campaigns/<str:campaign>/moves/<str:move>"
urlpatterns = [
    path("campaigns/<str:campaign>/moves", Moves.as_view(), name="moves"),
    path(f"{_ONE}/choose", Choose.as_view(), name="move-choose"),
    path(f"{_ONE}/evaluate", Evaluate.as_view(), name="move-evaluate"),
    path(f"{_ONE}/begin", Begin.as_view(), name="move-begin"),
    path(f"{_ONE}/fallback", Fallback.as_view(), name="move-fallback"),
    path(f"{_ONE}/contest", Contest.as_view(), name="move-contest"),
    path(f"{_ONE}/adapt", Adapt.as_view(), name="move-adapt"),
    path(f"{_ONE}/answer", Answer.as_view(), name="move-answer"),
    path(f"{_ONE}/pause", Pause.as_view(), name="move-pause"),
    path(f"{_ONE}/resume", Resume.as_view(), name="move-resume"),
]
