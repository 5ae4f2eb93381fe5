"""To a vendor and back: what may cross in either direction.

Owns the two allow-lists. Nothing of the agent's request but what is named here reaches a
vendor, and nothing of the vendor's head but what is named here reaches the agent.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

from yarl import URL

from routing.gateway.dialects import ANTHROPIC, Dialect
from routing.gateway.ports import Headers
from routing.gateway.requests import Request
from routing.gateway.snapshot import Vendor
from routing.gateway.wires.wire import Wire

ANTHROPIC_VERSION: Final = "2023-06-01"  # where the agent names none: it speaks the other dialect

_TO_AGENT: Final = frozenset(
    {
        b"content-type",
        b"x-request-id",
        b"request-id",
        b"retry-after",
        b"retry-after-ms",
        b"x-should-retry",
        b"openai-model",
        b"openai-organization",
        b"openai-processing-ms",
        b"openai-version",
    }
)
_PREFIXES_TO_AGENT: Final = (b"x-ratelimit-", b"anthropic-ratelimit-")
_SHORTEST_SECRET: Final = 8  # anything shorter is as likely a word of the answer
_REMOVED: Final = b"[secret removed]"
_CREDENTIAL: Final = {"bearer": ("authorization", "Bearer "), "x-api-key": ("x-api-key", "")}


def to_vendor(
    request: Request | None, dialect: Dialect, auth_scheme: str, secret: str
) -> dict[str, str]:
    """Return the head of a request to a vendor: ours, and what the agent may add."""
    headers = {
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "accept-encoding": "identity",
        "user-agent": "unsprawl",
    }
    if request is not None:
        for name in (*dialect.names, *_prefixed(request, dialect.prefixes)):
            if (value := request.header(name)) is not None:
                headers[name] = value
    if dialect is ANTHROPIC:
        headers.setdefault("anthropic-version", ANTHROPIC_VERSION)
    if auth_scheme in _CREDENTIAL:
        header, prefix = _CREDENTIAL[auth_scheme]
        headers[header] = prefix + secret
    return headers


def address_of(wire: Wire, vendor: Vendor, query: bytes) -> URL:
    """Return where a call goes: the vendor's address, the wire's path, and what may follow it."""
    address = vendor.address(wire.path) if wire.is_lasting else vendor.new_address(wire.path)
    if not query or not wire.query:
        return address
    given = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=50)
    return address.with_query([pair for pair in given if pair[0] in wire.query])


def _prefixed(request: Request, prefixes: tuple[bytes, ...]) -> list[str]:
    if not prefixes:
        return []
    return [name.decode("latin-1") for name in request.headers if name.startswith(prefixes)]


def to_agent(headers: Headers, secret: bytes = b"") -> Headers:
    """Return what of a vendor's head the agent gets."""
    return [
        (name, without(secret, value))
        for name, value in headers
        if name in _TO_AGENT or name.startswith(_PREFIXES_TO_AGENT)
    ]


def secret_in(headers: dict[str, str]) -> bytes:
    """Return the secret that a request to a vendor carries, empty when it carries none."""
    for header, prefix in _CREDENTIAL.values():
        if value := headers.get(header):
            return value.removeprefix(prefix).encode()
    return b""


def without(secret: bytes, said: bytes) -> bytes:
    """Return what a vendor said, less the secret: some repeat a wrong key in their refusal."""
    if len(secret) < _SHORTEST_SECRET or secret not in said:
        return said
    return said.replace(secret, _REMOVED)
