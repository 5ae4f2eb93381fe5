"""Mutes: times in which no incident is opened and nobody is told, such as maintenance."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from kernel.refs import Ref
from registry.models import Agent, Team


class Mute(models.Model):
    """A window of quiet for one agent, or for a team's. The status goes on being shown."""

    public_id = models.TextField(unique=True)  # mut_…
    agent = models.ForeignKey(
        Agent, null=True, blank=True, on_delete=models.PROTECT, related_name="mutes"
    )
    team = models.ForeignKey(
        Team, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    reason = models.TextField(blank=True, default="")
    set_by = models.TextField()
    set_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)  # before its time

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="health_mute_ends_later"
            ),
            models.CheckConstraint(
                condition=Q(agent__isnull=True) ^ Q(team__isnull=True),
                name="health_mute_of_agent_or_team",
            ),
        ]
        indexes = [
            models.Index(
                fields=["ends_at"], condition=Q(ended_at__isnull=True), name="health_mute_live_idx"
            )
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def ref(self) -> Ref:
        return Ref("mute", self.public_id)
