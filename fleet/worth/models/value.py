"""What an owner says an accepted outcome is worth: declared, with who said so and why."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from kernel.refs import Ref
from registry.models import Agent


class DeclaredValue(models.Model):
    """The value of one outcome of one kind, of one agent; never measured, always said so."""

    RUN = "run"  # in place of an operation: a run that went well, where nothing is accepted

    public_id = models.TextField(unique=True)  # val_…
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="declared_values")
    action = models.TextField()  # connection.operation, or "run"
    value_micros = models.BigIntegerField()
    because = models.TextField()
    declared_by = models.TextField()
    declared_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "action"],
                condition=Q(ended_at__isnull=True),
                name="worth_declaredvalue_one_in_force",
            ),
            models.CheckConstraint(
                condition=Q(value_micros__gte=0) & ~Q(because=""),
                name="worth_declaredvalue_says_why",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.agent} {self.action}"

    @property
    def ref(self) -> Ref:
        return Ref("value", self.public_id)
