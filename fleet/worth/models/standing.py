"""Where each agent stands now: what the list of the fleet is read from."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from registry.models import Agent


class Suggestion(models.TextChoices):
    """What the rules suggest for an agent; people decide."""

    KEEP = "keep"
    TUNE = "tune"
    MERGE = "merge"
    RETIRE = "retire"


class Standing(models.Model):
    """The figures of one agent over the last 13 weeks, made anew by a sweep."""

    agent = models.OneToOneField(Agent, primary_key=True, on_delete=models.CASCADE)
    suggestion = models.TextField(choices=Suggestion.choices)
    reasons = ArrayField(models.TextField(), default=list)
    cost_micros = models.BigIntegerField(default=0)
    accepted_milli = models.BigIntegerField(default=0)  # an edited one counts by what was kept
    net_micros = models.BigIntegerField(default=0)  # the sure part: the lower bound less cost
    figures = models.JSONField(default=dict)  # the rest, as `fleet.worth.figures` writes it
    made_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["-cost_micros", "-agent"], name="worth_standing_cost_idx"),
            models.Index(fields=["net_micros", "agent"], name="worth_standing_net_idx"),
            models.Index(
                fields=["suggestion", "-cost_micros", "-agent"], name="worth_standing_what_idx"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.agent_id}: {self.suggestion}"
