"""What is known of how long models live: vendors' lists, overrides, feeds, and every change.

A row of changes is written once and never altered. What a vendor lists is kept per vendor,
because each is asked with its own secret and two accounts may be told different things.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from kernel.refs import Ref
from routing.models.vendor import Model, Vendor


class LifecycleChange(models.Model):
    """One change of what holds for a model: of its end, its price, its limits or its address."""

    class Kind(models.TextChoices):
        ANNOUNCED = "announced"
        MOVED = "moved"
        WITHDRAWN = "withdrawn"
        REPLACED = "replaced"
        RETIRED = "retired"
        PRICE = "price"
        RATE_LIMIT = "rate_limit"
        ENDPOINT = "endpoint"
        API_VERSION = "api_version"

    public_id = models.TextField(unique=True)  # lch_…
    platform = models.TextField(blank=True, default="")
    model_name = models.TextField(blank=True, default="")  # its id there
    # Neither: a row of the catalogue that nothing here uses.
    model = models.ForeignKey(
        Model, on_delete=models.CASCADE, null=True, blank=True, related_name="lifecycle_changes"
    )
    vendor = models.ForeignKey(
        Vendor, on_delete=models.CASCADE, null=True, blank=True, related_name="lifecycle_changes"
    )
    kind = models.TextField(choices=Kind.choices)
    before = models.JSONField(default=dict)  # days as ISO dates, money in micros
    after = models.JSONField(default=dict)
    source = models.TextField(blank=True, default="")
    seen_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    kind__in=(
                        "announced",
                        "moved",
                        "withdrawn",
                        "replaced",
                        "retired",
                        "price",
                        "rate_limit",
                        "endpoint",
                        "api_version",
                    )
                ),
                name="routing_lifecyclechange_kind",
            )
        ]
        indexes = [
            models.Index(fields=["seen_at"], name="routing_lifechange_seen_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.platform} {self.model_name}"

    @property
    def ref(self) -> Ref:
        return Ref("lifecycle_change", self.public_id)


class LifecycleOverride(models.Model):
    """What a person says of a model's end, and why; it holds until somebody lifts it."""

    public_id = models.TextField(unique=True)  # lov_…
    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="overrides")
    retires_on = models.DateField(null=True, blank=True)
    deprecated_on = models.DateField(null=True, blank=True)
    date_precision = models.TextField(blank=True, default="")
    replacement = models.TextField(blank=True, default="")
    source = models.TextField(blank=True, default="")  # a notice, a contract
    reason = models.TextField()
    set_by = models.TextField()
    set_at = models.DateTimeField()
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.TextField(blank=True, default="")
    lift_reason = models.TextField(blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["model"],
                condition=Q(lifted_at__isnull=True),
                name="routing_lifecycleoverride_one_in_force",
            ),
            models.CheckConstraint(
                condition=~Q(reason=""), name="routing_lifecycleoverride_has_reason"
            ),
            models.CheckConstraint(
                condition=Q(lifted_at__isnull=True, lifted_by="")
                | (Q(lifted_at__isnull=False) & ~Q(lifted_by="")),
                name="routing_lifecycleoverride_lifted_iff_stamped",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def ref(self) -> Ref:
        return Ref("lifecycle_override", self.public_id)


class VendorListing(models.Model):
    """How asking one vendor for its models went; what it said before stays until it is asked."""

    class State(models.TextChoices):
        WAITING = "waiting"
        ASKING = "asking"
        READ = "read"
        FAILED = "failed"

    vendor = models.OneToOneField(Vendor, on_delete=models.CASCADE, related_name="listing")
    state = models.TextField(choices=State.choices, default=State.WAITING)
    code = models.TextField(blank=True, default="")  # why it failed, in one word
    detail = models.TextField(blank=True, default="")
    asked_at = models.DateTimeField(null=True, blank=True)  # when somebody or the sweep asked
    began_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    read_at = models.DateTimeField(null=True, blank=True)  # the last time that it was read whole
    next_at = models.DateTimeField()
    pages = models.PositiveIntegerField(default=0)
    models_seen = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)  # in a row

    class Meta:
        indexes = [models.Index(fields=["next_at"], name="routing_vendorlisting_next_idx")]

    def __str__(self) -> str:
        return f"listing of {self.vendor_id}"


class ListedModel(models.Model):
    """What one vendor's own list says of one model, to the account that we ask with."""

    vendor = models.ForeignKey(Vendor, on_delete=models.CASCADE, related_name="listed")
    name = models.TextField()
    status = models.TextField(blank=True, default="")  # active, deprecated, retired; or unsaid
    deprecated_on = models.DateField(null=True, blank=True)
    retires_on = models.DateField(null=True, blank=True)
    date_precision = models.TextField(blank=True, default="")
    replacement = models.TextField(blank=True, default="")
    # It has spoken of this model's end at least once: from then on its silence is an answer.
    has_spoken = models.BooleanField(default=False)
    first_listed_at = models.DateTimeField()
    listed_at = models.DateTimeField()
    missing_since = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["vendor", "name"], name="routing_listedmodel_one_per_vendor"
            )
        ]

    def __str__(self) -> str:
        return self.name


class CatalogueFeed(models.Model):
    """A catalogue document that is fetched from an address again and again."""

    public_id = models.TextField(unique=True)  # ctf_…
    title = models.TextField(blank=True, default="")
    url = models.TextField()
    every_hours = models.PositiveIntegerField(default=1)
    etag = models.TextField(blank=True, default="")
    code = models.TextField(blank=True, default="")  # why the last look failed; empty: it did not
    detail = models.TextField(blank=True, default="")
    failures = models.PositiveIntegerField(default=0, db_default=0)  # in a row
    failing_since = models.DateTimeField(null=True, blank=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    loaded_at = models.DateTimeField(null=True, blank=True)
    rows = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField()
    added_by = models.TextField()
    added_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["url"],
                condition=Q(removed_at__isnull=True),
                name="routing_cataloguefeed_one_per_address",
            ),
            models.CheckConstraint(
                condition=Q(every_hours__range=(1, 720)), name="routing_cataloguefeed_every_hours"
            ),
            models.CheckConstraint(
                condition=Q(failures=0, failing_since__isnull=True)
                | Q(failures__gt=0, failing_since__isnull=False),
                name="routing_cataloguefeed_failing_since",
            ),
        ]

    def __str__(self) -> str:
        return self.url

    @property
    def ref(self) -> Ref:
        return Ref("catalogue_feed", self.public_id)

    @property
    def document(self) -> str:
        """The name under which its document is in the catalogue."""
        return f"feed:{self.public_id}"
