"""Changes of vendors that were looked at: whether a campaign answers them, or why none does."""

from __future__ import annotations

from django.db import models

from routing.models import LifecycleChange


class ConsideredChange(models.Model):
    """One change of a price, limit, address or API version, judged once."""

    class Outcome(models.TextChoices):
        OPENED = "opened"
        RUNNING = "running", "A campaign is open already"
        TAKEN_BACK = "taken_back", "It took back what a campaign was opened for"
        ANSWERED = "answered", "The same was answered lately"
        SMALL = "small", "Its effect is below the threshold"
        UNKNOWN = "unknown", "What it comes to is not known"
        NOBODY = "nobody", "No agent depends on it"

    change = models.OneToOneField(
        LifecycleChange, on_delete=models.CASCADE, primary_key=True, related_name="considered"
    )
    outcome = models.TextField(choices=Outcome.choices)
    considered_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.change_id} {self.outcome}"
