"""Squid's own log format: ``time elapsed client code/status bytes method URL user hier type``."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from fleet.discovery.readers import moments
from fleet.discovery.readers.egress import Sent, Traffic
from fleet.discovery.readers.hosts import normalised
from fleet.discovery.readers.tally import Bytes, Tally, lines
from fleet.discovery.signs import Sighting

_FIELDS = 10


def read(file: Bytes, tally: Tally) -> Iterator[Sighting]:
    """Read a log as it comes."""
    traffic = Traffic("squid", tally)
    for line in lines(file, tally):
        parts = line.decode("utf-8", "replace").split()
        if len(parts) < _FIELDS:
            tally.miss(f"{len(parts)} fields where {_FIELDS} are expected")
            continue
        at, host = moments.unix(parts[0]), _host(parts[5], parts[6])
        if at is None or not host or "/" not in parts[3]:
            tally.miss("no moment, result or host where one is expected")
            continue
        traffic.take(
            Sent(
                at=at,
                host=host,
                user="" if parts[7] == "-" else moments.text(parts[7]),
                address=moments.text(parts[2], 64),
                size=moments.count(parts[4]),
                is_denied=parts[3].startswith("TCP_DENIED"),
            )
        )
    yield from traffic.sightings()


def _host(method: str, address: str) -> str:
    if method == "CONNECT":
        return normalised(address.rpartition(":")[0] or address)
    try:
        return normalised(urlsplit(address).hostname or "")
    except ValueError:
        return ""
