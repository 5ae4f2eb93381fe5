"""To a vendor and back: one kept-alive client, and what may cross in either direction.

Owns the two allow-lists. Nothing of the agent's request but what is named here reaches a
vendor, and nothing of the vendor's head but what is named here reaches the agent; no
redirect is followed, no cookie kept, no proxy taken from the environment.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from io import BytesIO
from typing import Final
from urllib.parse import parse_qsl

import aiohttp
from yarl import URL

from routing.gateway.dialects import ANTHROPIC, Dialect
from routing.gateway.errors import VendorCut, VendorUnreachable
from routing.gateway.ports import Headers, Outgoing, Reply
from routing.gateway.requests import Request
from routing.gateway.snapshot import Vendor
from routing.gateway.wires.wire import Wire

CONNECT_SECONDS: Final = 5.0
ANTHROPIC_VERSION: Final = "2023-06-01"  # where the agent names none: it speaks the other dialect
KEEP_ALIVE_SECONDS: Final = 30.0
CONNECTIONS: Final = 4096
_WRITTEN_AT_ONCE: Final = 512 * 1024

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


class AiohttpUpstream:
    """The way to vendors over aiohttp. Made and closed inside the event loop."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=CONNECTIONS, keepalive_timeout=KEEP_ALIVE_SECONDS, ttl_dns_cache=30
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            # Waiting for an answer is bounded by the open call, which knows what it waits for.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
            auto_decompress=False,
            trust_env=False,
        )

    async def send(self, outgoing: Outgoing) -> Reply:
        try:
            response = await self._session.request(
                outgoing.method,
                outgoing.address,
                data=_payload(outgoing.body),
                headers=outgoing.headers,
                allow_redirects=False,
            )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise VendorUnreachable(f"{VendorUnreachable.title} ({_why(error)}).") from None
        except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as error:
            raise VendorCut(
                f"The vendor ended the connection without an answer ({type(error).__name__})."
            ) from None
        return _AiohttpReply(response)

    async def close(self) -> None:
        await self._session.close()


class _AiohttpReply:
    """An aiohttp response behind the port."""

    __slots__ = ("_response", "headers", "status")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers: Headers = [(name.lower(), value) for name, value in response.raw_headers]

    async def read(self, limit: int) -> bytes:
        pieces: list[bytes] = []
        size = 0
        async for piece in self.pieces():
            size += len(piece)
            if size > limit:
                self.close()
                raise VendorCut(f"The vendor's answer has more than {limit} bytes.")
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def pieces(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._response.content.iter_any():
                yield piece
        except (aiohttp.ClientError, OSError, ValueError) as error:
            self.close()
            raise VendorCut(f"{VendorCut.title} ({type(error).__name__}).") from None

    def close(self) -> None:
        self._response.close()


def _payload(body: bytes) -> bytes | BytesIO | None:
    # A large body is written in pieces, so that other calls are not held up.
    return BytesIO(body) if len(body) > _WRITTEN_AT_ONCE else body or None


def _why(error: Exception) -> str:
    # The address is the vendor's own and known to whoever may see it; agents may not.
    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
            return "its certificate is not trusted"
        case aiohttp.ClientConnectorDNSError():
            return "its name cannot be resolved"
        case aiohttp.ConnectionTimeoutError():
            return "no connection in time"
        case _:
            return "connection refused"
