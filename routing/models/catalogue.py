"""The catalogue: when each channel's models retire and what they cost, each row with its source."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models


class LifecycleRow(models.Model):
    """What one source says about one model on one platform. The same weights elsewhere differ."""

    platform = models.TextField()
    provider = models.TextField(blank=True, default="")
    model_id = models.TextField()
    model_version = models.TextField(blank=True, default="")
    canonical_id = models.TextField()
    status = models.TextField(blank=True, default="")
    announced_on = models.DateField(null=True, blank=True)
    deprecated_on = models.DateField(null=True, blank=True)
    retires_on = models.DateField(null=True, blank=True)
    date_precision = models.TextField(blank=True, default="")  # exact, earliest, not_sooner_than
    replacement = models.TextField(blank=True, default="")
    source_url = models.TextField(blank=True, default="")
    obtained_via = models.TextField(blank=True, default="")
    as_of = models.TextField(blank=True, default="")
    aliases = ArrayField(models.TextField(), default=list, blank=True)
    note = models.TextField(blank=True, default="")
    # The document it came in. What people imported and feeds brought counts before what ships.
    document = models.TextField(default="lifecycle", db_default="lifecycle")
    is_shipped = models.BooleanField(default=True, db_default=True)
    # The newest as_of of one (platform, canonical id, version) is current; when its sources
    # disagree, every date that any of them gives stands here.
    is_current = models.BooleanField(default=True)
    conflicting_dates = ArrayField(models.DateField(), default=list, blank=True)
    loaded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "platform",
                    "model_id",
                    "model_version",
                    "source_url",
                    "obtained_via",
                    "as_of",
                ],
                name="routing_lifecyclerow_one_per_source",
            )
        ]
        indexes = [
            models.Index(fields=["retires_on"], name="routing_lifecycle_date_idx"),
            models.Index(fields=["canonical_id", "platform"], name="routing_lifecycle_model_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.platform} {self.model_id}"


class Price(models.Model):
    """What a platform charges for a model, in micro-units of currency per million tokens."""

    platform = models.TextField()
    model_id = models.TextField()
    currency = models.CharField(max_length=3, default="USD")
    input_micros_per_mtok = models.BigIntegerField(null=True, blank=True)
    output_micros_per_mtok = models.BigIntegerField(null=True, blank=True)
    cached_input_micros_per_mtok = models.BigIntegerField(null=True, blank=True)
    context_tokens = models.PositiveIntegerField(null=True, blank=True)
    source = models.TextField()
    as_of = models.TextField(blank=True, default="")
    loaded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["platform", "model_id"], name="routing_price_one_per_model"
            )
        ]

    def __str__(self) -> str:
        return f"{self.platform} {self.model_id}"


class CatalogueLoad(models.Model):
    """Which document was last loaded under a name: an unchanged one is not loaded again."""

    name = models.TextField(primary_key=True)  # lifecycle, prices, or where it came from
    digest = models.TextField()
    title = models.TextField(blank=True, default="")
    as_of = models.TextField(blank=True, default="")
    rows = models.PositiveIntegerField()
    loaded_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} of {self.as_of}"
