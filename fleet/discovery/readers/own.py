"""What a log of egress shows of this installation itself: gateways that call connected vendors.

Such a line is expected, and nobody's to claim. Anything less is a finding as ever: a person's
account behind a gateway's address, or a gateway's machine that calls a vendor nobody connected.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network


@dataclass(frozen=True)
class Own:
    """From where gateways send, and the hosts of connected vendors."""

    senders: frozenset[str] = frozenset()  # addresses, networks, machines, accounts of a proxy
    hosts: frozenset[str] = frozenset()

    def is_ours(self, host: str, *, user: str, machine: str, address: str) -> bool:
        """Say whether a line is ours; where an account is named, it counts and no address does."""
        if host not in self.hosts:
            return False
        if user:
            return user.lower() in self._names
        if machine.lower() in self._names:
            return True
        try:
            found = ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self._networks)

    @cached_property
    def _networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        return tuple(each for each in map(_network, self.senders) if each is not None)

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(each.lower() for each in self.senders if _network(each) is None)


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None
