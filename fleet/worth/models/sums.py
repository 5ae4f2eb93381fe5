"""Sums by agent and UTC day: what people made of its actions, their time, and its runs.

A day is counted anew as a whole while it can still change, so counting twice changes nothing.
Cost of models lies in the usage of routing and is not repeated here.
"""

from __future__ import annotations

from django.db import models


class OutcomeDay(models.Model):
    """What became of an agent's proposals of one operation that ended in one day."""

    agent_id = models.TextField()
    day = models.DateField()
    action = models.TextField()  # connection.operation
    accepted = models.BigIntegerField(default=0)  # carried out as they were asked
    edited = models.BigIntegerField(default=0)  # carried out, and corrected before
    kept_permille = models.BigIntegerField(default=0)  # of the edited: what was left as asked
    rejected = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent_id", "day", "action"], name="worth_outcomeday_one_per_action"
            )
        ]
        indexes = [models.Index(fields=["day"], name="worth_outcomeday_day_idx")]

    def __str__(self) -> str:
        return f"{self.day} {self.agent_id} {self.action}"


class WorthDay(models.Model):
    """What one agent did in one day, what its tools cost, and the time people gave to it."""

    agent_id = models.TextField()
    day = models.DateField()
    runs = models.BigIntegerField(default=0)
    good_runs = models.BigIntegerField(default=0)  # none of their calls failed or was denied
    tool_micros = models.BigIntegerField(default=0)  # as its agent reports it
    answers = models.BigIntegerField(default=0)  # people's, to reviews about it
    review_seconds = models.BigIntegerField(default=0)  # from open to answered, capped

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agent_id", "day"], name="worth_worthday_one_per_day")
        ]
        indexes = [models.Index(fields=["day"], name="worth_worthday_day_idx")]

    def __str__(self) -> str:
        return f"{self.day} {self.agent_id}"


class WorthMark(models.Model):
    """Up to which day is counted for good, and when standings were last made."""

    name = models.TextField(primary_key=True)
    counted_to = models.DateField()  # every day before it
    made_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name
