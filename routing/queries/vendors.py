"""Reading vendors and the models they serve.

Everybody who is signed in may see which vendors there are, for which data and where: that
is what a route is chosen by. Addresses, test results and the state of a secret are for
those who run and govern the installation; the secret itself is nobody's to read.
"""

from __future__ import annotations

from datetime import date

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Concat

from credentials.models import Secret
from registry.actors import Actor
from registry.queries.agents import GOVERNING
from routing.errors import ModelNotFound, VendorNotFound
from routing.models import Model, Vendor


def vendors_for(actor: Actor) -> QuerySet[Vendor]:
    """Return every vendor with the number of its models and the state of its secret."""
    secret = Secret.objects.filter(
        holder=Concat(Value("vendor:"), OuterRef("public_id")), retired_at__isnull=True
    )
    return Vendor.objects.annotate(
        model_count=Count("models", filter=Q(models__disabled_at__isnull=True)),
        secret_sealed_at=Subquery(secret.values("created_at")[:1]),
        secret_version=Subquery(secret.values("version")[:1]),
        secret_hint=Subquery(secret.values("hint")[:1]),
    ).order_by("name")


def sees_addresses(actor: Actor) -> bool:
    """Say whether the viewer may see where a vendor is reached and how its secret stands."""
    return actor.has(*GOVERNING)


def vendor_for(actor: Actor, name: str) -> Vendor:
    """Return a vendor by name or public id. Raises: VendorNotFound, naming those there are."""
    found = vendors_for(actor).filter(_named(name)).first()
    if found is None:
        raise vendor_missing(name)
    return found


def vendor_missing(name: str) -> VendorNotFound:
    """Return the refusal for an unknown vendor, with the names there are."""
    known = list(Vendor.objects.order_by("name").values_list("name", flat=True)[:50])
    there_are = f"There are: {', '.join(known)}." if known else "None is connected yet."
    return VendorNotFound(f"There is no vendor {name[:80]!r}. {there_are}", known=known)


def models_for(actor: Actor, *, retiring_before: date | None = None) -> QuerySet[Model]:
    """Return every configured model with its vendor, soonest end first."""
    models = Model.objects.select_related("vendor")
    if retiring_before is not None:
        models = models.filter(retires_on__lt=retiring_before)
    return models.order_by(F("retires_on").asc(nulls_last=True), "vendor__name", "name")


def models_of(vendor: Vendor) -> QuerySet[Model]:
    """Return what one vendor serves here, by name."""
    return Model.objects.filter(vendor=vendor).select_related("vendor").order_by("name")


def model_for(actor: Actor, public_id: str) -> Model:
    """Return one model by its public id. Raises: ModelNotFound."""
    found = models_for(actor).filter(public_id=_said(public_id)).first()
    if found is None:
        raise ModelNotFound(f"There is no model {public_id[:80]!r}.")
    return found


def found_models(vendor: Vendor) -> list[str]:
    """Return what the last test found at the vendor and is not configured yet."""
    listed = (vendor.last_test or {}).get("models", [])
    known = set(models_of(vendor).values_list("name", flat=True))
    return [name for name in listed if name not in known]


def _named(name: str) -> Q:
    said = _said(name)
    return Q(public_id=said) if said.startswith("ven_") else Q(name=said)


def _said(text: str) -> str:
    # PostgreSQL has no NUL in a text: such a name names nothing.
    return "" if "\x00" in text else text
