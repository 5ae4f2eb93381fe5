"""Budgets: what may be spent, asked, or open at once, by whom, in which time.

A budget's windows are moved by the gateways, in the commit of a call's intent and of its
result, and by nobody else but the sweep that concludes lost calls.
"""

from __future__ import annotations

from typing import Final

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from kernel.refs import Ref

LARGEST_CAP: Final = 2**53 - 1


def usual_thresholds() -> list[int]:
    """Give the shares of a cap, in percent, at which people are told."""
    return [50, 80, 95]


class Budget(models.Model):
    """One cap. Ended budgets stay, so that what they counted can be read."""

    class SubjectKind(models.TextChoices):
        ORGANISATION = "organisation"
        TEAM = "team"
        AGENT = "agent"
        ROUTE = "route"
        VENDOR = "vendor"

    class Measure(models.TextChoices):
        COST = "cost"  # micro-units of the currency
        REQUESTS = "requests"
        TOKENS = "tokens"  # input and output
        OPEN_CALLS = "open_calls"

    class Period(models.TextChoices):
        MONTH = "month"
        DAY = "day"
        MINUTE = "minute"
        ALWAYS = "always"  # of what is open now

    class Source(models.TextChoices):
        PEOPLE = "people"
        MANIFEST = "manifest"

    public_id = models.TextField(unique=True)  # bud_…
    subject_kind = models.TextField(choices=SubjectKind.choices)
    # agt_…, a team's slug, a route's name, ven_…; empty for the organisation.
    subject = models.TextField(blank=True, default="")
    model = models.TextField(blank=True, default="")  # as vendors spell it; empty: every model
    measure = models.TextField(choices=Measure.choices)
    period = models.TextField(choices=Period.choices)
    cap = models.BigIntegerField()
    currency = models.CharField(max_length=3, blank=True, default="")
    time_zone = models.TextField(default="UTC")  # in which days and months begin
    thresholds = ArrayField(models.PositiveSmallIntegerField(), default=usual_thresholds)
    lets_unpriced = models.BooleanField(default=False)
    source = models.TextField(choices=Source.choices, default=Source.PEOPLE)
    reason = models.TextField(blank=True, default="")
    created_by = models.TextField()
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["subject_kind", "subject", "model", "measure", "period", "source"],
                condition=Q(ended_at=None),
                name="routing_budget_one_open_per_subject",
            ),
            models.CheckConstraint(
                condition=Q(cap__gte=0, cap__lte=LARGEST_CAP), name="routing_budget_cap"
            ),
            models.CheckConstraint(
                condition=Q(measure="cost", period__in=["day", "month"])
                | Q(measure__in=["requests", "tokens"], period="minute")
                | Q(measure="open_calls", period="always"),
                name="routing_budget_period_of_measure",
            ),
            models.CheckConstraint(
                condition=Q(measure="cost", currency__regex="^[A-Z]{3}$")
                | (~Q(measure="cost") & Q(currency="")),
                name="routing_budget_currency_iff_cost",
            ),
            models.CheckConstraint(
                condition=Q(subject_kind="organisation", subject="")
                | (~Q(subject_kind="organisation") & ~Q(subject="")),
                name="routing_budget_has_subject",
            ),
        ]
        indexes = [
            models.Index(fields=["subject_kind", "subject"], name="routing_budget_subject_idx")
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def ref(self) -> Ref:
        return Ref("budget", self.public_id)


class BudgetWindow(models.Model):
    """What one budget has counted since a moment: spent for good, and held by open calls."""

    id = models.BigAutoField(primary_key=True)
    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, related_name="windows")
    starts_at = models.DateTimeField()
    spent = models.BigIntegerField(default=0, db_default=0)
    held = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["budget", "starts_at"], name="routing_budgetwindow_one_per_start"
            ),
            models.CheckConstraint(
                condition=Q(spent__gte=0, held__gte=0), name="routing_budgetwindow_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.budget_id} since {self.starts_at}"


class BudgetNotice(models.Model):
    """That a share of a cap was passed in a window: people are told of it once."""

    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, related_name="notices")
    starts_at = models.DateTimeField()
    percent = models.PositiveSmallIntegerField()
    noticed_at = models.DateTimeField()
    mailed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["budget", "starts_at", "percent"], name="routing_budgetnotice_once"
            ),
            models.CheckConstraint(
                condition=Q(mailed_at=None) | Q(mailed_at__gte=F("noticed_at")),
                name="routing_budgetnotice_noticed_first",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.budget_id} passed {self.percent}%"
