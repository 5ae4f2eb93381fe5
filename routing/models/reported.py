"""What agents say they did outside the gateway, as pages sum it up. The ledger is the evidence.

Kept apart from `Call`: what was reported is never added to what was observed.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class ReportedStep(models.Model):
    """One reported step, written in the commit of its entry. A report key comes once per agent."""

    class Type(models.TextChoices):
        TOOL = "tool"
        RETRIEVAL = "retrieval"
        MODEL = "model"
        AGENT = "agent"
        DECISION = "decision"
        HUMAN = "human"
        STEP = "step"
        NOTE = "note"

    class Source(models.TextChoices):
        API = "api"
        OTLP = "otlp"

    id = models.BigAutoField(primary_key=True)
    entry_id = models.TextField()  # ent_…
    agent_id = models.TextField()
    run_id = models.TextField()
    report_key = models.TextField()
    source = models.TextField(choices=Source.choices)
    type = models.TextField(choices=Type.choices)
    name = models.TextField()
    status = models.TextField()  # ok, error, or empty: it does not say
    trace_id = models.TextField(blank=True, default="")
    span_id = models.TextField(blank=True, default="")
    parent = models.TextField(blank=True, default="")  # a span or an entry, as the agent says
    # The intent of the call that this is a report of: the gateway saw that call itself.
    observed = models.TextField(blank=True, default="")
    provider = models.TextField(blank=True, default="")
    model = models.TextField(blank=True, default="")
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    cost_micros = models.BigIntegerField(null=True, blank=True)
    currency = models.CharField(max_length=3, default="USD")
    started_at = models.DateTimeField(null=True, blank=True)  # theirs
    duration_ms = models.BigIntegerField(null=True, blank=True)  # theirs
    recorded_at = models.DateTimeField()  # ours

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent_id", "report_key"], name="routing_reportedstep_once"
            ),
            models.CheckConstraint(
                condition=Q(
                    type__in=[
                        "tool", "retrieval", "model", "agent", "decision", "human", "step", "note",
                    ]
                ),
                name="routing_reportedstep_known_type",
            ),
            models.CheckConstraint(
                condition=Q(source__in=["api", "otlp"]), name="routing_reportedstep_known_source"
            ),
            models.CheckConstraint(
                condition=Q(input_tokens__gte=0, output_tokens__gte=0),
                name="routing_reportedstep_tokens",
            ),
        ]  # fmt: skip
        indexes = [
            models.Index(fields=["run_id", "recorded_at"], name="routing_reported_run_idx"),
            models.Index(fields=["agent_id", "-recorded_at"], name="routing_reported_agent_idx"),
            models.Index(
                fields=["agent_id", "trace_id"],
                condition=~Q(trace_id=""),
                name="routing_reported_trace_idx",
            ),
        ]

    def __str__(self) -> str:
        return self.entry_id
