"""Which runs were held against which process, and what each added to the sums."""

from __future__ import annotations

from django.db import models


class CheckedRun(models.Model):
    """One run as it was last checked; what it added can be taken out of the sums again."""

    run_id = models.TextField(primary_key=True)
    agent_id = models.TextField()
    process = models.TextField(blank=True, default="")  # the digest of its declared steps
    last_at = (
        models.DateTimeField()
    )  # of the run when it was checked; one that goes on is due again
    added = models.JSONField(default=dict)  # steps, edges and deviations

    class Meta:
        indexes = [
            models.Index(fields=["last_at"], name="conformance_checked_last_idx"),
            models.Index(fields=["agent_id", "-last_at"], name="conformance_checked_agent_idx"),
        ]

    def __str__(self) -> str:
        return self.run_id


class ConformanceMark(models.Model):
    """How far runs have been checked, and when all of the window was last gone over."""

    name = models.TextField(primary_key=True)
    checked_to = models.DateTimeField()
    whole_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
