"""Budgets over REST: set, change, end, how each stands, and what one would have stopped."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from kernel.api import Input, Listing, ListQuery, Text, page_of
from registry.authentication import actor_of
from routing.actions import budgets as act
from routing.api.bodies import said
from routing.budgeting import BudgetDraft
from routing.models import Budget
from routing.models.budget import LARGEST_CAP
from routing.queries.budgets import (
    Standing,
    budget_for,
    budgets_for,
    standing,
    standings,
    would_have_stopped,
)

_BUDGETS: Final = Listing(ListQuery, search=("subject", "model"), ordering=("created_at",))


class BudgetInput(Input):
    """A budget: whose, of what, how much."""

    subject_kind = serializers.ChoiceField(choices=Budget.SubjectKind.values)
    subject = Text(max_length=200, required=False, allow_blank=True, default="")
    model = Text(max_length=200, required=False, allow_blank=True, default="")
    measure = serializers.ChoiceField(choices=Budget.Measure.values)
    period = Text(max_length=10, required=False, allow_blank=True, default="")
    cap = serializers.IntegerField(
        min_value=0, max_value=LARGEST_CAP,
        help_text="Micro-units of the currency for cost; a number of requests, tokens or calls.",
    )  # fmt: skip
    currency = Text(max_length=3, required=False, allow_blank=True, default="")
    thresholds = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=100), required=False, max_length=10
    )
    lets_unpriced = serializers.BooleanField(required=False, default=False)
    reason = Text(max_length=500, required=False, allow_blank=True, default="")


class BudgetChange(Input):
    """What may change of a budget."""

    cap = serializers.IntegerField(min_value=0, max_value=LARGEST_CAP, required=False)
    thresholds = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=100), required=False, max_length=10
    )
    lets_unpriced = serializers.BooleanField(required=False)
    reason = Text(max_length=500, required=False, allow_blank=True)


class BudgetOutput(serializers.Serializer[Any]):
    """A budget and how it stands in its present window."""

    id = serializers.CharField(source="budget.public_id")
    subject_kind = serializers.CharField(source="budget.subject_kind")
    subject = serializers.CharField(source="budget.subject")
    name = serializers.CharField()
    model = serializers.CharField(source="budget.model")
    measure = serializers.CharField(source="budget.measure")
    period = serializers.CharField(source="budget.period")
    cap = serializers.IntegerField(source="budget.cap")
    currency = serializers.CharField(source="budget.currency")
    time_zone = serializers.CharField(source="budget.time_zone")
    thresholds = serializers.ListField(source="budget.thresholds", child=serializers.IntegerField())
    lets_unpriced = serializers.BooleanField(source="budget.lets_unpriced")
    source = serializers.CharField(source="budget.source")  # type: ignore[assignment]
    spent = serializers.IntegerField()
    held = serializers.IntegerField()
    left = serializers.IntegerField()
    forecast = serializers.IntegerField(allow_null=True)
    window_starts_at = serializers.DateTimeField(source="span.starts_at")
    window_ends_at = serializers.DateTimeField(source="span.ends_at", allow_null=True)


class PreviewOutput(serializers.Serializer[Any]):
    """What a budget like this would have done."""

    would_have_stopped = serializers.IntegerField(allow_null=True)
    days = serializers.IntegerField()


class Budgets(APIView):
    """Every budget that holds."""

    @extend_schema(
        operation_id="budgets_list", parameters=[ListQuery], responses=page_of(BudgetOutput)
    )
    def get(self, request: Request) -> Response:
        asked = _BUDGETS.read(request)
        rows = budgets_for(actor_of(request))
        return _BUDGETS.answer(request, rows, _shown_all, asked)

    @extend_schema(request=BudgetInput, responses={201: BudgetOutput})
    def post(self, request: Request) -> Response:
        draft = BudgetDraft(**said(BudgetInput, request))
        budget = act.set_budget(draft, actor=actor_of(request))
        return Response(_shown(standing(budget)), status=201)


class Preview(APIView):
    """What a budget would have stopped, before it is set."""

    @extend_schema(request=BudgetInput, responses=PreviewOutput)
    def post(self, request: Request) -> Response:
        actor_of(request).require(*act.SETTING)
        draft = act.checked(BudgetDraft(**said(BudgetInput, request)))
        stopped = would_have_stopped(draft, settings.BUDGET_TIME_ZONE)
        return Response({"would_have_stopped": stopped, "days": 30})


class OneBudget(APIView):
    """One budget: read it, change it, end it."""

    @extend_schema(responses=BudgetOutput)
    def get(self, request: Request, budget: str) -> Response:
        return Response(_shown(standing(budget_for(actor_of(request), budget))))

    @extend_schema(request=BudgetChange, responses=BudgetOutput)
    def put(self, request: Request, budget: str) -> Response:
        changed = act.change_budget(budget, said(BudgetChange, request), actor=actor_of(request))
        return Response(_shown(standing(changed)))

    @extend_schema(responses={204: None}, description="Ends the budget; what it counted stays.")
    def delete(self, request: Request, budget: str) -> Response:
        act.end_budget(budget, actor=actor_of(request), reason="ended over the API")
        return Response(status=204)


def _shown(found: Standing) -> dict[str, Any]:
    return dict(BudgetOutput(found).data)


def _shown_all(page: Any) -> list[dict[str, Any]]:
    return [_shown(each) for each in standings(page)]


urlpatterns = [
    path("budgets", Budgets.as_view(), name="budgets"),
    path("budgets/preview", Preview.as_view(), name="budget-preview"),
    path("budgets/<str:budget>", OneBudget.as_view(), name="budget"),
]
