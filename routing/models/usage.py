"""Runs and calls as pages and charts read them. The ledger is the evidence; these are its index."""

from __future__ import annotations

from typing import Final

from django.db import models
from django.db.models import Q
from django.db.models.expressions import RawSQL

from ledger.models import Xid8Field
from registry.models import Agent


class Run(models.Model):
    """One unit of an agent's work. A label is the agent's own name for it."""

    run_id = models.TextField(primary_key=True)  # run_…
    agent_id = models.TextField()  # agt_…
    label = models.TextField()
    started_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agent_id", "label"], name="routing_run_one_per_label")
        ]
        indexes = [
            models.Index(fields=["-started_at"], name="routing_run_started_idx"),
            models.Index(fields=["agent_id", "-started_at"], name="routing_run_agent_idx"),
        ]

    def __str__(self) -> str:
        return self.run_id


class Call(models.Model):
    """One governed call, written in the commit of its result."""

    class Status(models.TextChoices):
        OK = "ok"
        ERROR = "error"
        DENIED = "denied"
        INCOMPLETE = "incomplete"
        CANCELLED = "cancelled"
        UNKNOWN = "unknown"

    id = models.BigAutoField(primary_key=True)
    xid = Xid8Field(db_default=RawSQL("pg_current_xact_id()", ()), editable=False)
    intent_id = models.TextField(unique=True)  # ent_… of the intent, or of the denial
    run_id = models.TextField()
    agent_id = models.TextField()
    key_id = models.TextField(blank=True, default="")
    route = models.TextField()
    requested_model = models.TextField()
    vendor = models.TextField(blank=True, default="")
    model = models.TextField(blank=True, default="")  # the target that served
    reported_model = models.TextField(blank=True, default="")  # what the vendor said it was
    status = models.TextField(choices=Status.choices)
    http_status = models.PositiveSmallIntegerField(default=0)
    error_code = models.TextField(blank=True, default="")
    streamed = models.BooleanField(default=False)
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    cached_tokens = models.BigIntegerField(default=0)
    usage_estimated = models.BooleanField(default=False)
    cost_micros = models.BigIntegerField(null=True, blank=True)  # null: the price is unknown
    currency = models.CharField(max_length=3, default="USD")
    started_at = models.DateTimeField()
    first_byte_ms = models.PositiveIntegerField(null=True, blank=True)
    duration_ms = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(input_tokens__gte=0, output_tokens__gte=0), name="routing_call_tokens"
            )
        ]
        indexes = [
            models.Index(fields=["agent_id", "-started_at"], name="routing_call_agent_idx"),
            models.Index(fields=["run_id", "started_at"], name="routing_call_run_idx"),
            models.Index(fields=["-started_at"], name="routing_call_started_idx"),
            models.Index(fields=["xid", "id"], name="routing_call_sequence_idx"),
        ]

    def __str__(self) -> str:
        return self.intent_id


class UsageDay(models.Model):
    """Calls, tokens and cost of one agent on one route and model in one UTC day."""

    day = models.DateField()
    agent_id = models.TextField()
    route = models.TextField()
    vendor = models.TextField()
    model = models.TextField()
    calls = models.BigIntegerField(default=0)
    errors = models.BigIntegerField(default=0)
    denied = models.BigIntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    cost_micros = models.BigIntegerField(default=0)
    unpriced_calls = models.BigIntegerField(default=0)
    duration_ms = models.BigIntegerField(default=0)

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


class UsageTotal(models.Model):
    """Calls, tokens and cost of everybody in one UTC day: what a chart of the fleet reads."""

    day = models.DateField(primary_key=True)
    calls = models.BigIntegerField(default=0)
    errors = models.BigIntegerField(default=0)
    denied = models.BigIntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    cost_micros = models.BigIntegerField(default=0)
    unpriced_calls = models.BigIntegerField(default=0)
    duration_ms = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.day)


class UsageMonth(models.Model):
    """Calls, tokens and cost of one agent in one calendar month (UTC): who costs most."""

    month = models.DateField()  # its first day
    agent_id = models.TextField()
    calls = models.BigIntegerField(default=0)
    errors = models.BigIntegerField(default=0)
    denied = models.BigIntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    cost_micros = models.BigIntegerField(default=0)
    unpriced_calls = models.BigIntegerField(default=0)
    duration_ms = models.BigIntegerField(default=0)

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


class UsageRecent(models.Model):
    """Calls and cost of one agent lately, as of the day the mark names: what lists are ordered by.

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
    cost_month = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.agent_id)


class ModelUse(models.Model):
    """That an agent called a model, by which route, and when last: who a retirement touches."""

    agent_id = models.TextField()
    route = models.TextField()
    vendor = models.TextField()
    model = models.TextField()
    calls = models.BigIntegerField(default=0)
    first_called_at = models.DateTimeField()
    last_called_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent_id", "route", "vendor", "model"],
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
