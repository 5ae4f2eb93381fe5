"""Noting by hand that a vendor's address or API version changes, and what it becomes.

A vendor announces these in letters, not in lists. The note is a change like any other, so that
whoever follows changes hears of it.
"""

from __future__ import annotations

from typing import Final

from django.db import transaction

from registry.actors import Actor
from registry.models import Role
from routing.actions.changes import note_of_vendor
from routing.errors import VendorInvalid
from routing.models import LifecycleChange
from routing.queries.vendors import vendor_for

KINDS: Final = (LifecycleChange.Kind.ENDPOINT.value, LifecycleChange.Kind.API_VERSION.value)


@transaction.atomic
def note_vendor_change(
    vendor_name: str, kind: str, *, before: str, after: str, source: str, actor: Actor
) -> LifecycleChange:
    """Note a change of a vendor's address or API version that somebody read of.

    Records: lifecycle.changed. Raises: RoleMissing, VendorNotFound, VendorInvalid.
    """
    actor.require(Role.PLATFORM)
    vendor = vendor_for(actor, vendor_name)
    if kind not in KINDS:
        raise VendorInvalid(f"A change is one of {', '.join(KINDS)}.", field="kind")
    was, becomes = before.strip()[:200], after.strip()[:200]
    if not becomes or was == becomes:
        raise VendorInvalid("Say what it becomes, and that it differs.", field="after")
    said = source.strip()[:500] or f"set by {actor.ref}"
    return note_of_vendor(
        vendor, kind, {"value": was}, {"value": becomes}, source=said, actor=actor.ref
    )
