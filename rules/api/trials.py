"""Trials over REST: asked for, watched, read, fetched as a table, cancelled."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpResponseBase
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from kernel.api import Input, Listing, ListQuery, Text, page_of
from registry.authentication import actor_of
from rules.actions.trying import MOST_DAYS, USUAL_DAYS, ask_trial, cancel_trial
from rules.models import Question, Trial
from rules.queries.trials import changes_of, trial_for, trials_of, tried_bundle
from rules.serving import table_of

CHANGED: Final = [
    (found, label)
    for found, label in Question.Found.choices
    if found in {"looser", "stricter", "otherwise", "no_answer"}
]


class TrialInput(Input):
    """On how many days back from now a bundle is tried."""

    days = serializers.IntegerField(
        required=False, min_value=1, max_value=MOST_DAYS, default=USUAL_DAYS
    )


class TrialOutput(serializers.Serializer[Any]):
    """A trial and how far it is. ``counts`` are of decisions, and there once it has ended."""

    id = serializers.CharField(source="public_id")
    policy = serializers.CharField(source="bundle.public_id")
    bundle = serializers.CharField(source="bundle.digest")
    days = serializers.IntegerField()
    state = serializers.CharField()
    percent = serializers.IntegerField()
    asked_by = serializers.CharField()
    asked_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    decisions = serializers.IntegerField()
    questions = serializers.IntegerField()
    judged = serializers.IntegerField()
    opens_payloads = serializers.BooleanField()
    counts = serializers.DictField(child=serializers.IntegerField())
    failure = serializers.CharField()


class ChangedDecisionOutput(serializers.Serializer[Any]):
    """Decisions of one agent that would change alike; ``constraints`` are those of an example."""

    agent = serializers.CharField(source="agent_id")
    owner = serializers.CharField()
    found = serializers.CharField()
    answer = serializers.CharField()
    rule = serializers.CharField()
    new_answer = serializers.CharField()
    new_rule = serializers.CharField()
    constraints = serializers.DictField()
    questions = serializers.IntegerField()
    decisions = serializers.IntegerField()
    first_at = serializers.DateTimeField()
    last_at = serializers.DateTimeField()
    entry = serializers.CharField(source="entry_id")


class TrialsQuery(ListQuery):
    """The filters of the list of trials."""

    state = serializers.ChoiceField(choices=Trial.State.choices, required=False)


class ChangesQuery(ListQuery):
    """The filters of the list of changes."""

    agent = Text(max_length=200, required=False)
    owner = Text(max_length=200, required=False)
    rule = Text(max_length=120, required=False)
    found = serializers.ChoiceField(choices=CHANGED, required=False)


_TRIALS: Final = Listing(TrialsQuery, search=("failure",), ordering=("asked_at",))
_CHANGES: Final = Listing(
    ChangesQuery, search=("rule", "new_rule", "agent_id"), ordering=("decisions", "last_at")
)


class Trials(APIView):
    """The trials of a bundle, and the way to ask for one."""

    @extend_schema(
        operation_id="policy_trials_list", parameters=[TrialsQuery], responses=page_of(TrialOutput)
    )
    def get(self, request: Request, policy: str) -> Response:
        asked, rows = _TRIALS.read(request), trials_of(actor_of(request), policy)
        if "state" in asked:
            rows = rows.filter(state=asked["state"])
        return _TRIALS.answer(request, rows, lambda page: TrialOutput(page, many=True).data, asked)

    @extend_schema(
        operation_id="policy_trials_ask", request=TrialInput, responses={202: TrialOutput}
    )
    def post(self, request: Request, policy: str) -> Response:
        """Have the bundle tried; the worker does it, and the answer says where to look."""
        actor, read = actor_of(request), TrialInput(data=request.data)
        bundle = tried_bundle(actor, policy)
        read.is_valid(raise_exception=True)
        trial = ask_trial(bundle, actor=actor, days=read.validated_data["days"])
        location = {"Location": f"/api/v1/policies/{policy}/trials/{trial.public_id}"}
        return Response(TrialOutput(trial).data, status=202, headers=location)


class OneTrial(APIView):
    """One trial; deleting it cancels it."""

    @extend_schema(operation_id="policy_trials_read", responses=TrialOutput)
    def get(self, request: Request, policy: str, trial: str) -> Response:
        return Response(TrialOutput(trial_for(actor_of(request), trial, policy)).data)

    @extend_schema(operation_id="policy_trials_cancel", request=None, responses=TrialOutput)
    def delete(self, request: Request, policy: str, trial: str) -> Response:
        actor = actor_of(request)
        found = cancel_trial(trial_for(actor, trial, policy), actor=actor)
        return Response(TrialOutput(found).data)


class TrialChanges(APIView):
    """What a trial would change, by agent and owner: complete, the most decisions first."""

    @extend_schema(
        operation_id="policy_trials_changes",
        parameters=[ChangesQuery],
        responses=page_of(ChangedDecisionOutput),
    )
    def get(self, request: Request, policy: str, trial: str) -> Response:
        found = trial_for(actor_of(request), trial, policy)
        asked = _CHANGES.read(request)
        rows = changes_of(found, asked)
        return _CHANGES.answer(
            request, rows, lambda page: ChangedDecisionOutput(page, many=True).data, asked
        )


class TrialTable(APIView):
    """The changed questions that are kept, as CSV."""

    @extend_schema(operation_id="policy_trials_table", responses={(200, "text/csv"): bytes})
    def get(self, request: Request, policy: str, trial: str) -> HttpResponseBase:
        return table_of(trial_for(actor_of(request), trial, policy))


urlpatterns = [
    path("policies/<str:policy>/trials", Trials.as_view(), name="policy-trials"),
    path("policies/<str:policy>/trials/<str:trial>", OneTrial.as_view(), name="policy-trial"),
    path(
        "policies/<str:policy>/trials/<str:trial>/changes",
        TrialChanges.as_view(),
        name="policy-trial-changes",
    ),
    path(
        "policies/<str:policy>/trials/<str:trial>/file",
        TrialTable.as_view(),
        name="policy-trial-file",
    ),
]
