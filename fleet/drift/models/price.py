"""What a changed price comes to: for each agent, what was paid lately and what it would be now."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from registry.models import Agent
from routing.models import LifecycleChange


class PriceEffect(models.Model):
    """One change of a price, counted once, when it was seen."""

    public_id = models.TextField(unique=True)  # lch_…, the change's own
    change = models.OneToOneField(
        LifecycleChange, on_delete=models.CASCADE, related_name="price_effect"
    )
    currency = models.CharField(max_length=3)
    counted_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["-counted_at"], name="drift_priceeffect_newest_idx")]

    def __str__(self) -> str:
        return str(self.change)


class PriceEffectOnAgent(models.Model):
    """One agent's part of it, in micro-units of currency: of 30 and of 90 days."""

    effect = models.ForeignKey(PriceEffect, on_delete=models.CASCADE, related_name="agents")
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="+")
    calls = models.BigIntegerField()  # of 90 days
    paid_30 = models.BigIntegerField()
    would_30 = models.BigIntegerField()
    paid_90 = models.BigIntegerField()
    would_90 = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["effect", "agent"], name="drift_priceeffectonagent_once"
            ),
            models.CheckConstraint(
                condition=Q(paid_30__gte=0, would_30__gte=0, paid_90__gte=0, would_90__gte=0),
                name="drift_priceeffectonagent_amounts",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.effect_id} {self.agent_id}"
