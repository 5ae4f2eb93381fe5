"""Zeek's ssl.log and dns.log, as JSON lines or as tab-separated values with a header.

Of an encrypted connection only the name that the client asked for is known; where that is
hidden (ECH, DNS over HTTPS) the lines say nothing, and are counted as passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from fleet.discovery.readers import moments
from fleet.discovery.readers.egress import Sent, Traffic
from fleet.discovery.readers.hosts import normalised
from fleet.discovery.readers.tally import Bytes, NotReadable, Tally, lines
from fleet.discovery.signs import Sighting

_MOST_FIELDS = 200


def read(file: Bytes, tally: Tally) -> Iterator[Sighting]:
    """Read a log as it comes. Raises: NotReadable."""
    traffic, header = Traffic("zeek", tally), _Header()
    for line in lines(file, tally):
        row = _json(line, tally) if line.startswith(b"{") else header.row(line, tally)
        if row is not None:
            _take(row, traffic, tally)
    yield from traffic.sightings()


class _Header:
    """What the lines with ``#`` say of those below them; a file may hold several."""

    def __init__(self) -> None:
        self._fields: list[str] = []
        self._between = "\t"
        self._unset = {"-", "(empty)"}

    def row(self, line: bytes, tally: Tally) -> dict[str, Any] | None:
        text = line.decode("utf-8", "replace")
        if text.startswith("#"):
            self._told(text)
            tally.passed += 1
            return None
        if not self._fields:
            tally.miss("neither JSON, nor below a #fields line")
            return None
        values = text.split(self._between)
        if len(values) != len(self._fields):
            tally.miss(f"{len(values)} values for {len(self._fields)} fields")
            return None
        return {
            name: value
            for name, value in zip(self._fields, values, strict=True)
            if value not in self._unset
        }

    def _told(self, text: str) -> None:
        if text.startswith("#separator"):
            stated = text.partition(" ")[2].strip()
            if stated.startswith("\\x") and len(stated) == 4:
                try:
                    self._between = chr(int(stated[2:], 16))
                except ValueError:
                    raise NotReadable("The #separator line cannot be read.") from None
            return
        name, _, rest = text.partition(self._between)
        if name == "#fields":
            self._fields = rest.split(self._between)[:_MOST_FIELDS]
        if name == "#unset_field":
            self._unset.add(rest)


def _json(line: bytes, tally: Tally) -> dict[str, Any] | None:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        tally.miss("not JSON")
        return None
    if not isinstance(row, dict):
        tally.miss("not an object")
        return None
    return row


def _take(row: dict[str, Any], traffic: Traffic, tally: Tally) -> None:
    at, sender = moments.moment(row.get("ts")), moments.text(row.get("id.orig_h"), 64)
    if at is None or not sender:
        tally.miss("no ts or id.orig_h")
        return
    host = normalised(moments.text(row.get("server_name") or row.get("query"), 255))
    if not host:
        tally.passed += 1
        return
    traffic.take(Sent(at=at, host=host, address=sender))
