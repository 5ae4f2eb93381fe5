"""Connections that are no requests: to a vetted address, by the same rules as every other.

For receivers of syslog, mail servers and databases. A host and a port are read strictly,
resolved once, and every address is vetted, as the guarded client does it. No Django.
"""

from __future__ import annotations

import re
import socket
import ssl
from dataclasses import dataclass
from typing import Final, Self

from credentials.addresses import AddressFault, Target, refused
from credentials.egress import FetchFault, GuardedClient
from credentials.errors import FetchFailed

_PLACE: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]/@?#\s]+):([1-9][0-9]{0,4})")
SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Place:
    """A host and a port, read once."""

    target: Target
    allow_private: bool

    @classmethod
    def parse(cls, text: str, *, allow_private: bool = False) -> Self:
        """Read ``host:port``. Raises: AddressRefused."""
        found = _PLACE.fullmatch(text) if len(text) <= 300 else None
        if found is None:
            raise refused(AddressFault.NOT_AN_ADDRESS)
        target = Target.parse(f"https://{found[1]}:{found[2]}/", allow_private=allow_private)
        # Every port may be a receiver's; the address decides.
        _client(target, allow_private=allow_private).check(target.url)
        return cls(target, allow_private)

    def connect(self, *, tls: bool, ca_pem: str = "", seconds: float = SECONDS) -> socket.socket:
        """Open a stream. Raises: AddressRefused, FetchFailed."""
        context = _context(ca_pem) if tls else None
        last: OSError | None = None
        for family, address in _client(self.target, allow_private=self.allow_private).vet(
            self.target
        ):
            plain = socket.socket(family, socket.SOCK_STREAM)
            plain.settimeout(seconds)
            try:
                plain.connect(address)
                if context is None:
                    return plain
                return context.wrap_socket(plain, server_hostname=self.target.host)
            except OSError as error:
                plain.close()
                last = error
        raise failed(last)

    def addresses(self) -> list[str]:
        """Return the vetted addresses, resolved once. Raises: AddressRefused, FetchFailed."""
        client = _client(self.target, allow_private=self.allow_private)
        return [str(address[0]) for _, address in client.vet(self.target)]

    def datagrams(self) -> tuple[socket.socket, object]:
        """Return a socket and the address to send to. Raises: AddressRefused, FetchFailed."""
        client = _client(self.target, allow_private=self.allow_private)
        family, address = client.vet(self.target)[0]
        return socket.socket(family, socket.SOCK_DGRAM), address


def failed(error: OSError | None) -> FetchFailed:
    """Say what kept a connection from being made or used, in one of a fixed list of words."""
    if isinstance(error, ssl.SSLError):
        fault, words = FetchFault.TLS, "The host's certificate or its TLS is not acceptable."
    elif isinstance(error, TimeoutError):
        fault, words = FetchFault.TIMED_OUT, "The host took too long."
    elif isinstance(error, ConnectionRefusedError) or error is None:
        fault, words = FetchFault.UNREACHABLE, "The host takes no connection."
    else:
        fault, words = FetchFault.BROKEN, "The connection broke off."
    return FetchFailed(words, reason=fault.value)


def _client(target: Target, *, allow_private: bool) -> GuardedClient:
    return GuardedClient(allow_private=allow_private, ports=frozenset({target.port}))


def _context(ca_pem: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=ca_pem or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
