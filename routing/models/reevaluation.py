"""A recorded run asked once more of another target: the request, and how far it has come."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class Reevaluation(models.Model):
    """One run's calls sent to a candidate, in a run of their own. The row is the queue."""

    class State(models.TextChoices):
        RUNNING = "running"
        DONE = "done"
        CANCELLED = "cancelled"
        FAILED = "failed"

    public_id = models.TextField(unique=True)  # ree_…
    run_id = models.TextField()  # the recorded one
    new_run_id = models.TextField(unique=True)  # the one it makes
    agent_id = models.TextField()
    target = models.TextField()  # a route's name, or vendor/model
    state = models.TextField(choices=State.choices, default=State.RUNNING)
    steps = models.PositiveIntegerField()
    done = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    estimate_micros = models.BigIntegerField(null=True, blank=True)  # null: a price is unknown
    requested_by = models.TextField()
    requested_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state="running", ended_at__isnull=True)
                | ~Q(state="running") & Q(ended_at__isnull=False),
                name="routing_reevaluation_ended_iff_over",
            ),
        ]
        indexes = [
            models.Index(fields=["run_id", "-id"], name="routing_reevaluation_run_idx"),
            models.Index(
                fields=["id"],
                condition=Q(state="running"),
                name="routing_reevaluation_open_idx",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id
