"""What a run comes to, as lists read it: one row a run, so that a list costs what it shows.

The ledger and the calls are the evidence. A sweep sums them into these rows; what it has
not reached yet is added by whoever reads (`routing.queries.run_lists`).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q

from kernel import clock

# A run in which nothing happened for this long is over; it may go on again all the same.
QUIET: Final = timedelta(minutes=15)
COUNTS: Final = (
    "call_count", "failed_count", "denied_count", "attempt_count", "own_count", "shadow_count",
    "substituted_count", "estimated_count", "unpriced_calls", "input_tokens", "output_tokens",
    "cost_micros", "in_flight", "tool_count", "reported_model_count", "decision_count",
    "proposal_count", "review_count", "effect_count", "reported_count", "finding_count",
)  # fmt: skip


class RunSummary(models.Model):
    """One run in figures and in the words it is found by."""

    class State(models.TextChoices):
        IN_FLIGHT = "in_flight", "In flight"  # something has left and has not come back
        OPEN = "open", "Open"  # nothing is out; it may go on
        OVER = "over", "Over"

    class Outcome(models.TextChoices):
        FAILED = "failed"
        DENIED = "denied"
        CLEAN = "clean"
        NONE = "none"  # nothing has come back yet

    run_id = models.TextField(primary_key=True)
    agent_id = models.TextField()
    label = models.TextField()
    started_at = models.DateTimeField()
    last_at = models.DateTimeField()  # the newest thing on record
    last_call_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)  # the agent said that it is over
    child_at = models.DateTimeField(null=True, blank=True)  # the newest of a run that works for it
    length_ms = models.BigIntegerField(default=0)

    call_count = models.BigIntegerField(default=0)
    failed_count = models.BigIntegerField(default=0)
    denied_count = models.BigIntegerField(default=0)
    attempt_count = models.BigIntegerField(default=0)
    # Calls that the platform made in the agent's place: a run of nothing else is none of its.
    own_count = models.BigIntegerField(default=0, db_default=0)
    shadow_count = models.BigIntegerField(default=0)
    substituted_count = models.BigIntegerField(default=0)
    estimated_count = models.BigIntegerField(default=0)
    unpriced_calls = models.BigIntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    cost_micros = models.BigIntegerField(default=0)

    in_flight = models.BigIntegerField(default=0)
    tool_count = models.BigIntegerField(default=0)
    reported_model_count = models.BigIntegerField(default=0)
    decision_count = models.BigIntegerField(default=0)
    proposal_count = models.BigIntegerField(default=0)
    review_count = models.BigIntegerField(default=0)
    effect_count = models.BigIntegerField(default=0)
    reported_count = models.BigIntegerField(default=0)
    finding_count = models.BigIntegerField(default=0)

    # What a filter names exactly: "model:gpt-5", "route:classify", "error:call_denied", "has:tool".
    facets = ArrayField(models.TextField(), default=list)
    searchable = models.TextField(default="")  # lower case: the label, ids, names of tools

    class Meta:
        indexes = [
            models.Index(fields=["started_at", "run_id"], name="routing_runsummary_started_idx"),
            models.Index(
                fields=["agent_id", "started_at", "run_id"], name="routing_runsummary_agent_idx"
            ),
            models.Index(fields=["cost_micros", "run_id"], name="routing_runsummary_cost_idx"),
            models.Index(fields=["length_ms", "run_id"], name="routing_runsummary_length_idx"),
            models.Index(
                fields=["started_at", "run_id"],
                condition=Q(failed_count__gt=0),
                name="routing_runsummary_failed_idx",
            ),
            models.Index(
                fields=["started_at", "run_id"],
                condition=Q(denied_count__gt=0),
                name="routing_runsummary_denied_idx",
            ),
            models.Index(
                fields=["started_at", "run_id"],
                condition=Q(in_flight__gt=0),
                name="routing_runsummary_flight_idx",
            ),
            models.Index(fields=["last_at"], name="routing_runsummary_last_idx"),
            GinIndex(fields=["facets"], name="routing_runsummary_facets_idx"),
            GinIndex(
                fields=["searchable"],
                opclasses=["gin_trgm_ops"],
                name="routing_runsummary_words_idx",
            ),
        ]

    def __str__(self) -> str:
        return self.run_id

    @property
    def active_at(self) -> datetime:
        """When it, or a run that works for it, last did something."""
        return self.last_at if self.child_at is None else max(self.last_at, self.child_at)

    @property
    def state(self) -> str:
        """In flight, open or over, as of this moment."""
        if self.in_flight > 0:
            return self.State.IN_FLIGHT.value
        was_ended = self.ended_at is not None and self.ended_at >= self.active_at
        is_quiet = clock.now() - self.active_at >= QUIET
        return (self.State.OVER if was_ended or is_quiet else self.State.OPEN).value

    @property
    def outcome(self) -> str:
        """How its calls went: the worst of them."""
        if self.failed_count > 0:
            return self.Outcome.FAILED.value
        if self.denied_count > 0:
            return self.Outcome.DENIED.value
        has_some = self.call_count or self.reported_count or self.effect_count
        return (self.Outcome.CLEAN if has_some else self.Outcome.NONE).value

    @property
    def model_steps(self) -> int:
        """Steps that a model took: calls that left, and those an agent reports."""
        return max(self.call_count - self.denied_count, 0) + self.reported_model_count

    @property
    def deterministic_steps(self) -> int:
        """Steps that no model took: tools, refusals of policy, effects of executors."""
        return self.tool_count + self.decision_count + self.effect_count

    @property
    def all_steps(self) -> int:
        """Steps that a share is of; what people do and what is only noted is neither."""
        return self.model_steps + self.deterministic_steps

    @property
    def deterministic_share(self) -> float | None:
        """Which part of the steps no model took; None before the first."""
        return self.deterministic_steps / self.all_steps if self.all_steps else None


class RunWord(models.Model):
    """An id that somebody else gave to something in a run: of a response, of a trace."""

    id = models.BigAutoField(primary_key=True)
    word = models.TextField()
    run_id = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["word", "run_id"], name="routing_runword_once")
        ]

    def __str__(self) -> str:
        return f"{self.word} in {self.run_id}"
