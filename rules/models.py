"""The bundles that a company may judge by, and which of them it judged by, from when to when.

A bundle is its bytes: it is kept whole, named by their digest, and never changed. What is in
force is the one activation without an end; the gateways follow it, and so do proposals.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from kernel.refs import Ref


class Bundle(models.Model):
    """Rego, its data and its tests, as they were uploaded or shipped."""

    class Origin(models.TextChoices):
        SHIPPED = "shipped"
        UPLOADED = "uploaded"

    public_id = models.TextField(unique=True)  # pol_…
    digest = models.TextField(unique=True)  # of the packed modules and data: what judges
    title = models.TextField()
    note = models.TextField(blank=True, default="")
    origin = models.TextField(choices=Origin.choices)
    packed = models.BinaryField()  # modules and data, as policy.bundle packs them
    tests = models.BinaryField(default=b"")  # the _test.rego files, packed alike
    added_by = models.TextField()
    added_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(digest__startswith="sha256:"), name="rules_bundle_named_by_digest"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title} ({self.digest[:19]})"

    @property
    def ref(self) -> Ref:
        return Ref("bundle", self.public_id)


class Activation(models.Model):
    """One stretch of time in which a bundle judged. The newest has no end."""

    public_id = models.TextField(unique=True)  # pac_…
    bundle = models.ForeignKey(Bundle, on_delete=models.PROTECT, related_name="activations")
    review_id = models.TextField(blank=True, default="")  # rev_…; empty for what was shipped
    reason = models.TextField()
    activated_by = models.TextField()
    activated_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                models.Value(1),
                condition=Q(ended_at__isnull=True),
                name="rules_activation_one_in_force",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="rules_activation_has_reason"),
        ]
        indexes = [models.Index(fields=["-activated_at"], name="rules_activation_newest_idx")]

    def __str__(self) -> str:
        return f"{self.bundle_id} from {self.activated_at}"

    @property
    def ref(self) -> Ref:
        return Ref("activation", self.public_id)
