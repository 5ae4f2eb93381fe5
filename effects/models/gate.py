"""What a check said of one proposed action, and what it looked at to say so."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from effects.models.proposal import Proposal
from kernel.refs import Ref


class Gate(models.Model):
    """One check of one action. The row is the queue: what waits is judged by the worker."""

    class State(models.TextChoices):
        WAITING = "waiting"
        PASSED = "passed"
        FAILED = "failed", "Not passed"

    KINDS: ClassVar[dict[str, str]] = {
        "json_schema": "JSON Schema", "rego": "Rule", "reference": "Reference",
        "second_opinion": "Second opinion",
    }  # fmt: skip

    public_id = models.TextField(unique=True)  # gat_…
    proposal = models.ForeignKey(Proposal, on_delete=models.PROTECT, related_name="gates")
    action_digest = models.TextField()  # which action was judged; an edited one is another
    name = models.TextField()
    kind = models.TextField()
    place = models.PositiveSmallIntegerField()  # in the order of the operation's checks
    state = models.TextField(choices=State.choices, default=State.WAITING)
    # Said by who wrote the check, never by a model or in an argument: those are in the entry.
    reason = models.TextField(blank=True, default="")
    entry = models.TextField(blank=True, default="")  # ent_… that recorded the verdict
    run_id = models.TextField(blank=True, default="")  # run_… of a second opinion
    attempts = models.PositiveSmallIntegerField(default=0)
    claimed_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    judged_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["proposal", "action_digest", "name"], name="effects_gate_one_per_check"
            ),
            models.CheckConstraint(
                condition=Q(state="waiting", judged_at__isnull=True, entry="")
                | (~Q(state="waiting") & Q(judged_at__isnull=False) & ~Q(entry="")),
                name="effects_gate_judged_iff_recorded",
            ),
            models.CheckConstraint(
                condition=~Q(state="failed", reason=""), name="effects_gate_failed_says_why"
            ),
        ]
        indexes = [
            models.Index(
                fields=["created_at"], condition=Q(state="waiting"), name="effects_gate_queue_idx"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.state}"

    @property
    def kind_title(self) -> str:
        return self.KINDS.get(self.kind, self.kind)

    @property
    def ref(self) -> Ref:
        return Ref("gate", self.public_id)
