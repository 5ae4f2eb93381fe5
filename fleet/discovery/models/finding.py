"""What was found and is not registered: one row for one thing, whoever saw it and how often.

A thing is known by merge keys, stored as keyed hashes: two sources that name the same key
speak of one finding. What was seen stands in evidence rows, one for each source and file,
so that importing a file twice changes nothing.
"""

from __future__ import annotations

from typing import Final

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from kernel import clock
from kernel.refs import Ref

OPEN: Final = ("new", "assigned")


class Finding(models.Model):
    """Something that calls models, or could, and is no agent of the registry."""

    class Kind(models.TextChoices):
        VENDOR_KEY = "vendor_key", "a vendor's key"
        HARD_CODED_KEY = "hard_coded_key", "a key written in code"
        REPOSITORY = "repository", "a repository"
        TRAFFIC = "traffic", "traffic past the gateway"
        GATEWAY_KEY = "gateway_key", "a key of another gateway"
        AGENT = "agent", "an agent of another platform"

    class State(models.TextChoices):
        NEW = "new"
        ASSIGNED = "assigned"
        CLAIMED = "claimed"
        MERGED = "merged"
        BLOCKED = "blocked"
        DISMISSED = "dismissed"

    public_id = models.TextField(unique=True)  # fnd_…
    kind = models.TextField(choices=Kind.choices)
    title = models.TextField()
    vendor = models.TextField(blank=True, default="")
    state = models.TextField(choices=State.choices, default=State.NEW)
    sources = ArrayField(models.TextField(), default=list, blank=True)
    flags = ArrayField(models.TextField(), default=list, blank=True)  # of signs.FLAGS
    model_ids = ArrayField(models.TextField(), default=list, blank=True)
    retires_on = models.DateField(null=True, blank=True)  # the first of its models to end
    retiring_model = models.TextField(blank=True, default="")
    confidence = models.FloatField(default=0.0)
    calls = models.BigIntegerField(default=0)
    cost_micros = models.BigIntegerField(default=0)
    risk = models.IntegerField(default=0)  # 0 to 100
    risk_parts = models.JSONField(default=list, blank=True)
    # Who is asked, who it probably is, and why.
    owner = models.ForeignKey(
        "registry.Person",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="findings",
    )
    likely = models.ForeignKey(
        "registry.Person", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    likely_reasons = models.JSONField(default=list, blank=True)
    # The agent it belongs to, or probably belongs to.
    agent = models.ForeignKey(
        "registry.Agent", null=True, blank=True, on_delete=models.SET_NULL, related_name="findings"
    )
    resembles = models.ForeignKey(
        "registry.Agent", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    resembles_reasons = models.JSONField(default=list, blank=True)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    found_at = models.DateTimeField()  # by us: what it claims of itself may be years older
    assigned_at = models.DateTimeField(null=True, blank=True)
    due_on = models.DateField(null=True, blank=True)
    reminded = models.IntegerField(null=True, blank=True)  # days left at the last reminder
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_by = models.TextField(blank=True, default="")
    reason = models.TextField(blank=True, default="")  # why it was dismissed, how it was blocked
    settled_signs = models.TextField(blank=True, default="")  # digest of what was known then
    forgotten_at = models.DateTimeField(null=True, blank=True)  # people and addresses removed

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=OPEN, settled_at__isnull=True)
                | (~Q(state__in=OPEN) & Q(settled_at__isnull=False)),
                name="discovery_finding_settled_iff_stamped",
            ),
            models.CheckConstraint(
                condition=~Q(state="assigned") | Q(owner__isnull=False, due_on__isnull=False),
                name="discovery_finding_assigned_has_owner",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["blocked", "dismissed"]) | ~Q(reason=""),
                name="discovery_finding_ended_has_reason",
            ),
            models.CheckConstraint(
                condition=Q(risk__gte=0, risk__lte=100), name="discovery_finding_risk_to_hundred"
            ),
        ]
        indexes = [
            models.Index(fields=["-risk", "-public_id"], name="discovery_finding_risk_idx"),
            models.Index(fields=["-found_at", "-public_id"], name="discovery_finding_new_idx"),
            models.Index(fields=["owner", "state"], name="discovery_finding_owner_idx"),
            models.Index(
                fields=["due_on"], condition=Q(state="assigned"), name="discovery_finding_due_idx"
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def ref(self) -> Ref:
        return Ref("finding", self.public_id)

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def is_broken(self) -> bool:
        """Whether the day on which its model ends is past."""
        return self.retires_on is not None and self.retires_on < clock.now().date()


class MergeKey(models.Model):
    """One name under which a finding is known, as a keyed hash: the names hold people and hosts."""

    finding = models.ForeignKey(Finding, on_delete=models.CASCADE, related_name="keys")
    digest = models.TextField(unique=True)

    def __str__(self) -> str:
        return self.digest


class Evidence(models.Model):
    """What one source said of a finding. The same file, read again, is the same evidence."""

    finding = models.ForeignKey(Finding, on_delete=models.CASCADE, related_name="evidence")
    source = models.TextField()  # of signs.SOURCES
    batch = models.TextField()  # digest of the file, id of the connection, name of the repository
    summary = models.TextField()
    facts = models.JSONField(default=dict, blank=True)
    flags = ArrayField(models.TextField(), default=list, blank=True)
    model_ids = ArrayField(models.TextField(), default=list, blank=True)
    confidence = models.FloatField()
    calls = models.BigIntegerField(default=0)
    cost_micros = models.BigIntegerField(default=0)
    # Addresses and names of people: for finding the owner, forgotten some time after the end.
    people = models.JSONField(default=list, blank=True)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["finding", "source", "batch"], name="discovery_evidence_once"
            ),
            models.CheckConstraint(
                condition=Q(confidence__gte=0, confidence__lte=1),
                name="discovery_evidence_confidence_to_one",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source}: {self.summary}"


class NamedModel(models.Model):
    """A place in a repository that names a model."""

    finding = models.ForeignKey(Finding, on_delete=models.CASCADE, related_name="named_models")
    path = models.TextField()
    line = models.IntegerField()
    model_id = models.TextField()
    # In a comment, a test or a text: such a place breaks nothing.
    is_weak = models.BooleanField(default=False)
    retires_on = models.DateField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["finding", "path", "line", "model_id"], name="discovery_namedmodel_once"
            )
        ]
        indexes = [models.Index(fields=["model_id"], name="discovery_namedmodel_idx")]

    def __str__(self) -> str:
        return f"{self.path}:{self.line} {self.model_id}"
