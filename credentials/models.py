"""What is lent: sealed vendor and tool secrets. There is no column that could be read back."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class Secret(models.Model):
    """One version of a secret for one holder, sealed to a ring. Only the ring's keeper opens it."""

    class Ring(models.TextChoices):
        VENDOR = "vendor"
        TOOL = "tool"

    public_id = models.TextField(unique=True)  # sec_…, part of the associated data
    ring = models.TextField(choices=Ring.choices)
    holder = models.TextField()  # a reference such as vendor:ven_…
    version = models.PositiveIntegerField()
    ring_key_id = models.TextField()
    wrapped_key = models.BinaryField()
    nonce = models.BinaryField()
    ciphertext = models.BinaryField()
    hint = models.TextField(blank=True, default="")  # last four characters of long secrets only
    created_by = models.TextField()
    created_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["holder", "version"], name="credentials_secret_one_per_version"
            ),
            models.UniqueConstraint(
                fields=["holder"],
                condition=Q(retired_at__isnull=True),
                name="credentials_secret_one_current",
            ),
        ]
        indexes = [models.Index(fields=["ring", "ring_key_id"], name="credentials_secret_ring_idx")]

    def __str__(self) -> str:
        return f"{self.public_id} (version {self.version} of {self.holder})"


class RingRotation(models.Model):
    """One rotation of a ring, from its new key to the end of the old ones; resumed if cut off."""

    class Ring(models.TextChoices):
        VENDOR = "vendor"
        TOOL = "tool"
        PAYLOAD = "payload"

    ring = models.TextField(choices=Ring.choices)
    ring_key_id = models.TextField()
    started_by = models.TextField()
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["ring", "ring_key_id"], name="credentials_ringrotation_one_per_key"
            ),
            models.UniqueConstraint(
                fields=["ring"],
                condition=Q(finished_at__isnull=True),
                name="credentials_ringrotation_one_at_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.ring} to {self.ring_key_id}"
