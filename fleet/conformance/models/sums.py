"""What the runs of the last 90 days come to, for each process an agent ever declared.

A page reads these and nothing else. Every row is the sum of what `CheckedRun` holds, so a run
that goes on, or that is too old to count, is taken out by what it added.
"""

from __future__ import annotations

from django.db import models


class ProcessSum(models.Model):
    """How the runs of one agent went under one list of declared steps (empty: none declared)."""

    agent_id = models.TextField()
    process = models.TextField(blank=True, default="")
    version = models.TextField(blank=True, default="")  # the newest that declares it
    steps = models.JSONField(default=list)  # as declared, in order
    runs = models.BigIntegerField(default=0)
    deviating = models.BigIntegerField(default=0)
    fitness_permille = models.BigIntegerField(default=0)  # the sum over runs
    model_steps = models.BigIntegerField(default=0)
    deterministic_steps = models.BigIntegerField(default=0)
    cut_runs = models.BigIntegerField(default=0)  # longer than what is looked at
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent_id", "process"], name="conformance_processsum_one_per_process"
            )
        ]
        indexes = [models.Index(fields=["-last_at"], name="conformance_process_last_idx")]

    def __str__(self) -> str:
        return f"{self.agent_id} {self.version}"


class EdgeSum(models.Model):
    """How often one step directly followed another; places are in thousandths of a run."""

    agent_id = models.TextField()
    process = models.TextField(blank=True, default="")
    source = models.TextField()
    target = models.TextField()
    times = models.BigIntegerField(default=0)
    runs = models.BigIntegerField(default=0)
    place_permille = models.BigIntegerField(default=0)  # the sum over times

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent_id", "process", "source", "target"],
                name="conformance_edgesum_one_per_pair",
            )
        ]

    def __str__(self) -> str:
        return f"{self.source} → {self.target}"


class DeviationSum(models.Model):
    """One way in which runs differ from what is declared, in how many of them, and examples."""

    class Kind(models.TextChoices):
        MISSING = "missing", "Left out"
        UNEXPECTED = "unexpected", "Not declared"
        ORDER = "order", "Out of order"

    agent_id = models.TextField()
    process = models.TextField(blank=True, default="")
    kind = models.TextField(choices=Kind.choices)
    step = models.TextField()
    after = models.TextField(blank=True, default="")  # the step it was noticed behind
    runs = models.BigIntegerField(default=0)
    times = models.BigIntegerField(default=0)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    examples = models.JSONField(default=list)  # ids of the newest runs

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent_id", "process", "kind", "step", "after"],
                name="conformance_deviationsum_one_per_way",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.step}"


class WeekSum(models.Model):
    """The runs of one week under one process: whether the gap grows."""

    agent_id = models.TextField()
    process = models.TextField(blank=True, default="")
    week = models.DateField()  # its Monday, in UTC
    runs = models.BigIntegerField(default=0)
    deviating = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent_id", "process", "week"], name="conformance_weeksum_one_per_week"
            )
        ]

    def __str__(self) -> str:
        return f"{self.agent_id} {self.week}"
