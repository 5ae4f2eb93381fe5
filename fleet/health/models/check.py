"""Checks: the ways in which one agent is watched, each with what it expects and what it saw.

A check holds no secret: the probe secret is computed from its number under the pepper. What an
agent said of itself is one bounded line, the last one only, for those who see its inside.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from registry.models import Agent


class Status(models.TextChoices):
    """From well to worse; unknown is a status of its own, and never counts as well."""

    HEALTHY = "healthy", "Healthy"
    UNKNOWN = "unknown", "Not known"
    DEGRADED = "degraded", "Degraded"
    DOWN = "down", "Down"


class Source(models.TextChoices):
    """Where knowledge comes from."""

    GATEWAY = "gateway", "Calls"
    HEARTBEAT = "heartbeat", "Heartbeats"
    PROBE = "probe", "Probe"


class Check(models.Model):
    """One way in which an agent is watched, and what it says."""

    class Kind(models.TextChoices):
        GATEWAY = "gateway", "What the gateway sees"
        HEARTBEAT = "heartbeat", "Heartbeats"
        HTTP = "http", "HTTP probe"
        A2A_CARD = "a2a-card", "A2A card"

    class Origin(models.TextChoices):
        MANIFEST = "manifest", "The manifest"
        PORTAL = "portal", "The portal"
        SERVICE = "service", "The service"

    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="checks")
    source = models.TextField(choices=Source.choices)
    # What is expected.
    kind = models.TextField(choices=Kind.choices)
    origin = models.TextField(choices=Origin.choices)
    url = models.TextField(blank=True, default="")
    host = models.TextField(blank=True, default="")  # of the url: what fails together
    interval_seconds = models.PositiveIntegerField(default=0)
    grace_seconds = models.PositiveIntegerField(default=0)
    cron = models.TextField(blank=True, default="")  # instead of the interval
    zone = models.TextField(blank=True, default="")  # of the cron expression
    # Plain http and addresses inside, as an administrator of the platform decided of this url.
    allow_private = models.BooleanField(default=False)
    secret_number = models.PositiveIntegerField(default=0)  # 0: there is none
    secret_pepper = models.TextField(blank=True, default="")
    is_proven = models.BooleanField(default=False)  # the right agent has answered at this url
    # What was seen.
    status = models.TextField(choices=Status.choices, default=Status.UNKNOWN)
    since = models.DateTimeField()
    reason = models.TextField(blank=True, default="")
    cause = models.TextField(blank=True, default="")  # vendor:x, host:y: what fails others too
    recent = models.TextField(blank=True, default="")  # the last outcomes, one letter each
    seen_at = models.DateTimeField(null=True, blank=True)
    misses = models.PositiveIntegerField(default=0)  # heartbeats in a row that did not come
    said = models.TextField(blank=True, default="")  # the agent's own last words, one bounded line
    said_at = models.DateTimeField(null=True, blank=True)
    # When it is looked at next: a probe is sent, or a heartbeat is late.
    due_at = models.DateTimeField(null=True, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    fence = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agent", "source"], name="health_check_one_per_source"),
            models.CheckConstraint(
                condition=Q(status__in=Status.values), name="health_check_known_status"
            ),
            models.CheckConstraint(
                condition=Q(source="gateway", kind="gateway")
                | Q(source="heartbeat", kind="heartbeat")
                | Q(source="probe", kind__in=("http", "a2a-card")),
                name="health_check_kind_of_source",
            ),
            models.CheckConstraint(
                condition=Q(cron="", zone="") | (~Q(cron="") & ~Q(zone="")),
                name="health_check_cron_has_zone",
            ),
        ]
        indexes = [
            models.Index(
                fields=["source", "due_at"],
                condition=Q(due_at__isnull=False),
                name="health_check_due_idx",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.agent} by {self.source}"
