"""Which traffic is this installation's own: what was said of it, and which gateways announced."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from django.conf import settings

from fleet.discovery.readers.hosts import normalised
from fleet.discovery.readers.own import Own
from routing.models import LiveGateway, Vendor


def own_traffic() -> Own:
    """Return from where gateways send, and to whom they may."""
    vendors = Vendor.objects.values_list("base_url", flat=True)
    hosts = {normalised(urlsplit(url).hostname or "") for url in vendors}
    doors = LiveGateway.objects.values_list("door", flat=True)
    announced = {address for door in doors if (address := _address(door))}
    return Own(frozenset(settings.EGRESS_SENDERS) | announced, frozenset(hosts - {""}))


def _address(door: str) -> str:
    """Return the address of a door that other machines see; nothing for any other."""
    try:
        found = ip_address(urlsplit(f"//{door}").hostname or "")
    except ValueError:
        return ""
    return "" if found.is_loopback or found.is_unspecified else str(found)
