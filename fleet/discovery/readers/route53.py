"""Query logs of the Route 53 Resolver: a name that was asked for, and the instance that did."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import orjson

from fleet.discovery.readers import moments
from fleet.discovery.readers.egress import Sent, Traffic
from fleet.discovery.readers.hosts import normalised
from fleet.discovery.readers.tally import Bytes, Tally, lines
from fleet.discovery.signs import Sighting

_LONGEST_MOMENT: Final = 40


def read(file: Bytes, tally: Tally) -> Iterator[Sighting]:
    """Read a log as it comes."""
    traffic = Traffic("route53", tally)
    for line in lines(file, tally):
        # CloudWatch writes its own moment before each line that it exports.
        told = line[at:] if 0 < (at := line.find(b"{")) <= _LONGEST_MOMENT else line
        try:
            row = orjson.loads(told)
        except orjson.JSONDecodeError:
            tally.miss("not JSON")
            continue
        when = moments.iso(moments.inside(row, "query_timestamp"))
        name = moments.inside(row, "query_name")
        host = normalised(name) if isinstance(name, str) else ""
        if when is None or not host:
            tally.miss("no query_timestamp or query_name")
            continue
        traffic.take(
            Sent(
                at=when,
                host=host,
                address=moments.text(moments.inside(row, "srcaddr"), 64),
                machine=moments.text(moments.inside(row, "srcids", "instance"), 64),
            )
        )
    yield from traffic.sightings()
