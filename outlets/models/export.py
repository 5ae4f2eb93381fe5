"""An export that the worker makes: the row is the queue, and says how far it has come."""

from __future__ import annotations

from typing import Final

from django.db import models
from django.db.models import Q

from kernel.refs import Ref

UNDER_WAY: Final = ("waiting", "writing", "sending")


class Export(models.Model):
    """One file, from the moment it was asked for until its bytes are removed."""

    class State(models.TextChoices):
        WAITING = "waiting"
        WRITING = "writing"
        SENDING = "sending"  # to its target
        READY = "ready"
        FAILED = "failed"
        CANCELLED = "cancelled"
        EXPIRED = "expired"  # the file is gone, the row stays

    public_id = models.TextField(unique=True)  # exp_…
    state = models.TextField(choices=State.choices, default=State.WAITING)
    scope = models.JSONField()  # as the format writes it
    title = models.TextField()  # the scope in words
    with_payloads = models.BooleanField()
    reason = models.TextField()
    asked_by = models.TextField()
    asked_at = models.DateTimeField()
    target = models.ForeignKey(
        "outlets.Target", null=True, blank=True, on_delete=models.PROTECT, related_name="exports"
    )
    schedule = models.ForeignKey(
        "outlets.Schedule", null=True, blank=True, on_delete=models.PROTECT, related_name="exports"
    )
    plan = models.JSONField(null=True, blank=True)  # fixed when the first byte is written
    after = models.JSONField(null=True, blank=True)  # the entry that was reached
    expected = models.BigIntegerField(null=True, blank=True)
    entries = models.BigIntegerField(default=0)
    size = models.BigIntegerField(default=0)  # bytes that are safe on the disk
    sha256 = models.TextField(blank=True, default="")
    sent = models.JSONField(null=True, blank=True)  # an upload under way: its id, its parts
    place = models.TextField(blank=True, default="")  # where the target has it
    failure = models.TextField(blank=True, default="")  # one of a fixed list, in words
    attempts = models.IntegerField(default=0)  # that failed in a row
    again_at = models.DateTimeField(null=True, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=UNDER_WAY, finished_at__isnull=True)
                | (~Q(state__in=UNDER_WAY) & Q(finished_at__isnull=False)),
                name="outlets_export_finished_iff_stamped",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="outlets_export_has_reason"),
            models.CheckConstraint(
                condition=~Q(state="ready") | ~Q(sha256=""), name="outlets_export_ready_has_hash"
            ),
            models.UniqueConstraint(
                fields=["schedule"],
                condition=Q(state__in=UNDER_WAY),
                name="outlets_export_one_under_way_per_schedule",
            ),
        ]
        indexes = [
            models.Index(fields=["-asked_at", "-public_id"], name="outlets_export_newest_idx"),
            models.Index(
                fields=["asked_at"],
                condition=Q(state__in=UNDER_WAY),
                name="outlets_export_open_idx",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} {self.title}"

    @property
    def ref(self) -> Ref:
        return Ref("export", self.public_id)

    @property
    def is_under_way(self) -> bool:
        return self.state in UNDER_WAY

    @property
    def percent(self) -> int:
        """How much of it is written; what follows the entries counts as the last hundredth."""
        if self.state == self.State.READY:
            return 100
        return min(99, self.entries * 99 // self.expected) if self.expected else 0

    @property
    def ratio(self) -> float:
        return self.percent / 100

    @property
    def filename(self) -> str:
        return f"{self.public_id}.jsonl"
