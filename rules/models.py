"""What a company judges by: its bundles, which was in force when, and what it granted.

A bundle is its bytes: it is kept whole, named by their digest, and never changed. What is in
force is the one activation without an end; the gateways follow it, and so do proposals. A
grant answers what policy asks about the calls of one agent, until a moment.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from kernel.refs import Ref
from registry.models import Agent
from rules.trying.models import Change as Change
from rules.trying.models import Question as Question
from rules.trying.models import Trial as Trial


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
    tests = models.BinaryField(default=b"")  # the _test.rego files and cases.json, packed alike
    checked = models.JSONField(default=dict)  # what its cases came to, as it was kept
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


class Grant(models.Model):
    """One agent may send one class of data to one vendor, until a moment; asked for first."""

    class State(models.TextChoices):
        ASKED = "asked"
        GIVEN = "given"
        REFUSED = "refused"
        REVOKED = "revoked"

    public_id = models.TextField(unique=True)  # grt_…
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="grants")
    vendor = models.TextField()  # by name, as routes and bundles know it
    data_class = models.TextField()
    until = models.DateTimeField()
    state = models.TextField(choices=State.choices, default=State.ASKED)
    review_id = models.TextField(blank=True, default="")  # rev_…
    asked_by = models.TextField()
    asked_at = models.DateTimeField()
    given_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)  # refused or revoked
    ended_by = models.TextField(blank=True, default="")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state="asked", given_at=None, ended_at=None)
                | Q(state="given", given_at__isnull=False, ended_at=None)
                | Q(state="refused", given_at=None, ended_at__isnull=False)
                | Q(state="revoked", given_at__isnull=False, ended_at__isnull=False),
                name="rules_grant_state_iff_stamped",
            ),
            models.UniqueConstraint(
                fields=["agent", "vendor", "data_class"],
                condition=Q(state="asked"),
                name="rules_grant_asked_once",
            ),
        ]
        indexes = [models.Index(fields=["-asked_at"], name="rules_grant_newest_idx")]

    def __str__(self) -> str:
        return f"{self.agent_id}: {self.data_class} to {self.vendor}"

    @property
    def ref(self) -> Ref:
        return Ref("grant", self.public_id)
