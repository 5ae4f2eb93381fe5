"""Which keys of an inventory this installation holds itself, by how they end.

A vendor shows how a key ends, and of each secret that is sealed here its last four characters
are kept to be shown. Compared is only within one vendor, three characters or more, and only
where exactly one secret fits: what is alike twice is nobody's. What is compared is not stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final
from urllib.parse import urlsplit

from django.db.models import Sum

from credentials.models import Secret
from routing.models import UsageOwn, UsageRoute, Vendor

LEAST: Final = 3
_KEPT: Final = 4


@dataclass(frozen=True, slots=True)
class Held:
    """A secret that is in use here, and the vendor it is for."""

    secret: str  # sec_…
    vendor: str


def held_keys(endings: Iterable[str]) -> Mapping[str, Held]:
    """Return the one secret for each ending ("openai:9xQa") that one secret alone fits."""
    wanted = {each for each in endings if len(each.partition(":")[2]) >= LEAST}
    if not wanted:
        return {}
    vendors = {str(vendor.ref): vendor for vendor in Vendor.objects.all()}
    rows = Secret.objects.filter(ring=Secret.Ring.VENDOR, retired_at__isnull=True, hint__gt="")
    fitting: dict[str, list[Held]] = {}
    for public_id, holder, hint in rows.values_list("public_id", "holder", "hint"):
        vendor = vendors.get(holder)
        if vendor is None:
            continue
        for ending in wanted:
            maker, _, shown = ending.partition(":")
            if _is_of(vendor, maker) and hint.endswith(shown[-_KEPT:]):
                fitting.setdefault(ending, []).append(Held(public_id, vendor.name))
    return {ending: found[0] for ending, found in fitting.items() if len(found) == 1}


def still_held(secrets: Iterable[str]) -> set[str]:
    """Return which of some secrets are in use still."""
    rows = Secret.objects.filter(public_id__in=set(secrets), retired_at__isnull=True)
    return set(rows.values_list("public_id", flat=True))


def brokered_calls(vendor: str, since: date, until: date) -> int:
    """Return how many calls gateways made to a vendor in some days: agents' and our own."""
    named = {"vendor": vendor, "day__gte": since, "day__lte": until}
    sums = (UsageRoute.objects.filter(**named), UsageOwn.objects.filter(**named))
    return sum(int(days.aggregate(sum=Sum("calls"))["sum"] or 0) for days in sums)


def _is_of(vendor: Vendor, maker: str) -> bool:
    host = urlsplit(vendor.base_url).hostname or ""
    return vendor.platform == maker or host.endswith(f".{maker}.com")
