"""Erasures: requests to destroy what was said by an agent, or of a data subject.

The row says how far one has come; what was destroyed is in the tombstones of the ledger.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from kernel.refs import Ref


class Erasure(models.Model):
    """One request: asked for by one person, agreed to by another, carried out in steps."""

    class Scope(models.TextChoices):
        AGENT = "agent"
        DATA_SUBJECT = "data_subject"

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting for a second person"
        APPROVED = "approved", "Being carried out"
        DONE = "done"
        ENDED = "ended", "Not carried out"

    public_id = models.TextField(unique=True)  # ers_…
    scope = models.TextField(choices=Scope.choices)
    subject = models.TextField()  # agent id or tag
    subject_name = models.TextField(blank=True, default="")  # of an agent; a person has none here
    data_classes = ArrayField(models.TextField(), default=list)  # empty: all
    reason = models.TextField()
    reference = models.TextField(blank=True, default="")  # of the request it answers
    requested_by = models.TextField()
    requested_at = models.DateTimeField()
    review = models.TextField(blank=True, default="")
    state = models.TextField(choices=State.choices, default=State.WAITING)
    # What was on record by then is destroyed; stamped when it begins.
    until = models.DateTimeField(null=True, blank=True)
    keys_destroyed = models.BigIntegerField(default=0)
    keys_held = models.BigIntegerField(default=0)
    closed_at = models.DateTimeField(null=True, blank=True)
    entry = models.TextField(blank=True, default="")  # erasure.completed

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["scope", "subject"],
                condition=Q(state__in=("waiting", "approved")),
                name="routing_erasure_one_under_way",
            ),
            models.CheckConstraint(
                condition=Q(state__in=("waiting", "approved"), closed_at__isnull=True)
                | Q(state__in=("done", "ended"), closed_at__isnull=False),
                name="routing_erasure_closed_iff_stamped",
            ),
            models.CheckConstraint(
                condition=Q(state__in=("waiting", "ended")) | Q(until__isnull=False),
                name="routing_erasure_until_a_moment",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="routing_erasure_says_why"),
        ]
        indexes = [models.Index(fields=["-requested_at"], name="routing_erasure_newest_idx")]

    def __str__(self) -> str:
        return f"{self.public_id} of {self.title}"

    @property
    def ref(self) -> Ref:
        return Ref("erasure", self.public_id)

    @property
    def title(self) -> str:
        if self.scope == self.Scope.AGENT:
            return f"agent {self.subject_name or self.subject}"
        return f"data subject {self.subject}"
