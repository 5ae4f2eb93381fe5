"""One route served by one model, watched: its hours as gateways saw them, and its changes."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from kernel.refs import Ref


class Watch(models.Model):
    """A route and the model that serves it. Made by the sweep when calls are seen."""

    public_id = models.TextField(unique=True)  # wat_…
    route = models.TextField()
    vendor = models.TextField()
    model = models.TextField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "watches"
        constraints = [
            models.UniqueConstraint(
                fields=["route", "vendor", "model"], name="drift_watch_one_per_way"
            ),
        ]
        indexes = [models.Index(fields=["-last_at", "-public_id"], name="drift_watch_newest_idx")]

    def __str__(self) -> str:
        return f"{self.route} on {self.vendor}/{self.model}"

    @property
    def ref(self) -> Ref:
        return Ref("watch", self.public_id)


class Hour(models.Model):
    """What gateways saw of a watch in one hour; what is slow or dear is measured by its week."""

    watch = models.ForeignKey(Watch, on_delete=models.CASCADE, related_name="hours")
    starts_at = models.DateTimeField()
    calls = models.PositiveIntegerField()
    failed = models.PositiveIntegerField()
    substituted = models.PositiveIntegerField()
    median_ms = models.PositiveIntegerField()
    late_ms = models.PositiveIntegerField()  # 95 of 100 calls took less
    tokens = models.BigIntegerField()
    cost_micros = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["watch", "starts_at"], name="drift_hour_one_each"),
            models.CheckConstraint(
                condition=Q(failed__lte=F("calls"), substituted__lte=F("calls")),
                name="drift_hour_parts_of_calls",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.watch_id} {self.starts_at:%Y-%m-%d %H}"


class Change(models.Model):
    """That a figure of a watch rose: told once, over when it is as it was."""

    class Figure(models.TextChoices):
        ERRORS = "errors", "Calls that fail"
        SUBSTITUTED = "substituted", "Answers of another model"
        SLOW = "slow", "Slow calls"
        DEAR = "dear", "Dear calls"
        # Of golden cases that are asked on a schedule.
        QUALITY = "quality", "Golden cases that fail"
        ANSWERED = "answered", "Another model answers"
        LATENCY = "latency", "Slower answers"
        COST = "cost", "Dearer answers"
        FINGERPRINT = "fingerprint", "Another set-up at the vendor"

    public_id = models.TextField(unique=True)  # chg_…
    watch = models.ForeignKey(Watch, on_delete=models.CASCADE, related_name="changes")
    # Of golden cases: of which plan. Nobody's: seen in the calls that agents made anyway.
    plan = models.ForeignKey(
        "drift.ProbePlan", null=True, blank=True, on_delete=models.CASCADE, related_name="changes"
    )
    figure = models.TextField(choices=Figure.choices)
    before = models.FloatField()  # in the reference: a share, milliseconds or micros
    after = models.FloatField()
    calls = models.PositiveIntegerField()  # in the recent sample
    score = models.FloatField()
    said = models.TextField(blank=True, default="")  # the change in a sentence
    seen_at = models.DateTimeField()
    over_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["watch", "figure"],
                condition=Q(over_at__isnull=True, plan__isnull=True),
                name="drift_change_one_at_a_time",
            ),
            models.UniqueConstraint(
                fields=["plan", "figure"],
                condition=Q(over_at__isnull=True),
                name="drift_change_one_of_a_plan",
            ),
        ]
        indexes = [models.Index(fields=["-seen_at", "-public_id"], name="drift_change_new_idx")]

    def __str__(self) -> str:
        return f"{self.get_figure_display()} of {self.watch_id}"
