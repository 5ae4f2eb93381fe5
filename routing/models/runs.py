"""Runs and their calls as pages read them. The ledger is the evidence; these are its index."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.expressions import RawSQL

from ledger.models import Xid8Field


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
            models.Index(fields=["label"], name="routing_run_label_idx"),
        ]

    def __str__(self) -> str:
        return self.run_id


class Call(models.Model):
    """One governed attempt of a call, written in the commit of its result.

    Most calls are one attempt. Those that went on after one that failed share the intent of
    the first; a shadow beside them is none of the attempts and has no number.
    """

    class Status(models.TextChoices):
        OK = "ok"
        ERROR = "error"
        DENIED = "denied"
        INCOMPLETE = "incomplete"
        CANCELLED = "cancelled"
        UNKNOWN = "unknown"

    id = models.BigAutoField(primary_key=True)
    xid = Xid8Field(db_default=RawSQL("pg_current_xact_id()", ()), editable=False)
    intent_id = models.TextField()  # ent_… of the intent, or of the denial
    # The first attempt's intent; empty on the first itself.
    call_id = models.TextField(blank=True, default="", db_default="")
    attempt = models.PositiveSmallIntegerField(default=1, db_default=1)
    fallback_reason = models.TextField(blank=True, default="", db_default="")
    choice = models.TextField(blank=True, default="", db_default="")  # the rule that put it first
    is_shadow = models.BooleanField(default=False, db_default=False)
    is_substituted = models.BooleanField(default=False, db_default=False)
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
    # By these an agent's own report of a call is known to be of this one.
    response_id = models.TextField(blank=True, default="", db_default="")
    caller_span = models.TextField(blank=True, default="", db_default="")  # trace-span
    # Of an agent that is being moved to another model: by which shift, and who served.
    shift = models.TextField(blank=True, default="", db_default="")  # shf_…
    arm = models.TextField(blank=True, default="", db_default="")  # source, target, behind
    contract = models.TextField(blank=True, default="", db_default="")  # kept, broken, refused
    # The golden case, evaluation or re-evaluation that the platform made it for: then it is none
    # of the agent's use. Empty: the agent made it.
    made_for = models.TextField(blank=True, default="", db_default="")  # gld_…, evl_…, ree_…

    class Meta:
        constraints = [
            # Not unique=True: that makes a second index, for patterns, at every insert.
            models.UniqueConstraint(fields=["intent_id"], name="routing_call_one_per_intent"),
            models.CheckConstraint(
                condition=Q(input_tokens__gte=0, output_tokens__gte=0), name="routing_call_tokens"
            ),
            models.CheckConstraint(
                condition=Q(attempt=1, call_id="", is_shadow=False)
                | Q(attempt__gt=1, is_shadow=False) & ~Q(call_id="")
                | Q(attempt=0, is_shadow=True) & ~Q(call_id=""),
                name="routing_call_attempt_of_call",
            ),
        ]
        indexes = [
            models.Index(fields=["agent_id", "-started_at"], name="routing_call_agent_idx"),
            models.Index(fields=["run_id", "started_at"], name="routing_call_run_idx"),
            models.Index(fields=["-started_at"], name="routing_call_started_idx"),
            models.Index(fields=["xid", "id"], name="routing_call_sequence_idx"),
            models.Index(
                fields=["xid", "id"], condition=~Q(shift=""), name="routing_call_shift_idx"
            ),
            models.Index(
                fields=["call_id", "attempt"],
                condition=~Q(call_id=""),
                name="routing_call_call_idx",
            ),
            models.Index(
                fields=["-started_at"],
                condition=Q(is_substituted=True),
                name="routing_call_other_model_idx",
            ),
        ]

    def __str__(self) -> str:
        return self.intent_id

    @property
    def call(self) -> str:
        """The name that the attempts of one call share."""
        return self.call_id or self.intent_id
