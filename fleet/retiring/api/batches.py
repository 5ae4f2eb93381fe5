"""One step for many agents over REST: laid out and looked at, begun once, followed to its end.

What the admin's pages do, in the same order: nothing happens before `begin`, and `begin` says
for how many agents, so that a selection which changed since the look is not carried out.
"""

from __future__ import annotations

from typing import Any, Final

from django.db.models import F
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fleet.retiring.actions import batches as act
from fleet.retiring.actions.bulk_steps import AGENTS, STEPS, check_asked
from fleet.retiring.errors import BatchChanged
from fleet.retiring.models import Batch, BatchItem, Retirement
from fleet.retiring.queries.batches import agents_named, batch_for, batches_for, items_of
from kernel.api import Input, Listing, ListQuery, Text, page_of
from registry.authentication import actor_of
from registry.models import Role

_OFFERED: Final = tuple(name for name, step in STEPS.items() if step.of == AGENTS)


class BatchOptions(Input):
    """What a step asks for; each takes only its own."""

    on = serializers.DateField(required=False, help_text="plan: the day from which they drain.")
    drain_minutes = serializers.IntegerField(required=False, min_value=0, max_value=7 * 24 * 60)
    successor = Text(required=False, max_length=63)
    data = serializers.ChoiceField(  # type: ignore[assignment]  # a field, not the attribute
        required=False, choices=Retirement.Data.choices
    )
    shred_after_days = serializers.IntegerField(required=False, min_value=0, max_value=3 * 365)
    owner = serializers.EmailField(required=False)
    backup = serializers.EmailField(required=False)


class BatchInput(Input):
    """A step, and the agents it is for, by name."""

    step = serializers.ChoiceField(choices=_OFFERED)
    agents = serializers.ListField(child=Text(max_length=63), min_length=1, max_length=act.MOST)
    options = BatchOptions(required=False, default=dict)


class LookInput(Input):
    """Options under which to look again."""

    options = BatchOptions(required=False, default=dict)


class BeginInput(LookInput):
    """Why, and for how many agents the look said that it would be done."""

    reason = Text(max_length=2000)
    agents = serializers.IntegerField(min_value=1)


class BatchOutput(serializers.Serializer[Any]):
    """A batch and how far it has come."""

    id = serializers.CharField(source="public_id")
    step = serializers.CharField()
    state = serializers.ChoiceField(choices=Batch.State.choices)
    total = serializers.IntegerField()
    done = serializers.IntegerField()
    refused = serializers.IntegerField()
    reason = serializers.CharField()
    options = serializers.DictField(source="asked")
    made_by = serializers.CharField(source="made_by.email")
    made_at = serializers.DateTimeField()
    begun_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class ForeseenOutput(serializers.Serializer[Any]):
    """One agent, and what its end would touch."""

    agent = serializers.CharField()
    stage = serializers.CharField()
    calls = serializers.IntegerField(help_text="In 90 days.")
    last_call_at = serializers.DateTimeField(allow_null=True)
    keys = serializers.IntegerField(help_text="That work.")
    keys_used = serializers.IntegerField(help_text="In 90 days: its callers.")
    leases = serializers.IntegerField()
    actions = serializers.IntegerField(help_text="Open ones.")
    dependants = serializers.IntegerField()
    data = serializers.CharField()  # type: ignore[assignment]


class LeftOutOutput(serializers.Serializer[Any]):
    """Agents that the step would refuse, and why."""

    why = serializers.CharField()
    count = serializers.IntegerField()
    names = serializers.ListField(child=serializers.CharField())


class LookOutput(serializers.Serializer[Any]):
    """What a batch would do now, to whom, and whom it would leave out."""

    agents = serializers.IntegerField(source="count")
    names = serializers.ListField(child=serializers.CharField(), help_text="The first 50.")
    effects = serializers.SerializerMethodField()
    each = ForeseenOutput(many=True)
    left_out = serializers.SerializerMethodField()

    def get_effects(self, seen: act.Preview) -> dict[str, int]:
        return dict(seen.effects)

    def get_left_out(self, seen: act.Preview) -> list[dict[str, Any]]:
        rows = [{"why": why, "count": count, "names": names} for why, count, names in seen.refused]
        return [dict(LeftOutOutput(row).data) for row in rows]


class LookedAtOutput(BatchOutput):
    """A batch with what it would do, while it is not begun."""

    look = LookOutput(allow_null=True)


class BatchItemOutput(serializers.Serializer[Any]):
    """What became of one agent."""

    agent = serializers.CharField(source="agent_name")
    state = serializers.ChoiceField(choices=BatchItem.State.choices)
    detail = serializers.CharField()
    ended_at = serializers.DateTimeField(allow_null=True)


class BatchesQuery(ListQuery):
    """The filters of the list."""

    state = serializers.ChoiceField(choices=Batch.State.choices, required=False)


class ItemsQuery(ListQuery):
    """The filters of what became of each."""

    state = serializers.ChoiceField(choices=BatchItem.State.choices, required=False)


_LISTED: Final = Listing(BatchesQuery, search=("step", "made_by__email"), ordering=("made_at",))
_ITEMS: Final = Listing(ItemsQuery, search=("agent_name",), ordering=("agent_name", "ended_at"))


def _read(form: type[Input], request: Request) -> dict[str, Any]:
    given = form(data=request.data)
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)


def _asked(batch_step: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options as they are kept. Raises ValidationError for one of another step."""
    fields = STEPS[batch_step].fields
    if foreign := sorted(name for name in options if name not in fields):
        takes = ", ".join(fields) or "no options"
        raise serializers.ValidationError(
            {"options": [f"{', '.join(foreign)}: the step {batch_step} takes {takes}."]}
        )
    return {
        name: value.isoformat() if hasattr(value, "isoformat") else value
        for name, value in options.items()
    }


def _looked_at(batch: Batch, asked: dict[str, Any] | None) -> dict[str, Any]:
    told = dict(BatchOutput(batch).data)
    look = None if asked is None else LookOutput(act.preview_of(batch, asked)).data
    return told | {"look": look}


class Batches(APIView):
    """The batches there are, and the way to lay one out."""

    @extend_schema(
        operation_id="agent_batches_list", parameters=[BatchesQuery], responses=page_of(BatchOutput)
    )
    def get(self, request: Request) -> Response:
        asked, rows = _LISTED.read(request), batches_for(actor_of(request))
        if "state" in asked:
            rows = rows.filter(state=asked["state"])
        return _LISTED.answer(request, rows, lambda page: BatchOutput(page, many=True).data, asked)

    @extend_schema(
        operation_id="agent_batches_open", request=BatchInput, responses={201: LookedAtOutput}
    )
    def post(self, request: Request) -> Response:
        actor = actor_of(request)
        actor.require(Role.PLATFORM)
        given = _read(BatchInput, request)
        asked = _asked(given["step"], given["options"])
        check_asked(STEPS[given["step"]], asked)
        made = act.open_batch(given["step"], agents_named(given["agents"]), actor=actor)
        batch = batch_for(actor, made.public_id)
        return Response(_looked_at(batch, asked), status=201)


class OneBatch(APIView):
    """One batch and how far it has come; deleting it lets it be, before it is begun."""

    @extend_schema(operation_id="agent_batches_read", responses=BatchOutput)
    def get(self, request: Request, batch: str) -> Response:
        return Response(BatchOutput(batch_for(actor_of(request), batch)).data)

    @extend_schema(operation_id="agent_batches_drop", request=None, responses=BatchOutput)
    def delete(self, request: Request, batch: str) -> Response:
        return Response(BatchOutput(act.drop_batch(batch, actor=actor_of(request))).data)


class LookAtBatch(APIView):
    """Look at what a batch would do, under these options, now."""

    @extend_schema(operation_id="agent_batches_look", request=LookInput, responses=LookedAtOutput)
    def post(self, request: Request, batch: str) -> Response:
        actor = actor_of(request)
        actor.require(Role.PLATFORM)
        row = batch_for(actor, batch)
        return Response(_looked_at(row, _asked(row.step, _read(LookInput, request)["options"])))


class BeginBatch(APIView):
    """Begin a batch; the worker carries it out, agent by agent."""

    @extend_schema(
        operation_id="agent_batches_begin", request=BeginInput, responses={202: BatchOutput}
    )
    def post(self, request: Request, batch: str) -> Response:
        actor = actor_of(request)
        actor.require(Role.PLATFORM)
        given, row = _read(BeginInput, request), batch_for(actor, batch)
        asked = _asked(row.step, given["options"])
        seen = act.preview_of(row, asked).count
        if row.state == Batch.State.PREVIEW and seen != given["agents"]:
            raise BatchChanged(f"It would be done to {seen} agents. Look again.", agents=seen)
        begun = act.begin_batch(batch, actor=actor, reason=given["reason"], asked=asked)
        if begun.total <= act.AT_ONCE:
            act.carry_out(begun)
        return Response(BatchOutput(batch_for(actor, batch)).data, status=202)


class BatchItems(APIView):
    """What became of each agent of a batch."""

    @extend_schema(
        operation_id="agent_batches_items", parameters=[ItemsQuery],
        responses=page_of(BatchItemOutput),
    )  # fmt: skip
    def get(self, request: Request, batch: str) -> Response:
        asked = _ITEMS.read(request)
        rows = items_of(batch_for(actor_of(request), batch)).annotate(public_id=F("agent_id"))
        if "state" in asked:
            rows = rows.filter(state=asked["state"])
        return _ITEMS.answer(
            request, rows, lambda page: BatchItemOutput(page, many=True).data, asked
        )


_ONE: Final = "agent-batches/<str:batch>"
urlpatterns = [
    path("agent-batches", Batches.as_view(), name="agent-batches"),
    path(_ONE, OneBatch.as_view(), name="agent-batch"),
    path(f"{_ONE}/look", LookAtBatch.as_view(), name="agent-batch-look"),
    path(f"{_ONE}/begin", BeginBatch.as_view(), name="agent-batch-begin"),
    path(f"{_ONE}/items", BatchItems.as_view(), name="agent-batch-items"),
]
