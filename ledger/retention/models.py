"""How long payloads are kept, what is held, and what was destroyed: rows that guard themselves.

The floor, the ages, the holds and the destruction are enforced by functions and triggers of
the database (migration 0010); these models read them. The application's role can neither
destroy nor drop anything but through those functions.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from kernel.refs import Ref

LEAST_DAYS = 184


class RetentionFloor(models.Model):
    """The least number of days that payloads are kept. It only ever rises."""

    days = models.PositiveIntegerField()
    set_at = models.DateTimeField()

    class Meta:
        app_label = "ledger"
        constraints = [
            models.CheckConstraint(
                condition=Q(days__gte=LEAST_DAYS), name="ledger_retentionfloor_at_least"
            )
        ]

    def __str__(self) -> str:
        return f"{self.days} days"


class RetentionAge(models.Model):
    """How long payloads of a data class are kept, from a moment on; without days for ever."""

    data_class = models.TextField(blank=True)  # empty: every class without an age of its own
    days = models.PositiveIntegerField(null=True, blank=True)
    set_by = models.TextField()
    set_at = models.DateTimeField()
    effective_at = models.DateTimeField()
    entry = models.TextField()

    class Meta:
        app_label = "ledger"
        constraints = [
            models.CheckConstraint(
                condition=Q(effective_at__gte=models.F("set_at")),
                name="ledger_retentionage_not_backdated",
            )
        ]

    def __str__(self) -> str:
        return f"{self.data_class or 'every other class'}: {self.days or 'no end'}"


class LegalHold(models.Model):
    """What nobody may destroy for as long as the hold stands."""

    class Scope(models.TextChoices):
        AGENT = "agent"
        RUN = "run"
        DATA_SUBJECT = "data_subject"
        PERIOD = "period"
        EVERYTHING = "everything"

    public_id = models.TextField(unique=True)  # hld_…
    scope = models.TextField(choices=Scope.choices)
    subject = models.TextField(blank=True, default="")  # agent id, run id or tag
    subject_name = models.TextField(blank=True, default="")
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    reason = models.TextField()
    placed_by = models.TextField()
    placed_at = models.DateTimeField()
    entry = models.TextField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.TextField(blank=True, default="")
    ended_reason = models.TextField(blank=True, default="")
    ended_review = models.TextField(blank=True, default="")

    class Meta:
        app_label = "ledger"
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="ledger_legalhold_says_why"),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, ended_by="", ended_review="")
                | (Q(ended_at__isnull=False) & ~Q(ended_by="") & ~Q(ended_review="")),
                name="ledger_legalhold_ended_iff_agreed",
            ),
            models.CheckConstraint(
                condition=Q(
                    scope="period",
                    subject="",
                    starts_at__isnull=False,
                    ends_at__gt=models.F("starts_at"),
                )
                | Q(scope="everything", subject="", starts_at__isnull=True, ends_at__isnull=True)
                | (
                    Q(scope__in=("agent", "run", "data_subject"))
                    & Q(starts_at__isnull=True, ends_at__isnull=True)
                    & ~Q(subject="")
                ),
                name="ledger_legalhold_names_what",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} on {self.title}"

    @property
    def ref(self) -> Ref:
        return Ref("hold", self.public_id)

    @property
    def is_in_force(self) -> bool:
        return self.ended_at is None

    @property
    def title(self) -> str:
        if self.scope == self.Scope.EVERYTHING:
            return "everything"
        if self.scope == self.Scope.PERIOD:
            return f"{self.starts_at:%Y-%m-%d} to {self.ends_at:%Y-%m-%d}"
        words = {"agent": "agent", "run": "run", "data_subject": "data subject"}
        return f"{words[self.scope]} {self.subject_name or self.subject}"


class Shredding(models.Model):
    """Keys destroyed in one commit, and the line of the journal that says so."""

    class Why(models.TextChoices):
        REQUEST = "request"
        AGE = "age"
        JOURNAL = "journal"

    shred_id = models.TextField(primary_key=True)  # shr_…
    why = models.TextField(choices=Why.choices)
    keys = models.PositiveIntegerField()
    line = models.BigIntegerField()
    line_sha256 = models.BinaryField()
    # The tombstone; not yet there where keys were destroyed while nothing could be recorded.
    entry = models.TextField(null=True, blank=True)  # noqa: DJ001  absent is not empty
    shredded_at = models.DateTimeField()

    class Meta:
        app_label = "ledger"
        constraints = [
            models.UniqueConstraint(fields=["line"], name="ledger_shredding_one_per_line"),
            models.CheckConstraint(
                condition=Q(entry__isnull=False) | Q(why="journal"),
                name="ledger_shredding_has_tombstone",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.shred_id}: {self.keys} keys"


class DroppedMonth(models.Model):
    """A month whose payloads were dropped: how many they were, and by which entry."""

    month = models.TextField(primary_key=True)  # YYYY-MM
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    payloads = models.BigIntegerField()
    bytes = models.BigIntegerField()
    entry = models.TextField()
    dropped_at = models.DateTimeField()

    class Meta:
        app_label = "ledger"

    def __str__(self) -> str:
        return self.month
