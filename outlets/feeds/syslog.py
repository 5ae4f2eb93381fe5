"""Syslog as RFC 5424 writes it, over TLS or TCP with octet counting (RFC 5425, RFC 6587), or UDP.

Syslog has no acknowledgement. A batch is one connection: everything is sent, the stream is
ended, and the batch counts once the other side has ended it too, or its kernel has
acknowledged every byte. What cannot be told is sent again: at least once.
"""

from __future__ import annotations

import fcntl
import re
import socket
import ssl
import struct
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import Final

from credentials.dialling import Place, failed
from kernel.clock import stamp
from outlets.feeds.severity import syslog_severity

AUDIT: Final = 13  # the facility "log audit"
APP: Final = "unsprawl"
UDP_BYTES: Final = 8192
END_SECONDS: Final = 3.0
_SIOCOUTQ: Final = 0x5411  # Linux: bytes that the other side has not acknowledged
_NOT_PRINTED: Final = re.compile(r"[^\x21-\x7e]")


def message(text: str, *, severity: int, at: datetime, host: str, kind: str) -> bytes:
    """Write one message; the text has no line end in it."""
    head = " ".join(
        (
            f"<{AUDIT * 8 + syslog_severity(severity)}>1",
            stamp(at),
            _name(host, 255),
            APP,
            "-",
            _name(kind, 32),
            "-",
        )
    )
    return f"{head} {text}".encode()


def _name(text: str, most: int) -> str:
    return _NOT_PRINTED.sub("_", text)[:most] or "-"


def send_stream(
    place: Place, messages: Iterable[bytes], *, tls: bool, ca_pem: str = "", seconds: float = 30.0
) -> None:
    """Send a batch and see it taken. Raises: AddressRefused, FetchFailed."""
    connection = place.connect(tls=tls, ca_pem=ca_pem)
    try:
        connection.settimeout(seconds)
        connection.sendall(b"".join(b"%d %s" % (len(each), each) for each in messages))
        _end(connection)
    except OSError as error:
        raise failed(error) from None
    finally:
        connection.close()


def _end(connection: socket.socket) -> None:
    deadline = time.monotonic() + END_SECONDS
    if isinstance(connection, ssl.SSLSocket):
        _end_tls(connection)
    else:
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(END_SECONDS)
        with suppress(TimeoutError):
            while time.monotonic() < deadline:
                if not connection.recv(4096):  # whatever else it says, it was not asked
                    return
    while _unacknowledged(connection) and time.monotonic() < deadline:
        time.sleep(0.02)
    if _unacknowledged(connection):
        raise TimeoutError


def _end_tls(connection: ssl.SSLSocket) -> None:
    connection.settimeout(END_SECONDS)
    # Many receivers close without TLS's own goodbye; a reset still raises at the next step.
    with suppress(TimeoutError, ssl.SSLError):
        connection.unwrap()


def _unacknowledged(connection: socket.socket) -> int:
    if connection.fileno() < 0:
        return 0
    (left,) = struct.unpack("i", fcntl.ioctl(connection.fileno(), _SIOCOUTQ, struct.pack("i", 0)))
    return int(left)


def send_datagrams(place: Place, messages: Iterable[bytes]) -> None:
    """Send messages that may be lost, each cut to fit. Raises: AddressRefused, FetchFailed."""
    sender, address = place.datagrams()
    with sender:
        try:
            for each in messages:
                sender.sendto(_cut(each), address)  # type: ignore[call-overload]
        except OSError as error:
            raise failed(error) from None


def _cut(each: bytes) -> bytes:
    return each[:UDP_BYTES].decode(errors="ignore").encode()
