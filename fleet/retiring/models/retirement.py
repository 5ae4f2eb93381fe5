"""The end of one agent: announced, drained, retired and proven, with its data and tombstone.

The row is the plan while the agent runs, and its tombstone afterwards. What was done is a
step with the moment at which it was; the ledger is the evidence.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models
from django.db.models import F, Q

from kernel.refs import Ref
from registry.models import Agent
from registry.models.agent import RESTORED_WITHIN


class Retirement(models.Model):
    """How and when one agent ends. One at a time; one that was taken back stays as it was."""

    class State(models.TextChoices):
        ANNOUNCED = "announced"
        DRAINING = "draining"
        RETIRED = "retired"
        CANCELLED = "cancelled"
        RESTORED = "restored"

    class Data(models.TextChoices):
        KEEP = "keep", "Kept by retention"
        SHRED = "shred", "Destroyed some days after the end"

    STANDING = (State.ANNOUNCED, State.DRAINING, State.RETIRED)

    public_id = models.TextField(unique=True)  # rtm_…
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="retirements")
    successor = models.ForeignKey(
        Agent, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    state = models.TextField(choices=State.choices, default=State.ANNOUNCED)
    stage_before = models.TextField()  # what the agent goes back to when the plan is cancelled
    reason = models.TextField()
    # From then on it begins no new run; none while only the end is announced and not its day.
    drains_at = models.DateTimeField(null=True, blank=True)
    drain_minutes = models.PositiveIntegerField(default=60)
    data = models.TextField(choices=Data.choices, default=Data.KEEP)
    shred_after_days = models.PositiveIntegerField(default=30)
    planned_by = models.TextField()
    planned_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)  # cancelled or restored
    closed_by = models.TextField(blank=True, default="")
    closed_reason = models.TextField(blank=True, default="")
    dependants = models.JSONField(default=list)  # as they were warned
    proof = models.JSONField(default=dict)  # what each path was found to be
    figures = models.JSONField(default=dict)  # what it came to
    keys_destroyed = models.BigIntegerField(default=0)
    keys_held = models.BigIntegerField(default=0)  # a hold, or the floor, keeps them
    again_at = models.DateTimeField(null=True, blank=True)  # a step that failed is tried then
    fault = models.TextField(blank=True, default="")  # why it failed

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent"],
                condition=Q(state__in=["announced", "draining", "retired"]),
                name="retiring_retirement_one_per_agent",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["cancelled", "restored"], closed_at__isnull=False)
                | (~Q(state__in=["cancelled", "restored"]) & Q(closed_at__isnull=True)),
                name="retiring_retirement_closed_iff_stamped",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["retired", "restored"], retired_at__isnull=False)
                | (~Q(state__in=["retired", "restored"]) & Q(retired_at__isnull=True)),
                name="retiring_retirement_retired_iff_stamped",
            ),
            models.CheckConstraint(
                condition=~Q(state="draining") | Q(drains_at__isnull=False),
                name="retiring_retirement_drains_from_a_moment",
            ),
            models.CheckConstraint(
                condition=Q(successor__isnull=True) | ~Q(successor=F("agent")),
                name="retiring_retirement_successor_is_another",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="retiring_retirement_says_why"),
        ]
        indexes = [
            models.Index(fields=["-planned_at", "-public_id"], name="retiring_newest_idx"),
            models.Index(fields=["state", "drains_at"], name="retiring_due_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} of {self.agent}"

    @property
    def ref(self) -> Ref:
        return Ref("retirement", self.public_id)

    @property
    def ends_at(self) -> datetime | None:
        """When the drain is over and the agent is retired."""
        if self.drains_at is None:
            return None
        return self.drains_at + timedelta(minutes=self.drain_minutes)

    @property
    def restorable_until(self) -> datetime | None:
        return self.retired_at + RESTORED_WITHIN if self.retired_at is not None else None

    @property
    def shreds_at(self) -> datetime | None:
        """When its data begin to be destroyed; None where they are kept."""
        if self.data != self.Data.SHRED or self.retired_at is None:
            return None
        return self.retired_at + timedelta(days=self.shred_after_days)

    @property
    def is_over(self) -> bool:
        return self.state in (self.State.CANCELLED, self.State.RESTORED)

    @property
    def is_contained(self) -> bool:
        return bool(self.proof.get("contained"))


class Step(models.Model):
    """One thing that is done on the way to the end, and when it was."""

    class Name(models.TextChoices):
        """In the order in which they are taken."""

        ANNOUNCED = "announced", "Announced"
        WARNED = "warned", "Dependants warned"
        DRAINING = "draining", "New runs refused"
        ENDED = "ended", "Retired, keys revoked"
        LEASES = "leases", "Leases taken back"
        DELEGATIONS = "delegations", "Delegations ended"
        PROPOSALS = "proposals", "Open actions ended"
        REVIEWS = "reviews", "Open questions withdrawn"
        SCHEDULES = "schedules", "Schedules stopped"
        PROVED = "proved", "Proved dead"
        DATA = "data", "Data kept or destroyed"

    retirement = models.ForeignKey(Retirement, on_delete=models.CASCADE, related_name="steps")
    name = models.TextField(choices=Name.choices)
    place = models.PositiveSmallIntegerField()
    done_at = models.DateTimeField(null=True, blank=True)
    count = models.BigIntegerField(default=0)
    detail = models.TextField(blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["retirement", "name"], name="retiring_step_one_per_name"
            ),
        ]

    def __str__(self) -> str:
        return self.get_name_display()
