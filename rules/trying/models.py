"""A bundle tried on past decisions: how far that is, each distinct question, what would change.

Owns no facts of any decision: those are where they were recorded, and a question is named by
their digest. The row of a trial is the queue.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import models
from django.db.models import Q

from kernel.refs import Ref

UNDER_WAY: Final = ("waiting", "reading", "judging")


class Trial(models.Model):
    """One bundle against what was decided in a stretch of time."""

    class State(models.TextChoices):
        WAITING = "waiting"
        READING = "reading"
        JUDGING = "judging"
        READY = "ready"
        FAILED = "failed"
        CANCELLED = "cancelled"

    public_id = models.TextField(unique=True)  # trl_…
    bundle = models.ForeignKey("rules.Bundle", on_delete=models.PROTECT, related_name="trials")
    days = models.PositiveIntegerField()
    asked_by = models.TextField()
    asked_at = models.DateTimeField()
    state = models.TextField(choices=State.choices, default=State.WAITING)
    leased_until = models.DateTimeField(null=True, blank=True)
    # Entries from the first to the last are read; `reached` is safe.
    first = models.BigIntegerField(default=0)
    last = models.BigIntegerField(default=0)
    reached = models.BigIntegerField(default=0)
    decisions = models.BigIntegerField(default=0)
    questions = models.BigIntegerField(default=0)  # distinct ones
    judged = models.BigIntegerField(default=0)
    opens_payloads = models.BooleanField(default=False)  # that it does is on record
    failure = models.TextField(blank=True, default="")
    attempts = models.PositiveSmallIntegerField(default=0)
    # What became of the decisions, by name; written when the trial ends.
    counts = models.JSONField(default=dict)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=UNDER_WAY, finished_at__isnull=True)
                | (~Q(state__in=UNDER_WAY) & Q(finished_at__isnull=False)),
                name="rules_trial_finished_iff_over",
            ),
            models.UniqueConstraint(
                fields=["bundle"],
                condition=Q(state__in=UNDER_WAY),
                name="rules_trial_one_under_way",
            ),
        ]
        indexes = [
            models.Index(fields=["bundle", "-asked_at"], name="rules_trial_newest_idx"),
            models.Index(
                fields=["asked_at"], condition=Q(state__in=UNDER_WAY), name="rules_trial_queue_idx"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def ref(self) -> Ref:
        return Ref("trial", self.public_id)

    @property
    def begins_at(self) -> datetime:
        return self.asked_at - timedelta(days=self.days)

    @property
    def is_under_way(self) -> bool:
        return self.state in UNDER_WAY

    @property
    def ratio(self) -> float:
        """How far it is: reading is a fifth of the way, judging the rest."""
        if not self.is_under_way:
            return 1.0
        read = (self.reached - self.first) / max(self.last - self.first, 1)
        if self.state != Trial.State.JUDGING:
            return max(0.0, min(read, 1.0)) * 0.2
        return 0.2 + 0.8 * min(self.judged / max(self.questions, 1), 1.0)

    @property
    def percent(self) -> int:
        return int(self.ratio * 100)


class Question(models.Model):
    """One distinct question and what was answered; many decisions may stand behind it.

    Those that would be answered as they were are removed when the trial ends.
    """

    class Source(models.TextChoices):
        CALL = "call"
        ACTION = "action"

    class Found(models.TextChoices):
        """What became of it; empty before it is judged."""

        UNCHANGED = "unchanged"
        LOOSER = "looser"
        STRICTER = "stricter"
        OTHERWISE = "otherwise"  # another rule, or constraints that are neither
        UNREADABLE = "unreadable"  # its facts are not kept any more
        UNANSWERED = "unanswered"  # there was no clean answer then
        NO_ANSWER = "no_answer"  # there is none now: the bundle failed on it

    class Own(models.TextChoices):
        """Whether its own bundle, asked again, answers what is on record."""

        IDENTICAL = "identical"
        DIFFERENT = "different"
        UNKNOWN = "unknown"  # the bundle, or the facts, are not here

    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="asked")
    source = models.TextField(choices=Source.choices)
    input_digest = models.TextField()
    bundle_digest = models.TextField()
    agent_id = models.TextField(blank=True)  # agt_…
    answer = models.TextField()  # allow, ask, deny
    rule = models.TextField()
    decisions = models.BigIntegerField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    entry_id = models.TextField()  # one of the entries
    found = models.TextField(choices=Found.choices, blank=True, default="")
    own = models.TextField(choices=Own.choices, blank=True, default="")
    new_answer = models.TextField(blank=True, default="")
    new_rule = models.TextField(blank=True, default="")
    constraints = models.JSONField(default=dict)  # of those that change: name → [old, new]
    owner = models.TextField(blank=True, default="")  # per_…, of the agent when it was tried

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["trial", "input_digest", "bundle_digest", "agent_id", "answer", "rule"],
                name="rules_question_asked_once",
            ),
        ]
        indexes = [
            models.Index(
                fields=["trial", "bundle_digest", "id"],
                condition=Q(found=""),
                name="rules_question_to_judge_idx",
            ),
            models.Index(fields=["trial", "found", "-decisions"], name="rules_question_found_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.input_digest[:19]} in {self.trial_id}"


class Change(models.Model):
    """Decisions of one agent that would change in the same way: complete, whatever was left out."""

    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="changes")
    agent_id = models.TextField(blank=True)
    owner = models.TextField(blank=True)
    found = models.TextField(choices=Question.Found.choices)
    answer = models.TextField()
    rule = models.TextField()
    new_answer = models.TextField()
    new_rule = models.TextField()
    constraints = models.JSONField(default=dict)
    questions = models.BigIntegerField()
    decisions = models.BigIntegerField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    entry_id = models.TextField()  # one of the entries

    class Meta:
        indexes = [
            models.Index(fields=["trial", "-decisions", "id"], name="rules_change_most_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.agent_id}: {self.answer} → {self.new_answer}"
