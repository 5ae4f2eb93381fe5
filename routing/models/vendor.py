"""Vendors and the models each of them serves here."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from kernel.refs import Ref


def everyday_classes() -> list[str]:
    """Give a new vendor the data classes that need no special agreement."""
    return ["public", "internal"]


class Vendor(models.Model):
    """A place that serves models over HTTP; its address is bound to its secret."""

    class Dialect(models.TextChoices):
        OPENAI = "openai"
        ANTHROPIC = "anthropic"

    class AuthScheme(models.TextChoices):
        BEARER = "bearer"
        X_API_KEY = "x-api-key"
        NONE = "none"

    public_id = models.TextField(unique=True)  # ven_…
    name = models.SlugField(unique=True, max_length=63)
    title = models.TextField(blank=True, default="")
    platform = models.TextField(blank=True, default="")  # catalogue platform: openai, azure, …
    dialect = models.TextField(choices=Dialect.choices)
    base_url = models.TextField()  # up to and including /v1
    auth_scheme = models.TextField(choices=AuthScheme.choices, default=AuthScheme.BEARER)
    # What it takes of a call (routing.gateway.profiles); empty: every call as it came.
    profile = models.TextField(blank=True, default="", db_default="")
    regions = ArrayField(models.TextField(), default=list, blank=True)
    data_classes = ArrayField(models.TextField(), default=everyday_classes)
    disabled_at = models.DateTimeField(null=True, blank=True)
    disabled_reason = models.TextField(blank=True, default="")
    last_tested_at = models.DateTimeField(null=True, blank=True)
    last_test = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(base_url__startswith="https://") | Q(base_url__startswith="http://"),
                name="routing_vendor_http_address",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def ref(self) -> Ref:
        return Ref("vendor", self.public_id)


class Model(models.Model):
    """A model as one vendor serves it: its id on that vendor's wire, its price, its limits."""

    public_id = models.TextField(unique=True)  # mod_…
    vendor = models.ForeignKey(Vendor, on_delete=models.PROTECT, related_name="models")
    name = models.TextField()  # the id on the vendor's wire
    currency = models.CharField(max_length=3, default="USD")
    # Prices are micro-units of currency per million tokens; null means unknown, never free.
    input_micros_per_mtok = models.BigIntegerField(null=True, blank=True)
    output_micros_per_mtok = models.BigIntegerField(null=True, blank=True)
    cached_input_micros_per_mtok = models.BigIntegerField(null=True, blank=True)
    price_source = models.TextField(blank=True, default="")
    context_tokens = models.PositiveIntegerField(null=True, blank=True)
    max_output_tokens = models.PositiveIntegerField(null=True, blank=True)
    retires_on = models.DateField(null=True, blank=True)
    deprecated_on = models.DateField(null=True, blank=True)
    replacement = models.TextField(blank=True, default="")
    lifecycle_source = models.TextField(blank=True, default="")
    lifecycle_as_of = models.TextField(blank=True, default="")
    # What of these holds is decided in routing.actions.linking, and only there.
    date_precision = models.TextField(blank=True, default="", db_default="")
    not_before = models.DateField(null=True, blank=True)  # a promise, never an end
    lifecycle_status = models.TextField(blank=True, default="", db_default="")
    fate_from = models.TextField(blank=True, default="", db_default="")  # which kind of source
    fate_conflicts = models.JSONField(null=True, blank=True)  # what other sources say instead
    requests_per_minute = models.PositiveIntegerField(null=True, blank=True)
    tokens_per_minute = models.PositiveBigIntegerField(null=True, blank=True)
    disabled_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["vendor", "name"], name="routing_model_one_per_vendor"),
            models.CheckConstraint(
                condition=Q(input_micros_per_mtok__isnull=True) | Q(input_micros_per_mtok__gte=0),
                name="routing_model_price_not_negative",
            ),
        ]
        indexes = [models.Index(fields=["retires_on"], name="routing_model_retires_idx")]

    def __str__(self) -> str:
        return f"{self.vendor}/{self.name}"

    @property
    def ref(self) -> Ref:
        return Ref("model", self.public_id)
