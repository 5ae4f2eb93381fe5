"""How people get in: one-time links, and the brake on guessing."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from registry.models.person import Person


class SignInLink(models.Model):
    """A link that signs one person in once; only its hash is kept."""

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="sign_in_links")
    digest = models.BinaryField(unique=True)  # SHA-256 of a 256-bit secret
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at")),
                name="registry_signinlink_expires_later",
            )
        ]

    def __str__(self) -> str:
        return f"sign-in link of {self.person}"


class SignInBrake(models.Model):
    """How often guesses failed lately, for one account from one address or one address alone.

    Never for an account alone: that would let anybody lock anybody out.
    """

    bucket = models.BinaryField(unique=True)  # keyed hash: what people mistype is not kept
    failures = models.PositiveIntegerField(default=0)
    failed_at = models.DateTimeField()
    free_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["failed_at"], name="registry_signinbrake_age_idx")]

    def __str__(self) -> str:
        return f"{self.failures} failures until {self.failed_at:%H:%M:%S}"
