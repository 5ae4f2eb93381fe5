"""Golden cases asked on a schedule: the plan, its rounds, and each question with what came of it.

What is asked and answered lies sealed in the agent's own run; here stands whether it held, how
long it took and what it cost. A held amount stays counted when nobody knows what a call cost.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from fleet.drift.models.watch import Watch
from fleet.evaluations.models import GoldenCase
from kernel.refs import Ref
from registry.models import Agent
from routing.models import Model


class ProbePlan(models.Model):
    """Which golden cases of one agent are asked of one model, when, and for how much a month."""

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        PAUSED = "paused", "Paused"
        ENDED = "ended", "Ended"

    public_id = models.TextField(unique=True)  # pbp_…
    watch = models.ForeignKey(Watch, on_delete=models.PROTECT, related_name="plans")
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="probe_plans")
    model = models.ForeignKey(Model, on_delete=models.PROTECT, related_name="probe_plans")
    cron = models.TextField()
    zone = models.TextField(default="UTC")
    cases = models.JSONField(default=list)  # names of golden cases; empty: all of the route
    cap_micros = models.BigIntegerField()  # a calendar month, in the plan's zone
    state = models.TextField(choices=State.choices, default=State.RUNNING)
    waits = models.TextField(blank=True, default="")  # why the last round did not ask everything
    since = models.DateTimeField()  # what was before is compared with nothing any more
    next_at = models.DateTimeField()
    asked_at = models.DateTimeField(null=True, blank=True)  # somebody wants a round now
    added_by = models.TextField()
    added_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["watch", "agent"],
                condition=Q(ended_at__isnull=True),
                name="drift_probeplan_one_per_agent",
            ),
            models.CheckConstraint(condition=Q(cap_micros__gt=0), name="drift_probeplan_has_cap"),
            models.CheckConstraint(
                condition=Q(state="ended", ended_at__isnull=False)
                | ~Q(state="ended") & Q(ended_at__isnull=True),
                name="drift_probeplan_ended_iff_stamped",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_at"], condition=Q(state="running"), name="drift_probeplan_due_idx"
            )
        ]

    def __str__(self) -> str:
        return f"{self.agent.name} on {self.watch.vendor}/{self.watch.model}"

    @property
    def ref(self) -> Ref:
        return Ref("probe_plan", self.public_id)


class Round(models.Model):
    """All cases of a plan, asked once."""

    public_id = models.TextField(unique=True)  # rnd_…
    plan = models.ForeignKey(ProbePlan, on_delete=models.PROTECT, related_name="rounds")
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    waits = models.TextField(blank=True, default="")  # why not everything was asked

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["plan"],
                condition=Q(ended_at__isnull=True),
                name="drift_round_one_at_a_time",
            )
        ]
        indexes = [models.Index(fields=["plan", "-began_at"], name="drift_round_newest_idx")]

    def __str__(self) -> str:
        return self.public_id


class Probe(models.Model):
    """One golden case, asked once."""

    class Status(models.TextChoices):
        ASKING = "asking", "Asking"
        OK = "ok", "Answered"
        ERROR = "error", "Failed"
        REFUSED = "refused", "Refused"
        LOST = "lost", "Lost"

    public_id = models.TextField(unique=True)  # prb_…
    round = models.ForeignKey(Round, on_delete=models.PROTECT, related_name="probes")
    golden = models.ForeignKey(GoldenCase, on_delete=models.PROTECT, related_name="probes")
    status = models.TextField(choices=Status.choices, default=Status.ASKING)
    error = models.TextField(blank=True, default="")
    holds = models.BooleanField(null=True, blank=True)
    fault = models.TextField(blank=True, default="")  # in words of ours, none of the answer's
    entry_id = models.TextField(blank=True, default="")
    reported_model = models.TextField(blank=True, default="")
    is_substituted = models.BooleanField(default=False)
    fingerprint = models.TextField(blank=True, default="")  # the vendor's name of its set-up
    duration_ms = models.PositiveIntegerField(null=True, blank=True)
    held_micros = models.BigIntegerField(default=0)  # the most that it could cost
    cost_micros = models.BigIntegerField(null=True, blank=True)
    asked_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["round", "golden"], name="drift_probe_once_a_round"),
            models.CheckConstraint(
                condition=Q(holds__isnull=True) | Q(status="ok"),
                name="drift_probe_judged_if_answered",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id
