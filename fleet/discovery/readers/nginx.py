"""nginx in front of the world: a log whose lines name the server that was asked for.

Read are JSON lines, and plain lines that begin as the combined format does and end with the
name: ``log_format egress '$remote_addr - $remote_user [$time_iso8601] $ssl_preread_server_name``
or ``$time_local``. The combined format alone names no host, so a log in it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import orjson

from fleet.discovery.readers import moments
from fleet.discovery.readers.egress import Sent, Traffic
from fleet.discovery.readers.hosts import normalised
from fleet.discovery.readers.tally import Bytes, Tally, lines
from fleet.discovery.signs import Sighting

_PLAIN: Final = re.compile(r"(\S{1,64}) \S{1,64} (\S{1,200}) \[([^\]]{10,40})\](.*)")
_QUOTED: Final = re.compile(r'"[^"]*"')
_HOSTS: Final = ("ssl_preread_server_name", "server_name", "sni", "host", "http_host")
_MOMENTS: Final = ("time_iso8601", "time_local", "msec", "time", "@timestamp", "ts")
_SENDERS: Final = ("remote_addr", "client", "client_ip")


def read(file: Bytes, tally: Tally) -> Iterator[Sighting]:
    """Read a log as it comes."""
    traffic = Traffic("nginx", tally)
    for line in lines(file, tally):
        sent = _json(line) if line.startswith(b"{") else _plain(line)
        if sent is None:
            tally.miss("no sender, moment and name of a server")
        else:
            traffic.take(sent)
    yield from traffic.sightings()


def _json(line: bytes) -> Sent | None:
    try:
        row: Any = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(row, dict):
        return None
    at = next((when for name in _MOMENTS if (when := _moment(row.get(name)))), None)
    host = next((told for name in _HOSTS if (told := _name(row.get(name)))), "")
    sender = next((who for name in _SENDERS if (who := moments.text(row.get(name), 64))), "")
    if at is None or not host or not sender:
        return None
    user = moments.text(row.get("remote_user"))
    agent = moments.text(row.get("http_user_agent"), 80)
    return Sent(at=at, host=host, user=user.strip("-"), address=sender, agent=agent)


def _plain(line: bytes) -> Sent | None:
    found = _PLAIN.fullmatch(line.decode("utf-8", "replace"))
    at = _moment(found[3]) if found else None
    if found is None or at is None:
        return None
    # What stands in quotes is a request, a referrer or a client: none says where it went.
    words = _QUOTED.sub(" ", found[4]).split()
    host = next((word for word in words if "." in word and _is_name(word)), "")
    if not host:
        return None
    return Sent(at=at, host=normalised(host), user=found[2].strip("-"), address=found[1])


def _is_name(word: str) -> bool:
    name = normalised(word)
    return bool(name) and any(each.isalpha() for each in name)


def _name(value: object) -> str:
    return normalised(value) if isinstance(value, str) and _is_name(value) else ""


def _moment(value: object) -> datetime | None:
    if isinstance(value, str) and "/" in value[:12]:
        try:
            return moments.unix(datetime.strptime(value, "%d/%b/%Y:%H:%M:%S %z").timestamp())
        except (ValueError, OverflowError):
            return None
    return moments.moment(value)
