"""Where copies go, and how often: each scheduled copy begins where the one before ended."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from kernel.refs import Ref


class Target(models.Model):
    """A place outside for files. Its secret is sealed elsewhere and opened by the worker only."""

    class Kind(models.TextChoices):
        DIRECTORY = "directory"
        S3 = "s3"

    public_id = models.TextField(unique=True)  # tgt_…
    name = models.TextField(unique=True)
    kind = models.TextField(choices=Kind.choices)
    prefix = models.TextField(blank=True, default="")  # of names; a directory's own folder
    endpoint = models.TextField(blank=True, default="")
    region = models.TextField(blank=True, default="")
    bucket = models.TextField(blank=True, default="")
    access_key = models.TextField(blank=True, default="")  # names the key; is not the secret
    lock_days = models.IntegerField(default=0)  # object lock (compliance), 0: none
    # Plain http and addresses inside, as an administrator of the platform decided.
    allow_private = models.BooleanField(default=False)
    added_by = models.TextField()
    added_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="directory", endpoint="", bucket="")
                | (Q(kind="s3") & ~Q(endpoint="") & ~Q(bucket="")),
                name="outlets_target_s3_has_bucket",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def ref(self) -> Ref:
        return Ref("target", self.public_id)


class Schedule(models.Model):
    """A copy of everything new, every day or month. ``reached`` is where the next one begins."""

    class Every(models.TextChoices):
        DAY = "day"
        MONTH = "month"

    public_id = models.TextField(unique=True)  # sch_…
    target = models.ForeignKey(Target, on_delete=models.PROTECT, related_name="schedules")
    every = models.TextField(choices=Every.choices)
    with_payloads = models.BooleanField()
    reason = models.TextField()
    reached = models.JSONField(default=dict)  # size by epoch, of the last copy that is out
    next_at = models.DateTimeField()
    late_since = models.DateTimeField(null=True, blank=True)
    added_by = models.TextField()
    added_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="outlets_schedule_has_reason"),
        ]

    def __str__(self) -> str:
        return f"every {self.every} to {self.target_id}"

    @property
    def ref(self) -> Ref:
        return Ref("schedule", self.public_id)
