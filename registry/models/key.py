"""The keys agents hold: keyed hashes with an expiry, never the keys themselves."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from registry.models.agent import Agent


class AgentKey(models.Model):
    """What an agent presents to the gateway. Shown once when made; only its hash is kept."""

    public_id = models.TextField(unique=True)  # key_…
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="keys")
    key_id = models.TextField(unique=True)  # the id inside the key, in the clear
    pepper_id = models.TextField()
    digest = models.BinaryField()
    name = models.TextField(blank=True, default="")
    created_by = models.TextField()
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.TextField(blank=True, default="")
    revoked_reason = models.TextField(blank=True, default="")
    rotated_to = models.OneToOneField(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="rotated_from"
    )
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at")), name="registry_agentkey_expires_later"
            ),
            models.CheckConstraint(
                condition=Q(revoked_at__isnull=False) | Q(revoked_by="", revoked_reason=""),
                name="registry_agentkey_revoked_iff_stamped",
            ),
        ]

    def __str__(self) -> str:
        return f"usp_{self.key_id}_•••"
