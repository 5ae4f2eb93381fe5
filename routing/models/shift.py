"""Shifts: for one agent, one model is tried in the place of another, for a share of its runs.

A shift is kept when it has ended: it says who moved whom to what, and why. What its two arms
came to is counted beside it, by the minute and since its share was last changed.
"""

from __future__ import annotations

from typing import Final

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from kernel.refs import Ref
from routing.models.vendor import Model

ARM_SUMS: Final = (
    "calls", "errors", "fell_back", "broken", "refused", "checked",
    "input_tokens", "output_tokens", "cost_micros", "unpriced_calls", "duration_ms",
)  # fmt: skip


class Shift(models.Model):
    """Where a route's target is the source, the target is tried in its place for this agent.

    Without a target the source is paused: for this agent it is not there.
    """

    public_id = models.TextField(unique=True)  # shf_…
    agent_id = models.TextField()  # agt_…
    source = models.ForeignKey(Model, on_delete=models.PROTECT, related_name="+")
    target = models.ForeignKey(
        Model, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    percent = models.PositiveSmallIntegerField()  # of runs; raising it keeps those that were in
    subject = models.TextField()  # the reference of what it is done for, such as cutover:cut_…
    reason = models.TextField()
    set_by = models.TextField()  # the reference of who acted
    begun_at = models.DateTimeField()
    changed_at = models.DateTimeField()  # since when the share is what it is
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.TextField(blank=True, default="")
    ended_reason = models.TextField(blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent_id", "source"],
                condition=Q(ended_at__isnull=True),
                name="routing_shift_one_in_force",
            ),
            models.CheckConstraint(
                condition=Q(target__isnull=True) | ~Q(target=F("source")),
                name="routing_shift_to_another",
            ),
            models.CheckConstraint(
                condition=Q(percent__lte=100, target__isnull=False)
                | Q(percent=100, target__isnull=True),
                name="routing_shift_percent",
            ),
            models.CheckConstraint(
                condition=~Q(reason="") & ~Q(subject=""), name="routing_shift_has_reason"
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, ended_by="")
                | Q(ended_at__isnull=False) & ~Q(ended_by=""),
                name="routing_shift_ended_iff_signed",
            ),
        ]
        indexes = [
            models.Index(fields=["subject"], name="routing_shift_subject_idx"),
            models.Index(fields=["agent_id", "-id"], name="routing_shift_agent_idx"),
            models.Index(fields=["source", "agent_id"], name="routing_shift_source_idx"),
        ]

    def __str__(self) -> str:
        to = "paused" if self.target_id is None else f"{self.percent} %"
        return f"{self.public_id} {self.agent_id} {to}"

    @property
    def ref(self) -> Ref:
        return Ref("shift", self.public_id)

    @property
    def state(self) -> str:
        return "in_force" if self.ended_at is None else "ended"


class ArmSums(models.Model):
    """What the calls of one arm come to. An arm is what served: source, target, or behind.

    ``behind`` is the source, where a run belongs to the target and the target did not serve.
    """

    shift_id = models.TextField()  # shf_…
    arm = models.TextField()
    calls = models.BigIntegerField(default=0)  # attempts on the arm's model, shadows apart
    errors = models.BigIntegerField(default=0)
    fell_back = models.BigIntegerField(default=0)  # of them after another did not serve
    checked = models.BigIntegerField(default=0)  # asked for a form, and answered
    broken = models.BigIntegerField(default=0)  # of those: not in the form that was asked for
    refused = models.BigIntegerField(default=0)  # the model would not
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    cost_micros = models.BigIntegerField(default=0)
    unpriced_calls = models.BigIntegerField(default=0)
    duration_ms = models.BigIntegerField(default=0)  # of calls that were served
    # How many that were served took how long; the bounds are `routing.latencies.BOUNDS`.
    latencies = ArrayField(models.BigIntegerField(), default=list)

    class Meta:
        abstract = True


class ShiftMinute(ArmSums):
    """One arm in one minute: what the sweep judges. Kept for some hours."""

    minute = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["shift_id", "minute", "arm"], name="routing_shiftminute_one_per_key"
            )
        ]
        indexes = [models.Index(fields=["minute"], name="routing_shiftminute_minute_idx")]

    def __str__(self) -> str:
        return f"{self.shift_id} {self.arm} {self.minute:%H:%M}"


class ShiftStep(ArmSums):
    """One arm since the share was last changed: what a step is advanced on."""

    began_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["shift_id", "began_at", "arm"], name="routing_shiftstep_one_per_key"
            )
        ]

    def __str__(self) -> str:
        return f"{self.shift_id} {self.arm} since {self.began_at}"


class VendorWord(models.Model):
    """What a vendor's answer said of a model: that it ended, is closed, or is not known there.

    Written by a gateway with the result of the call that was answered so, once a day.
    """

    class Said(models.TextChoices):
        RETIRED = "vendor_says_retired"
        CLOSED = "vendor_says_closed"  # to this account: idle, or new
        NO_DEPLOYMENT = "vendor_says_no_deployment"
        UNKNOWN = "vendor_says_unknown"  # most likely a name that was never right

    model_id = models.TextField()  # mod_…
    said = models.TextField(choices=Said.choices)
    day = models.TextField()  # in UTC, such as 2026-11-22
    http_status = models.PositiveSmallIntegerField()
    error_code = models.TextField(blank=True, default="")
    intent_id = models.TextField()  # ent_… of the first that day; the answer lies in its result
    agent_id = models.TextField(blank=True, default="")
    said_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["model_id", "said", "day"], name="routing_vendorword_once_a_day"
            )
        ]
        indexes = [models.Index(fields=["-said_at"], name="routing_vendorword_newest_idx")]

    def __str__(self) -> str:
        return f"{self.model_id} {self.said} {self.day}"
