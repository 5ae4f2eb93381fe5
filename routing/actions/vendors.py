"""Connecting vendors and changing what is known of them.

A vendor's secret belongs to the address it was given for: when the address changes, the
secret is retired and has to be entered again, so that nobody can redirect a key by
editing a text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from django.db import transaction

from credentials import actions as credentials
from credentials.errors import SecretNotFound
from kernel import clock
from kernel.db import refused_as
from kernel.refs import new_id
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Role
from routing.actions.changes import note_of_vendor
from routing.actions.linking import relink
from routing.addresses import read_address
from routing.catalogue.platforms import platform_called, platform_named, platform_of
from routing.errors import (
    AlreadyDisabled,
    NotDisabled,
    NothingToChange,
    ReasonMissing,
    VendorExists,
    VendorInvalid,
)
from routing.gateway.profiles.known import guessed, names_for
from routing.models import LifecycleChange, Model, Vendor
from routing.models.vendor import everyday_classes
from routing.queries.vendors import vendor_for

DATA_CLASSES: Final = ("public", "internal", "confidential", "personal", "regulated")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_REGION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
CHANGEABLE: Final = frozenset(
    {"title", "platform", "profile", "base_url", "auth_scheme", "regions", "data_classes"}
)


@dataclass(frozen=True, slots=True)
class VendorDraft:
    """A vendor as somebody describes it. None means: the usual, or a guess."""

    name: str
    dialect: str
    base_url: str
    title: str = ""
    platform: str | None = None
    profile: str | None = None
    auth_scheme: str | None = None
    regions: list[str] = field(default_factory=list)
    data_classes: list[str] | None = None


@dataclass(frozen=True, slots=True)
class VendorResult:
    """A vendor after a change, with what people should know about it."""

    vendor: Vendor
    notes: list[str]


@transaction.atomic
def connect_vendor(draft: VendorDraft, *, actor: Actor) -> VendorResult:
    """Add a vendor. Its secret is set apart, and nothing is called by this.

    An address on this machine or in a private network is taken, because the platform role
    stands for whoever runs this network, and is pointed out in the notes.
    Records: vendor.connected.
    Raises: RoleMissing, AddressUnusable, VendorInvalid, VendorExists.
    """
    actor.require(Role.PLATFORM)
    if not _NAME.fullmatch(draft.name):
        raise VendorInvalid(
            "A vendor's name has up to 63 lower-case letters, digits, - and _.", field="name"
        )
    _one_of("dialect", draft.dialect, Vendor.Dialect.values)
    address = read_address(draft.base_url, dialect=draft.dialect)
    vendor = Vendor(
        public_id=new_id("ven"),
        name=draft.name,
        dialect=draft.dialect,
        base_url=address.base_url,
        # Behind a proxy only the name that people gave says whose models these are.
        platform=address.platform or platform_called(draft.name),
        profile=guessed(address.base_url, draft.dialect),
        auth_scheme=_usual_scheme(draft.dialect),
        data_classes=everyday_classes(),
        created_at=clock.now(),
    )
    given = {
        "title": draft.title,
        "platform": draft.platform,
        "profile": draft.profile,
        "auth_scheme": draft.auth_scheme,
        "regions": draft.regions,
        "data_classes": draft.data_classes,
    }
    _assign(vendor, {key: value for key, value in given.items() if value is not None})
    exists = VendorExists(f"A vendor named {draft.name!r} is connected already.", name=draft.name)
    with refused_as({"routing_vendor_name_key": exists}):
        vendor.save(force_insert=True)
    record(Verb.VENDOR_CONNECTED, vendor.ref, actor=actor.ref, facts=_facts(vendor))
    return VendorResult(vendor, [*address.notes, *_class_notes(vendor)])


@transaction.atomic
def change_vendor(name: str, changes: Mapping[str, Any], *, actor: Actor) -> VendorResult:
    """Change what is known of a vendor; a new address retires the secret.

    Records: vendor.changed; with a new address lifecycle.changed and secret.retired.
    Raises: RoleMissing, VendorNotFound, AddressUnusable, VendorInvalid, NothingToChange.
    """
    actor.require(Role.PLATFORM)
    vendor = _locked(actor, name)
    if unknown := sorted(set(changes) - CHANGEABLE):
        raise VendorInvalid(f"{unknown[0]} cannot be changed.", field=unknown[0])
    before = {key: getattr(vendor, key) for key in CHANGEABLE}
    notes: list[str] = []
    if "base_url" in changes:
        notes = _move(vendor, str(changes["base_url"]))
    _assign(vendor, {key: value for key, value in changes.items() if key != "base_url"})
    fields = sorted(key for key, value in before.items() if getattr(vendor, key) != value)
    if not fields:
        raise NothingToChange("The vendor is like that already.")
    vendor.save(update_fields=fields)
    if "base_url" in fields:
        # What was tested and found was another address.
        vendor.last_tested_at = vendor.last_test = None
        vendor.save(update_fields=["last_tested_at", "last_test"])
        _note_address(vendor, str(before["base_url"]), actor)
        if _retire_secret(vendor, actor):
            notes.append("The address changed, so its secret was retired: enter it again.")
    if "platform" in fields:
        relink(Model.objects.filter(vendor=vendor).select_related("vendor"), actor=actor.ref)
    facts = _facts(vendor) | {"fields": fields}
    record(Verb.VENDOR_CHANGED, vendor.ref, actor=actor.ref, facts=facts)
    return VendorResult(vendor, [*notes, *_class_notes(vendor)])


@transaction.atomic
def set_vendor_secret(name: str, value: str, *, actor: Actor) -> None:
    """Seal a vendor's secret; from then on only the gateway can open it.

    Records: secret.sealed. Raises: RoleMissing, VendorNotFound, SecretNotUsable.
    """
    actor.require(Role.PLATFORM)
    vendor = _locked(actor, name)
    # Spaces around it come from copying, never from a vendor.
    credentials.seal_secret(vendor.ref, value.strip(), ring="vendor", actor=actor.ref)


@transaction.atomic
def disable_vendor(name: str, *, actor: Actor, reason: str) -> Vendor:
    """Stop every call to a vendor, on all routes, at once. Security may do this too.

    Records: vendor.disabled. Raises: RoleMissing, VendorNotFound, ReasonMissing,
    AlreadyDisabled.
    """
    actor.require(Role.PLATFORM, Role.SECURITY)
    vendor = vendor_for(actor, name)
    if not (why := reason.strip()[:500]):
        raise ReasonMissing("Say why the vendor is disabled; people will ask.")
    moved = Vendor.objects.filter(pk=vendor.pk, disabled_at__isnull=True).update(
        disabled_at=clock.now(), disabled_reason=why
    )
    if not moved:
        raise AlreadyDisabled(f"{vendor.name} is disabled already.")
    facts: dict[str, Fact] = {"vendor": vendor.name, "reason": why}
    record(Verb.VENDOR_DISABLED, vendor.ref, actor=actor.ref, facts=facts)
    return vendor_for(actor, vendor.name)


@transaction.atomic
def enable_vendor(name: str, *, actor: Actor) -> Vendor:
    """Let calls go to a vendor again.

    Records: vendor.enabled. Raises: RoleMissing, VendorNotFound, NotDisabled.
    """
    actor.require(Role.PLATFORM)
    vendor = vendor_for(actor, name)
    moved = Vendor.objects.filter(pk=vendor.pk, disabled_at__isnull=False).update(
        disabled_at=None, disabled_reason=""
    )
    if not moved:
        raise NotDisabled(f"{vendor.name} is not disabled.")
    facts: dict[str, Fact] = {"vendor": vendor.name}
    record(Verb.VENDOR_ENABLED, vendor.ref, actor=actor.ref, facts=facts)
    return vendor_for(actor, vendor.name)


def _locked(actor: Actor, name: str) -> Vendor:
    """The vendor, locked until the change is through: its address and secret move together."""
    return Vendor.objects.select_for_update().get(pk=vendor_for(actor, name).pk)


def _note_address(vendor: Vendor, before: str, actor: Actor) -> None:
    """A path alone that differs is another version of the same interface."""
    was, now = urlsplit(before), urlsplit(vendor.base_url)
    kinds = LifecycleChange.Kind
    kind = kinds.API_VERSION if was[:2] == now[:2] else kinds.ENDPOINT
    note_of_vendor(
        vendor, kind, {"value": before}, {"value": vendor.base_url},
        source=f"set by {actor.ref}", actor=actor.ref,
    )  # fmt: skip


def _retire_secret(vendor: Vendor, actor: Actor) -> bool:
    try:
        credentials.retire_secret(vendor.ref, actor=actor.ref, reason="the address changed")
    except SecretNotFound:
        return False
    return True


def _move(vendor: Vendor, text: str) -> list[str]:
    address = read_address(text, dialect=vendor.dialect)
    # What was only guessed from the address before follows the address.
    before = read_address(vendor.base_url, dialect=vendor.dialect)
    if vendor.platform == platform_of(before.host):
        vendor.platform = address.platform
    if vendor.profile == guessed(vendor.base_url, vendor.dialect):
        vendor.profile = guessed(address.base_url, vendor.dialect)
    vendor.base_url = address.base_url
    return list(address.notes)


def _assign(vendor: Vendor, values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        setattr(vendor, key, _CHECKS[key](value))
    if vendor.profile:
        _one_of("profile", vendor.profile, ["", *names_for(vendor.dialect)])


def _title(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 200:
        raise VendorInvalid("A title has at most 200 characters.", field="title")
    return value.strip()


def _platform(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9 ._-]{0,63}", value):
        raise VendorInvalid("A platform is a short word, such as azure.", field="platform")
    return platform_named(value)


def _scheme(value: Any) -> str:
    return _one_of("auth_scheme", value, Vendor.AuthScheme.values)


def _regions(value: Any) -> list[str]:
    regions = list(dict.fromkeys(value))
    if len(regions) > 50 or not all(_REGION.fullmatch(region) for region in regions):
        raise VendorInvalid(
            "A region is a short word such as eu or us-east-1; at most 50.", field="regions"
        )
    return regions


def _classes(value: Any) -> list[str]:
    for name in value:
        _one_of("data_classes", name, DATA_CLASSES)
    return [name for name in DATA_CLASSES if name in value]


_CHECKS: Final[dict[str, Callable[[Any], Any]]] = {
    "title": _title,
    "platform": _platform,
    "profile": str,
    "auth_scheme": _scheme,
    "regions": _regions,
    "data_classes": _classes,
}


def _one_of(name: str, value: Any, allowed: list[str] | tuple[str, ...]) -> str:
    if value not in allowed:
        raise VendorInvalid(
            f"{name} is one of {', '.join(allowed)}.", field=name, allowed=list(allowed)
        )
    return str(value)


def _usual_scheme(dialect: str) -> str:
    return Vendor.AuthScheme.X_API_KEY if dialect == "anthropic" else Vendor.AuthScheme.BEARER


def _class_notes(vendor: Vendor) -> list[str]:
    beyond = [name for name in vendor.data_classes if name not in everyday_classes()]
    return [f"Data of class {', '.join(beyond)} may go to this vendor."] if beyond else []


def _facts(vendor: Vendor) -> dict[str, Fact]:
    return {
        "vendor": vendor.name,
        "dialect": vendor.dialect,
        "base_url": vendor.base_url,
        "platform": vendor.platform,
        "profile": vendor.profile,
        "auth_scheme": vendor.auth_scheme,
        "regions": list(vendor.regions),
        "data_classes": list(vendor.data_classes),
    }
