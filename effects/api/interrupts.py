"""Interrupts over REST: a graph hands its question in, and is given what resumes it."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from effects.interrupts.answering import answer_of
from effects.interrupts.asking import Stopped, ask_for_graph, interrupt_for
from effects.waiting import LONGEST, wait_for
from kernel.api import Input, Text
from registry.authentication import AgentKeyAuthentication, actor_of

_LONGEST_TAKER: Final = 120
_SAY_WHO: Final = "Say who resumes the graph, such as its thread id: the answer is for one taker."


class InterruptInput(Input):
    """A graph's interrupt as it is, and the connection whose operations its tools are."""

    id = Text(max_length=120, help_text="The interrupt's id in the graph.")
    value = serializers.DictField(help_text="HITLRequest, or tool_approval in per-call mode.")
    response_schema = serializers.JSONField(required=False, allow_null=True)
    connection = Text(max_length=63, help_text="Where the tools are declared as operations.")
    run = Text(required=False, allow_blank=True, default="", max_length=200)


class AnswerQuery(Input):
    """How long to wait, and for whom."""

    wait = serializers.IntegerField(required=False, default=0, min_value=0, max_value=LONGEST)
    taker = Text(
        max_length=_LONGEST_TAKER,
        error_messages=dict.fromkeys(("required", "blank"), _SAY_WHO),
        help_text="Who resumes the graph, such as its thread id; the answer is for one taker.",
    )  # fmt: skip


class InterruptOutput(serializers.Serializer[Any]):
    """How an interrupt stands; the answer is there once every call is decided."""

    id = serializers.CharField()
    state = serializers.ChoiceField(choices=["waiting", "decided"])
    proposals = serializers.ListField(child=serializers.DictField())
    taken_at = serializers.DateTimeField(allow_null=True)
    decisions = serializers.ListField(child=serializers.DictField(), required=False)
    resume = serializers.DictField(required=False, help_text="For Command(resume=…).")


class InterruptMade(serializers.Serializer[Any]):
    """The interrupt's id here, under which its answer is asked for."""

    id = serializers.CharField()
    answer_url = serializers.CharField()


class Interrupts(APIView):
    """Where graphs ask."""

    authentication_classes = (AgentKeyAuthentication,)

    @extend_schema(
        operation_id="interrupts_make",
        request=InterruptInput,
        responses={202: InterruptMade},
        auth=["agentKey"],
    )
    def post(self, request: Request) -> Response:
        """Hand an interrupt in. Handing the same in again is the same interrupt."""
        read = InterruptInput(data=request.data)
        read.is_valid(raise_exception=True)
        asked = read.validated_data
        sent: Any = request.data
        stopped = Stopped(
            graph_id=asked["id"],
            # As it came: a reader of fields would make other values of arguments.
            value=sent["value"],
            response_schema=sent.get("response_schema"),
            connection=asked["connection"],
            run=asked["run"],
        )
        key: Any = request.auth
        made = ask_for_graph(stopped, key=key, actor=actor_of(request))
        url = f"{settings.PUBLIC_URL}/api/v1/interrupts/{made.public_id}"
        return Response({"id": made.public_id, "answer_url": url}, status=202)


class OneInterrupt(APIView):
    """One interrupt of the agent that asks."""

    authentication_classes = (AgentKeyAuthentication,)

    @extend_schema(
        operation_id="interrupt_answer",
        parameters=[AnswerQuery],
        responses=InterruptOutput,
        auth=["agentKey"],
    )
    def get(self, request: Request, interrupt: str) -> Response:
        """Return the answer once it is there; ``wait`` seconds at most."""
        query = AnswerQuery(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        asked, actor = query.validated_data, actor_of(request)
        found = interrupt_for(actor, interrupt)

        def look() -> tuple[dict[str, Any], bool]:
            answer = answer_of(found, taker=asked["taker"], actor=actor)
            return answer, answer["state"] == "decided"

        return Response(wait_for(look, asked["wait"]))


urlpatterns = [
    path("interrupts", Interrupts.as_view(), name="interrupts"),
    path("interrupts/<str:interrupt>", OneInterrupt.as_view(), name="interrupt"),
]
