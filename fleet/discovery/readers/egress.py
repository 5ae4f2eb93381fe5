"""Traffic towards vendors, summed up by who sent it: the shared half of the log readers.

A group is one sender and one vendor. Senders are people or addresses: they become hints
and hashed keys, and never part of a title or of the facts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from fleet.discovery.readers.hosts import Service, normalised, service_of
from fleet.discovery.readers.tally import MAX_GROUPS, Tally
from fleet.discovery.signs import Flag, Hint, Sighting

CONFIDENCE = 0.6
_NAMES_KEPT = 5


@dataclass(slots=True)
class Sent:
    """One line of a log, as far as it is of use."""

    at: datetime
    host: str
    user: str = ""  # of a proxy that asks who somebody is
    address: str = ""
    machine: str = ""  # a name that outlives its address, such as an instance's id
    size: int = 0
    agent: str = ""  # what the client says it is
    is_denied: bool = False


@dataclass(slots=True)
class _Group:
    service: Service
    user: str
    address: str
    machine: str
    first: datetime
    last: datetime
    calls: int = 0
    denied: int = 0
    size: int = 0
    hosts: set[str] = field(default_factory=set)
    agents: set[str] = field(default_factory=set)


class Traffic:
    """Groups of lines, as many as a reading may hold; the rest is counted."""

    def __init__(self, source: str, tally: Tally) -> None:
        self._source, self._tally = source, tally
        self._groups: dict[tuple[str, str], _Group] = {}

    def take(self, sent: Sent) -> None:
        """Add a line if it went to a vendor of models."""
        service = service_of(sent.host)
        if service is None or service.is_for_people:
            self._tally.passed += 1
            return
        who = sent.user or sent.machine or sent.address
        if not who:
            self._tally.miss("the line names no sender")
            return
        if self._tally.own.is_ours(
            normalised(sent.host), user=sent.user, machine=sent.machine, address=sent.address
        ):
            self._tally.ours += 1
            return
        key = (who, service.vendor)
        group = self._groups.get(key)
        if group is None:
            if len(self._groups) >= MAX_GROUPS:
                self._tally.overflow += 1
                return
            group = self._groups[key] = _Group(
                service, sent.user, sent.address, sent.machine, sent.at, sent.at
            )
        self._tally.understood += 1
        _add(group, sent)

    def sightings(self) -> Iterator[Sighting]:
        """Yield one sighting a group, and forget the group."""
        while self._groups:
            _, group = self._groups.popitem()
            yield self._sighting(group)

    def _sighting(self, group: _Group) -> Sighting:
        kind, who = _sender(group)
        flags = {Flag.DIRECT} | ({Flag.BLOCKED_BEFORE} if group.denied else set())
        told = f"{group.calls} connections to {', '.join(sorted(group.hosts))}"
        if group.denied:
            told += f", {group.denied} refused by the proxy"
        return Sighting(
            kind="traffic",
            keys=(f"traffic|{kind}|{who.lower()}|{group.service.vendor}",),
            title=f"Traffic to {group.service.vendor} from {_AS_WORDS[kind]}",
            vendor=group.service.vendor,
            summary=told,
            confidence=CONFIDENCE,
            seen_from=group.first,
            seen_to=group.last,
            flags=frozenset(flags),
            hints=_hints(group),
            calls=group.calls,
            facts={
                "hosts": sorted(group.hosts),
                "bytes": group.size,
                "denied": group.denied,
                "clients": sorted(group.agents),
                "sender": kind,
                "log": self._source,
            },
        )


_AS_WORDS = {"user": "a person's account", "machine": "a machine", "address": "one address"}


def _sender(group: _Group) -> tuple[str, str]:
    if group.user:
        return "user", group.user
    return ("machine", group.machine) if group.machine else ("address", group.address)


def _hints(group: _Group) -> tuple[Hint, ...]:
    if group.user:
        return (Hint(group.user, "signed in to the proxy that saw it", 0.8),)
    if group.machine:
        return (Hint(group.machine, "runs the machine that sent it", 0.3),)
    return (Hint(group.address, "uses the address it came from", 0.2),)


def _add(group: _Group, sent: Sent) -> None:
    group.calls += 1
    group.denied += sent.is_denied
    group.size += sent.size
    group.first, group.last = min(group.first, sent.at), max(group.last, sent.at)
    if len(group.hosts) < _NAMES_KEPT:
        group.hosts.add(sent.host)
    if sent.agent and len(group.agents) < _NAMES_KEPT:
        group.agents.add(sent.agent)
