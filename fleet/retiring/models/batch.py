"""One step taken with many agents: previewed, begun once, and what became of each of them.

The row is the queue: a worker that is killed leaves items that wait, and another goes on.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from kernel.refs import Ref
from registry.models import Person


class Batch(models.Model):
    """One step for some agents, asked for by one person."""

    class State(models.TextChoices):
        PREVIEW = "preview", "Not begun"
        RUNNING = "running"
        DONE = "done"
        DROPPED = "dropped", "Not carried out"

    public_id = models.TextField(unique=True)  # bat_…
    step = models.TextField()
    asked = models.JSONField(default=dict)  # what the form said: a date, a successor, an owner
    reason = models.TextField(blank=True, default="")
    state = models.TextField(choices=State.choices, default=State.PREVIEW)
    made_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    roles = ArrayField(models.TextField(), default=list)  # in force when it was begun
    total = models.PositiveIntegerField()
    made_at = models.DateTimeField()
    begun_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "batches"
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["preview", "dropped"], begun_at__isnull=True)
                | Q(state__in=["running", "done"], begun_at__isnull=False),
                name="retiring_batch_begun_iff_stamped",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["preview", "running"], ended_at__isnull=True)
                | Q(state__in=["done", "dropped"], ended_at__isnull=False),
                name="retiring_batch_ended_iff_stamped",
            ),
        ]
        indexes = [models.Index(fields=["-made_at", "-public_id"], name="retiring_batch_new_idx")]

    def __str__(self) -> str:
        return f"{self.public_id} {self.step}"

    @property
    def ref(self) -> Ref:
        return Ref("batch", self.public_id)


class BatchItem(models.Model):
    """One agent of a batch, by its id: what happens to it, and what has."""

    class State(models.TextChoices):
        WAITING = "waiting"
        DONE = "done"
        REFUSED = "refused"

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="items")
    agent_id = models.TextField()  # agt_…
    agent_name = models.TextField()
    state = models.TextField(choices=State.choices, default=State.WAITING)
    detail = models.TextField(blank=True, default="")
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["batch", "agent_id"], name="retiring_batchitem_one_per_agent"
            ),
            models.CheckConstraint(
                condition=Q(state="waiting", ended_at__isnull=True)
                | (~Q(state="waiting") & Q(ended_at__isnull=False)),
                name="retiring_batchitem_ended_iff_stamped",
            ),
        ]
        indexes = [
            models.Index(
                fields=["batch", "id"],
                condition=Q(state="waiting"),
                name="retiring_batchitem_waits_idx",
            )
        ]

    def __str__(self) -> str:
        return f"{self.agent_name} in {self.batch_id}"
