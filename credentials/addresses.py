"""Where the service may connect: addresses read once and strictly, networks named one by one.

An address is read by one parser, ours, which refuses everything that two parsers might
read differently; what is used afterwards is written anew from its parts. Whether a
network address is public is decided by a list of our own: `ipaddress.is_private` calls
NAT64, 6to4, multicast and some metadata services public. No Django, no I/O.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, Self

from credentials.errors import AddressRefused

IPAddress = IPv4Address | IPv6Address

LONGEST: Final = 2048


class AddressFault(StrEnum):
    """Why an address is refused. A fixed list: it says nothing of what lies behind."""

    NOT_AN_ADDRESS = "not_an_address"
    SCHEME = "scheme"
    USER = "user_in_address"
    HOST = "host"
    PORT = "port"
    NETWORK = "network"


_URL: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^?#]*)(?:\?([^#]*))?")
# RFC 3986 and nothing else: no backslash, no control, no space, nothing beyond ASCII.
_ALLOWED: Final = re.compile(r"(?:[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+")
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}")
# A last label that some resolver takes for a number makes the whole host one (WHATWG URL).
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Target:
    """An address taken apart, every part in its one spelling."""

    scheme: str
    host: str
    port: int
    path: str
    query: str | None
    literal: IPAddress | None

    @classmethod
    def parse(cls, url: str, *, allow_private: bool = False) -> Self:
        """Read an address. Raises: AddressRefused."""
        found = _URL.fullmatch(url) if len(url) <= LONGEST and _ALLOWED.fullmatch(url) else None
        if found is None:
            raise refused(AddressFault.NOT_AN_ADDRESS)
        scheme, authority, path, query = found.groups()
        scheme = scheme.lower()
        if scheme != "https" and not (scheme == "http" and allow_private):
            raise refused(AddressFault.SCHEME)
        if "@" in authority:
            raise refused(AddressFault.USER)
        if "[" in path or "]" in path:
            raise refused(AddressFault.NOT_AN_ADDRESS)
        host, port = _host_and_port(authority)
        literal = _literal(host)
        if literal is None:
            _check_name(host, allow_private=allow_private)
        number = _port(port) if port is not None else _DEFAULT_PORTS[scheme]
        return cls(scheme, host, number, path or "/", query, literal)

    @property
    def origin(self) -> str:
        host = f"[{self.host}]" if isinstance(self.literal, IPv6Address) else self.host
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"

    @property
    def url(self) -> str:
        return self.origin + self.path + ("" if self.query is None else f"?{self.query}")


def refused(fault: AddressFault) -> AddressRefused:
    """Make the refusal for a fault."""
    return AddressRefused(_WORDS[fault], reason=fault.value)


_WORDS: Final = {
    AddressFault.NOT_AN_ADDRESS: "This is not a plain web address.",
    AddressFault.SCHEME: "The address must begin with https://.",
    AddressFault.USER: "The address must not carry a user or a password.",
    AddressFault.HOST: "The address names no plain host.",
    AddressFault.PORT: "The service does not connect to this port.",
    AddressFault.NETWORK: "The service does not connect to this network.",
}


def _host_and_port(authority: str) -> tuple[str, str | None]:
    if authority.startswith("["):
        inside, bracket, rest = authority[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise refused(AddressFault.HOST)
        try:
            literal = IPv6Address(inside)
        except ValueError:
            raise refused(AddressFault.HOST) from None
        if literal.scope_id is not None:
            raise refused(AddressFault.HOST)
        return str(literal), rest[1:] if rest else None
    host, colon, port = authority.partition(":")
    return host.lower(), port if colon else None


def _literal(host: str) -> IPAddress | None:
    if ":" in host:
        return IPv6Address(host)
    if not _NUMBER.fullmatch(host.rsplit(".", 1)[-1]):
        return None
    try:
        return IPv4Address(host)  # dotted, decimal, four parts, no leading zeros
    except ValueError:
        raise refused(AddressFault.HOST) from None


def _check_name(host: str, *, allow_private: bool) -> None:
    labels = host.split(".")
    if len(host) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise refused(AddressFault.HOST)
    if len(labels) == 1 and not allow_private:  # it would be looked up in a search domain
        raise refused(AddressFault.HOST)


def _port(text: str) -> int:
    if not _PORT.fullmatch(text) or int(text) > 65535:
        raise refused(AddressFault.PORT)
    return int(text)


# IANA's special-purpose registry, and the metadata services that live outside it.
_NOT_PUBLIC_4: Final = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
            "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24",
            "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15",
            "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
            "168.63.129.16/32",  # the wire server of a large cloud
        ),
    )
)  # fmt: skip
_GLOBAL_6: Final = IPv6Network("2000::/3")
_NOT_PUBLIC_6: Final = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocol assignments, Teredo and ORCHID among them
            "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
        ),
    )
)  # fmt: skip
_MAPPED: Final = IPv6Network("::ffff:0:0/96")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_ISATAP: Final = frozenset({0x0000_5EFE, 0x0200_5EFE})

# What an administrator of the platform may reach inside; never the metadata services.
_INSIDE_4: Final = tuple(
    map(
        IPv4Network,
        ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
    )
)
_INSIDE_6: Final = tuple(map(IPv6Network, ("::1/128", "fc00::/7")))
_NEVER: Final = frozenset(
    map(ip_address, ("100.100.100.200", "fd00:ec2::254", "fd20:ce::254", "fd00:42::42"))
)


def is_public(address: IPAddress) -> bool:
    """Say whether an address lies in the open internet, whatever it is wrapped in."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_4)
    if address.scope_id is not None:
        return False
    if address in _MAPPED or address in _NAT64:
        return is_public(_inner(address))
    if address not in _GLOBAL_6 or any(address in network for network in _NOT_PUBLIC_6):
        return False
    is_isatap = (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP
    return not is_isatap or is_public(_inner(address))


def is_permitted(address: IPAddress, *, allow_private: bool) -> bool:
    """Say whether the service connects to an address."""
    if is_public(address):
        return True
    if not allow_private:
        return False
    if isinstance(address, IPv6Address) and address in _MAPPED:
        address = _inner(address)
    if isinstance(address, IPv4Address):
        return address not in _NEVER and any(address in network for network in _INSIDE_4)
    return address not in _NEVER and any(address in network for network in _INSIDE_6)


def _inner(address: IPv6Address) -> IPv4Address:
    return IPv4Address(int(address) & 0xFFFF_FFFF)
