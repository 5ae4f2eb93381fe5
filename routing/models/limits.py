"""What vendors' answers say of our limits there: as gateways saw it, and what of it has settled.

A gateway writes a row when an answer names other limits than the one before it; the rows are
dropped once newer ones say what they said. What has settled is one row for each model.
"""

from __future__ import annotations

from typing import Final

from django.db import models
from django.db.models import Q

from routing.models.vendor import Model

MEASURES: Final = ("requests", "tokens", "input_tokens", "output_tokens")


class LimitSeen(models.Model):
    """The limits that one answer of a vendor named, where they differed; 0: it named none."""

    model_id = models.TextField()  # mod_…
    requests = models.BigIntegerField(default=0)
    tokens = models.BigIntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    intent_id = models.TextField()  # ent_…, of the call that was answered so
    seen_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["model_id", "seen_at"], name="routing_limitseen_model_idx")]

    def __str__(self) -> str:
        return f"{self.model_id} {self.requests} {self.tokens}"


class ModelLimits(models.Model):
    """What the vendor's answers say of one model's limits, once they say so steadily."""

    model = models.OneToOneField(
        Model, on_delete=models.CASCADE, primary_key=True, related_name="limits"
    )
    requests = models.BigIntegerField(null=True, blank=True)
    tokens = models.BigIntegerField(null=True, blank=True)
    input_tokens = models.BigIntegerField(null=True, blank=True)
    output_tokens = models.BigIntegerField(null=True, blank=True)
    is_wavering = models.BooleanField(default=False)  # answers name several; these are the least
    seen_at = models.DateTimeField()  # of the newest answer that said otherwise than before
    seen_key = models.BigIntegerField()  # of that row, though it may be gone
    settled_at = models.DateTimeField()
    looks_again_at = models.DateTimeField(null=True, blank=True)  # what waits or wavers may settle

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(requests__isnull=True) | Q(requests__gt=0),
                name="routing_modellimits_requests",
            ),
            models.CheckConstraint(
                condition=Q(tokens__isnull=True) | Q(tokens__gt=0),
                name="routing_modellimits_tokens",
            ),
        ]

    def __str__(self) -> str:
        return f"limits of {self.model_id}"
