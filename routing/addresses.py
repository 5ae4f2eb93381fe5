"""A vendor's address: read once, normalised, and judged before anything is sent to it.

Owns what an acceptable base URL is: http or https, a host, perhaps a port, a plain path,
nothing else. What two URL readers could understand differently is refused, because the
secret of a vendor goes wherever this text says. No Django and no look-up of names.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, urlsplit

from routing.catalogue.platforms import platform_of, usual_path
from routing.errors import AddressUnusable

MAX_LENGTH: Final = 500
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_PATH: Final = re.compile(r"(/[A-Za-z0-9._~@:-]+)*")
_VERSION: Final = re.compile(r"/v\d+[a-z0-9]*(/openai)?$")
# People paste the address of an operation; what hangs below the version is the gateway's.
_OPERATIONS: Final = (
    "/chat/completions", "/messages/count_tokens", "/messages", "/completions",
    "/responses", "/embeddings", "/models",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Address:
    """A base URL that may be stored, and what people should know about it."""

    base_url: str
    host: str
    platform: str
    notes: list[str] = field(default_factory=list)


def read_address(text: str, *, dialect: str) -> Address:
    """Read and normalise a vendor's address. Raises: AddressUnusable."""
    notes: list[str] = []
    parts = _split(_with_scheme(text.strip(), notes))
    host, port = _host(parts, notes), _port(parts)
    platform = platform_of(host)
    path = _path(parts.path, platform, dialect, notes)
    _say_who_listens(parts.scheme, host, notes)
    shown = f"[{host}]" if ":" in host else host
    place = shown if port is None else f"{shown}:{port}"
    return Address(f"{parts.scheme}://{place}{path}", host, platform, notes)


def _with_scheme(text: str, notes: list[str]) -> str:
    if not text:
        raise AddressUnusable("Give the vendor's address, such as https://api.openai.com/v1.")
    if len(text) > MAX_LENGTH:
        raise AddressUnusable(f"The address has more than {MAX_LENGTH} characters.")
    if not text.isascii():
        raise AddressUnusable(
            "The address holds letters outside ASCII; write such a host in its xn-- form."
        )
    if any(letter <= " " or letter in '\x7f\\"<>^`{|}' for letter in text):
        raise AddressUnusable("The address holds a space, a backslash or a control character.")
    if "://" in text:
        return text
    if re.match(r"[a-z][a-z0-9+-]*:(?!\d)", text, re.IGNORECASE):
        raise AddressUnusable("The address must begin with https:// or http://.")
    guess = "http" if _is_near(re.split(r"[:/]", text.lower())[0]) else "https"
    notes.append(f"No scheme was given; {guess}:// was added.")
    return f"{guess}://{text}"


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018  reading it checks it
    except ValueError:
        raise AddressUnusable("The address is not a URL: check its host and port.") from None
    if parts.scheme not in {"http", "https"}:
        raise AddressUnusable("The address must begin with https:// or http://.")
    if "@" in parts.netloc:
        raise AddressUnusable(
            "The address holds a user or a password. Give the key as the vendor's secret instead."
        )
    if "?" in text or "#" in text:
        raise AddressUnusable(
            "The address holds a query or a fragment; leave out everything from ? or # on."
        )
    return parts


def _host(parts: SplitResult, notes: list[str]) -> str:
    host = (parts.hostname or "").lower()
    if "[" in parts.netloc:
        return _ip(host)
    if host.endswith(".") and not host.endswith(".."):
        host = host[:-1]
        notes.append("The dot at the end of the host was left out.")
    labels = host.split(".")
    if not host or len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise AddressUnusable("The address has no usable host.")
    # A last label of digits (or 0x…) is an IPv4 address to some readers and a name to others.
    if re.fullmatch(r"\d+|0x[0-9a-f]*", labels[-1]):
        return _ip(host)
    return host


def _ip(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise AddressUnusable("The address's host looks like an IP address and is none.") from None
    inner = getattr(address, "ipv4_mapped", None) or address
    if (
        "%" in host
        or inner.is_unspecified
        or inner.is_multicast
        or inner.is_link_local
        or (inner.is_reserved and not inner.is_loopback)
        or str(inner).startswith("0.")
    ):
        # Link-local is where cloud metadata services hand out credentials.
        raise AddressUnusable("No vendor answers at a link-local, multicast or unset address.")
    return str(address)


def _port(parts: SplitResult) -> int | None:
    if parts.port == 0 or parts.netloc.endswith(":"):
        raise AddressUnusable("The address has no usable port.")
    return None if parts.port == {"http": 80, "https": 443}[parts.scheme] else parts.port


def _path(path: str, platform: str, dialect: str, notes: list[str]) -> str:
    trimmed = path.rstrip("/")
    if not _PATH.fullmatch(trimmed) or any(
        segment in {".", ".."} for segment in trimmed.split("/")
    ):
        raise AddressUnusable(
            "The address's path may hold letters, digits and . _ ~ @ : - between single slashes."
        )
    while operation := next((end for end in _OPERATIONS if trimmed.endswith(end)), None):
        trimmed = trimmed.removesuffix(operation)
        notes.append(f"{operation} was left out: the gateway adds it to every call.")
    if not trimmed:
        trimmed = usual_path(platform, dialect)
        notes.append(f"{trimmed} was added: that is where this interface usually is.")
    elif not _VERSION.search(trimmed):
        if dialect == "anthropic":
            trimmed += "/v1"
            notes.append("/v1 was added: that is where this interface is.")
        else:
            notes.append(f"The path does not end in a version: calls go to {trimmed}/….")
    return trimmed


def _say_who_listens(scheme: str, host: str, notes: list[str]) -> None:
    near = _is_near(host)
    if near:
        notes.append("The address is on this machine or in a private network.")
    if scheme == "http":
        notes.append(
            "http:// is not encrypted."
            if near
            else "http:// is not encrypted: prompts and the secret can be read on their way."
        )


def _is_near(host: str) -> bool:
    """Whether a host is, by its looks, on this machine or in a private network."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.rstrip(".")
        return "." not in name or name.endswith((".localhost", ".local", ".internal", ".lan"))
    return address.is_private or address.is_loopback
