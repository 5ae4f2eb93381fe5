"""Where sightings come from: connected accounts, and each single reading of a source.

A reading's row is the queue and says how far it has come. What it found is written at its
end in one transaction, so one that is killed begins anew and counts nothing twice.
"""

from __future__ import annotations

from typing import Final

from django.db import models
from django.db.models import F, Q

from kernel.refs import Ref

UNDER_WAY: Final = ("waiting", "reading")


class Source(models.Model):
    """An account of a vendor or gateway whose inventory is read; its key is sealed elsewhere."""

    class Kind(models.TextChoices):
        OPENAI = "openai", "OpenAI organization"
        ANTHROPIC = "anthropic", "Anthropic organization"
        LITELLM = "litellm", "LiteLLM proxy"

    public_id = models.TextField(unique=True)  # src_…
    name = models.TextField(unique=True)
    kind = models.TextField(choices=Kind.choices)
    base_url = models.TextField()
    # Plain http and addresses inside, as an administrator of the platform decided.
    allow_private = models.BooleanField(default=False)
    every_hours = models.IntegerField(default=24)
    next_at = models.DateTimeField()
    failures = models.IntegerField(default=0)  # in a row
    failure = models.TextField(blank=True, default="")  # one of a fixed list, in words
    last_read_at = models.DateTimeField(null=True, blank=True)
    added_by = models.TextField()
    added_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(every_hours__gte=1, every_hours__lte=720),
                name="discovery_source_hours_to_a_month",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def ref(self) -> Ref:
        return Ref("discovery_source", self.public_id)


class Reading(models.Model):
    """One reading of one file or account, from the moment it was asked for."""

    class State(models.TextChoices):
        WAITING = "waiting"
        READING = "reading"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    public_id = models.TextField(unique=True)  # rdg_…
    kind = models.TextField()  # of signs.FORMATS
    source = models.ForeignKey(
        Source, null=True, blank=True, on_delete=models.PROTECT, related_name="readings"
    )
    state = models.TextField(choices=State.choices, default=State.WAITING)
    title = models.TextField()
    size = models.BigIntegerField(default=0)
    sha256 = models.TextField(blank=True, default="")
    # Of a file that comes in parts, how much of it is here; null: it came whole.
    received = models.BigIntegerField(null=True, blank=True)
    reached = models.BigIntegerField(default=0)  # bytes
    lines = models.BigIntegerField(default=0)
    understood = models.BigIntegerField(default=0)
    passed = models.BigIntegerField(default=0)  # read, and about nothing that is looked for
    malformed = models.BigIntegerField(default=0)
    samples = models.JSONField(default=list, blank=True)  # number and reason, never the line
    overflow = models.BigIntegerField(default=0)  # sightings beyond what one reading may hold
    ours = models.BigIntegerField(default=0)  # lines of gateways here to connected vendors
    found = models.IntegerField(default=0)
    seen_again = models.IntegerField(default=0)
    known = models.IntegerField(default=0)  # belong to agents of the registry
    attempts = models.IntegerField(default=0)
    failure = models.TextField(blank=True, default="")
    asked_by = models.TextField()
    asked_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=UNDER_WAY, finished_at__isnull=True)
                | (~Q(state__in=UNDER_WAY) & Q(finished_at__isnull=False)),
                name="discovery_reading_finished_iff_stamped",
            ),
            models.CheckConstraint(
                condition=Q(received__isnull=True) | Q(received__gte=0, received__lte=F("size")),
                name="discovery_reading_received_within_size",
            ),
            models.UniqueConstraint(
                fields=["source"],
                condition=Q(state__in=UNDER_WAY),
                name="discovery_reading_one_under_way",
            ),
        ]
        indexes = [
            models.Index(fields=["-asked_at", "-public_id"], name="discovery_reading_new_idx"),
            models.Index(
                fields=["asked_at"],
                condition=Q(state__in=UNDER_WAY),
                name="discovery_reading_open_idx",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} {self.title}"

    @property
    def ref(self) -> Ref:
        return Ref("reading", self.public_id)

    @property
    def is_under_way(self) -> bool:
        return self.state in UNDER_WAY

    @property
    def is_coming(self) -> bool:
        """Whether a part of its file has not come yet."""
        return self.is_under_way and self.received is not None and self.received < self.size

    @property
    def percent(self) -> int:
        """How much of it is read; while it comes, how much is here."""
        there = (self.received or 0) if self.is_coming else self.reached
        return min(99, there * 100 // self.size) if self.size else 0

    @property
    def ratio(self) -> float:
        return self.percent / 100
