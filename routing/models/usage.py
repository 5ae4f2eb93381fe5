"""Sums of calls that charts and lists read: each call is counted into them once.

A call counts where it was answered, or where it failed last; what its other attempts and
its shadow cost counts where they were made.
"""

from __future__ import annotations

from typing import Final

from django.db import models
from django.db.models import Q

from registry.models import Agent

SUMS: Final = (
    "calls", "errors", "denied", "input_tokens", "output_tokens",
    "cost_micros", "unpriced_calls", "duration_ms",
)  # fmt: skip


class UsageSums(models.Model):
    """What calls come to; of which calls, the tables say."""

    calls = models.BigIntegerField(default=0)
    errors = models.BigIntegerField(default=0)
    denied = models.BigIntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    cost_micros = models.BigIntegerField(default=0)
    unpriced_calls = models.BigIntegerField(default=0)
    duration_ms = models.BigIntegerField(default=0)

    class Meta:
        abstract = True


class UsageDay(UsageSums):
    """Calls, tokens and cost of one agent on one route and model in one UTC day."""

    day = models.DateField()
    agent_id = models.TextField()
    route = models.TextField()
    vendor = models.TextField()
    model = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["day", "agent_id", "route", "vendor", "model"],
                name="routing_usageday_one_per_key",
            )
        ]
        indexes = [
            models.Index(fields=["agent_id", "day"], name="routing_usageday_agent_idx"),
            models.Index(
                fields=["day", "agent_id"],
                condition=Q(errors__gt=0),
                name="routing_usageday_errors_idx",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.agent_id}"


class UsageTotal(UsageSums):
    """Calls, tokens and cost of everybody in one UTC day: what a chart of the fleet reads."""

    day = models.DateField(primary_key=True)

    def __str__(self) -> str:
        return str(self.day)


class UsageMonth(UsageSums):
    """Calls, tokens and cost of one agent in one calendar month (UTC): who costs most."""

    month = models.DateField()  # its first day
    agent_id = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["month", "agent_id"], name="routing_usagemonth_one_per_agent"
            )
        ]
        indexes = [
            models.Index(fields=["month", "-cost_micros"], name="routing_usagemonth_cost_idx")
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.agent_id}"


class UsageRoute(UsageSums):
    """What one route asked of one model in one UTC day, whoever called it."""

    day = models.DateField()
    route = models.TextField()
    vendor = models.TextField()
    model = models.TextField()
    attempts = models.BigIntegerField(default=0)  # sent there, whoever answered; shadows too

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["day", "route", "vendor", "model"], name="routing_usageroute_one_per_key"
            )
        ]
        indexes = [models.Index(fields=["route", "day"], name="routing_usageroute_route_idx")]

    def __str__(self) -> str:
        return f"{self.day} {self.route}"


class UsageOwn(UsageSums):
    """What the platform's own calls came to in one UTC day, by what they were made for.

    They are in no other sum of use: a budget still counts them, for they cost money.
    """

    class Purpose(models.TextChoices):
        GOLDEN = "gld", "Golden cases"
        EVALUATION = "evl", "Evaluations"
        REEVALUATION = "ree", "Runs asked again"

    day = models.DateField()
    purpose = models.TextField()  # how the id begins of what they were made for
    agent_id = models.TextField()
    route = models.TextField()
    vendor = models.TextField()
    model = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["day", "purpose", "agent_id", "route", "vendor", "model"],
                name="routing_usageown_one_per_key",
            )
        ]
        indexes = [models.Index(fields=["agent_id", "day"], name="routing_usageown_agent_idx")]

    def __str__(self) -> str:
        return f"{self.day} {self.purpose} {self.agent_id}"


class UsageFallback(models.Model):
    """How often calls of a route went on from one model in one UTC day, and after what.

    Without a model: the first target was left alone, and it was not sent anything.
    """

    day = models.DateField()
    route = models.TextField()
    vendor = models.TextField()
    model = models.TextField()
    reason = models.TextField()
    calls = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["route", "day", "vendor", "model", "reason"],
                name="routing_usagefallback_one_per_key",
            )
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.route} {self.reason}"


class UsageRecent(models.Model):
    """What one agent called, failed and cost lately, as of the day the mark names: lists read it.

    An agent that did nothing lately has no row.
    """

    CALLS_DAYS: Final = 7
    COST_DAYS: Final = 30

    # Counted for whoever called; that the agent is still there is not this table's to say.
    agent = models.OneToOneField(
        Agent,
        primary_key=True,
        to_field="public_id",
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="recent",
    )
    calls_week = models.BigIntegerField(default=0)
    errors_week = models.BigIntegerField(default=0)
    cost_month = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.agent_id)


class ModelUse(models.Model):
    """That an agent called a model, by which route and way, and when last: whom its end touches.

    What a vendor says answered is a use too: of a version behind the name that was called, or of
    another model altogether.
    """

    class Way(models.TextChoices):
        NAME = "name"  # the agent said the model's own name
        ALIAS = "alias"  # a further name, of the route's or of the vendor's
        ROUTE = "route"
        FALLBACK = "fallback"  # after another that did not serve
        SHADOW = "shadow"  # beside the one that served, for comparison
        SUBSTITUTION = "substitution"  # the vendor says that it answered instead

    agent_id = models.TextField()
    route = models.TextField()
    vendor = models.TextField()
    model = models.TextField()
    way = models.TextField(choices=Way.choices, default=Way.ROUTE, db_default=Way.ROUTE.value)
    calls = models.BigIntegerField(default=0)
    first_called_at = models.DateTimeField()
    last_called_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent_id", "route", "vendor", "model", "way"],
                name="routing_modeluse_one_per_key",
            )
        ]
        indexes = [
            models.Index(
                fields=["vendor", "model", "-last_called_at"], name="routing_modeluse_model_idx"
            )
        ]

    def __str__(self) -> str:
        return f"{self.agent_id} calls {self.vendor}/{self.model}"


class UsageMark(models.Model):
    """How far calls have been counted into days: every call below (xid, id) is in.

    ``recent_on`` is the day whose last days `UsageRecent` sums; on another day it is out of date.
    """

    name = models.TextField(primary_key=True)
    xid = models.BigIntegerField(default=0)
    call_id = models.BigIntegerField(default=0)
    counted_at = models.DateTimeField()
    recent_on = models.DateField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name
