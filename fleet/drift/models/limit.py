"""What a changed rate limit comes to: the peak of recent use, and what it would refuse."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from registry.models import Agent
from routing.models import LifecycleChange


class LimitEffect(models.Model):
    """One change of a model's limits, held once against 30 days of its use by the minute."""

    public_id = models.TextField(unique=True)  # lch_…, the change's own
    change = models.OneToOneField(
        LifecycleChange, on_delete=models.CASCADE, related_name="limit_effect"
    )
    calls = models.BigIntegerField()
    peak_calls = models.BigIntegerField()  # of the fullest minute
    peak_calls_at = models.DateTimeField(null=True, blank=True)
    peak_tokens = models.BigIntegerField()
    peak_tokens_at = models.DateTimeField(null=True, blank=True)
    minutes_over = models.BigIntegerField()
    refused_calls = models.BigIntegerField()  # that the new limits would have refused
    refused_tokens = models.BigIntegerField()  # over the new limits
    counted_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(refused_calls__gte=0, refused_calls__lte=models.F("calls")),
                name="drift_limiteffect_refused",
            )
        ]
        indexes = [models.Index(fields=["-counted_at"], name="drift_limiteffect_newest_idx")]

    def __str__(self) -> str:
        return str(self.change)


class LimitEffectOnAgent(models.Model):
    """One agent's part: its calls, and how many of them fell into what would be refused."""

    effect = models.ForeignKey(LimitEffect, on_delete=models.CASCADE, related_name="agents")
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="+")
    calls = models.BigIntegerField()
    refused_calls = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["effect", "agent"], name="drift_limiteffectonagent_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.effect_id} {self.agent_id}"
