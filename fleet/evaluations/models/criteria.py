"""What a candidate must hold to for one agent, each change a row of its own."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from registry.models import Agent


class GateCriteria(models.Model):
    """The bounds of one agent's gate from a moment on; the newest row is in force."""

    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="gate_criteria")
    number = models.PositiveIntegerField()
    said = models.JSONField()  # as `fleet.evaluations.criteria` reads it
    digest = models.TextField()
    set_by = models.TextField()
    set_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "number"], name="evaluations_criteria_one_per_number"
            ),
            models.CheckConstraint(
                condition=Q(number__gte=1), name="evaluations_criteria_numbered"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.agent_id} {self.number}"
