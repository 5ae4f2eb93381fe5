"""The status of each agent, how it changed, and the sums it is judged by.

The status of an agent is the worst that any of its checks knows; it is unknown where none does.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from fleet.health.models.check import Source, Status
from registry.models import Agent


class AgentHealth(models.Model):
    """How one agent is: why, and since when."""

    agent = models.OneToOneField(
        Agent, primary_key=True, on_delete=models.PROTECT, related_name="health"
    )
    status = models.TextField(choices=Status.choices, default=Status.UNKNOWN)
    since = models.DateTimeField()
    reason = models.TextField(blank=True, default="")
    source = models.TextField(choices=Source.choices, blank=True, default="")
    cause = models.TextField(blank=True, default="")
    runbook = models.TextField(blank=True, default="")  # set here; else the manifest's
    # What was followed of the registry: the version in force, and whether the agent runs.
    version_id = models.BigIntegerField(null=True, blank=True)
    is_watched = models.BooleanField(default=False)
    # Worst first: what lists are ordered by.
    rank = models.PositiveSmallIntegerField(default=1)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status="healthy", rank=0)
                | Q(status="unknown", rank=1)
                | Q(status="degraded", rank=2)
                | Q(status="down", rank=3),
                name="health_agenthealth_rank_of_status",
            ),
        ]
        indexes = [
            models.Index(
                fields=["since"],
                condition=Q(rank__gte=2, is_watched=True),
                name="health_agenthealth_bad_idx",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.agent_id}: {self.status}"


class HealthChange(models.Model):
    """One change of an agent's status."""

    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    before = models.TextField(choices=Status.choices)
    status = models.TextField(choices=Status.choices)
    source = models.TextField(blank=True, default="")
    reason = models.TextField(blank=True, default="")

    class Meta:
        indexes = [models.Index(fields=["agent", "-at"], name="health_change_agent_idx")]

    def __str__(self) -> str:
        return f"{self.agent_id}: {self.before} to {self.status}"


class HealthDay(models.Model):
    """How often an agent was heard of and asked in one UTC day, and how often in vain."""

    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="+")
    day = models.DateField()
    beats = models.PositiveIntegerField(default=0)
    late = models.PositiveIntegerField(default=0)
    probes = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agent", "day"], name="health_healthday_one_per_day")
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.agent_id}"


class CallWindow(models.Model):
    """What an agent asked of one vendor in five minutes or in an hour, counted once."""

    minutes = models.PositiveSmallIntegerField()  # 5 or 60
    starts_at = models.DateTimeField()
    agent_id = models.TextField()  # agt_…
    vendor = models.TextField()
    calls = models.BigIntegerField(default=0)
    errors = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["minutes", "starts_at", "agent_id", "vendor"],
                name="health_callwindow_one_per_key",
            ),
            models.CheckConstraint(
                condition=Q(minutes__in=(5, 60)), name="health_callwindow_known_width"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.starts_at} {self.agent_id}"


class Sweep(models.Model):
    """How far a sweep has come, and when it looked last: a gap says that nobody was looking."""

    name = models.TextField(primary_key=True)
    xid = models.BigIntegerField(default=0)
    call_id = models.BigIntegerField(default=0)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
