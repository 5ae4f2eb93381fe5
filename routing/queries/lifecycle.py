"""Reading what changed of models, and how vendors' own lists stand.

An address is for those who govern; that it changed is everybody's.
"""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from registry.actors import Actor
from routing.models import (
    CatalogueFeed,
    LifecycleChange,
    LifecycleOverride,
    ListedModel,
    Model,
    ModelLimits,
    Vendor,
    VendorListing,
)


def changes_for(
    actor: Actor, *, since: datetime | None = None, kind: str = "", model: str = ""
) -> QuerySet[LifecycleChange]:
    """Return changes, the newest first."""
    rows = LifecycleChange.objects.select_related("model", "vendor")
    if since is not None:
        rows = rows.filter(seen_at__gte=since)
    if kind:
        rows = rows.filter(kind=kind)
    if model:
        rows = rows.filter(model__public_id="" if "\x00" in model else model)
    return rows.order_by("-id")


def changes_of(model: Model, *, limit: int = 30) -> list[LifecycleChange]:
    """Return what changed of one model, the newest first."""
    return list(LifecycleChange.objects.filter(model=model).order_by("-id")[:limit])


def override_of(model: Model) -> LifecycleOverride | None:
    """Return the override in force."""
    return LifecycleOverride.objects.filter(model=model, lifted_at__isnull=True).first()


def listed_as(model: Model) -> ListedModel | None:
    """Return what the vendor's own list says of a model, when it was ever in it."""
    return ListedModel.objects.filter(vendor=model.vendor, name=model.name).first()


def listing_of(vendor: Vendor) -> VendorListing | None:
    """Return how asking a vendor for its list went."""
    return VendorListing.objects.filter(vendor=vendor).first()


def no_longer_listed(vendor: Vendor) -> list[ListedModel]:
    """Return the models that are used here and have gone from the vendor's own list."""
    names = Model.objects.filter(vendor=vendor, disabled_at__isnull=True).values("name")
    gone = ListedModel.objects.filter(vendor=vendor, missing_since__isnull=False, name__in=names)
    return list(gone.order_by("name")[:50])


def feeds_followed() -> QuerySet[CatalogueFeed]:
    """Return the catalogue feeds that are followed."""
    return CatalogueFeed.objects.filter(removed_at__isnull=True).order_by("added_at")


def limits_of(model: Model) -> ModelLimits | None:
    """Return what the vendor's answers say of a model's limits."""
    return ModelLimits.objects.select_related("model__vendor").filter(model=model).first()


def limits_of_vendor(vendor: Vendor) -> list[ModelLimits]:
    """Return what a vendor's answers say of the limits of each model that names some."""
    rows = ModelLimits.objects.filter(model__vendor=vendor, model__disabled_at__isnull=True)
    return list(rows.select_related("model__vendor").order_by("model__name")[:200])
