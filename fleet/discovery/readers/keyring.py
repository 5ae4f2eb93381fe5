"""The keys of one vendor's organisation, each with its use and cost, from rows in any order.

Keys, usage and costs come in separate answers; a row of usage may come before the key it is
of. All of one key is one sighting.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from fleet.discovery.readers.tally import MAX_GROUPS, Tally
from fleet.discovery.signs import Flag, Hint, Sighting
from kernel import clock

STALE = timedelta(days=90)
_MODELS_KEPT = 30
_SHOWN = re.compile(r"[A-Za-z0-9_-]{2,8}$")  # what stands after the mask


@dataclass(slots=True)
class Key:
    """What is known of one key."""

    ident: str
    name: str = ""
    tail: str = ""  # two characters, never more: they are kept
    ending: str = field(default="", repr=False)  # all that is shown: compared, and forgotten
    project: str = ""
    created: datetime | None = None
    used: datetime | None = None
    used_from: datetime | None = None
    expires: datetime | None = None
    status: str = ""
    is_inventoried: bool = False
    flags: set[Flag] = field(default_factory=set)
    hints: list[Hint] = field(default_factory=list)
    models: set[str] = field(default_factory=set)
    calls: int = 0
    tokens: int = 0
    cost_micros: int = 0


class Keyring:
    """Keys by id."""

    def __init__(self, vendor: str, name: str, tally: Tally) -> None:
        self._vendor, self._name, self._tally = vendor, name, tally
        self._keys: dict[str, Key] = {}
        self.unassigned_micros = 0

    def key(self, ident: str) -> Key | None:
        """Return a key's record; None beyond what a reading may hold."""
        found = self._keys.get(ident)
        if found is None:
            if len(self._keys) >= MAX_GROUPS:
                self._tally.overflow += 1
                return None
            found = self._keys[ident] = Key(ident)
        return found

    def show(self, key: Key, shown: str) -> None:
        """Take what is shown of a key: masked, but for how it begins and ends."""
        found = _SHOWN.search(shown)
        key.ending = found.group() if found and len(found.group()) < len(shown) else ""
        key.tail = shown[-2:].strip("*. …")

    def use(self, key: Key, begins: datetime | None, ends: datetime | None, model: str) -> None:
        """Note when a key was used, and with which model."""
        if begins is not None:
            key.used_from = min(key.used_from or begins, begins)
            # A bucket that is not over yet ends in the future.
            last = min(ends or begins, clock.now())
            key.used = max(key.used or last, last)
        if model and len(key.models) < _MODELS_KEPT:
            key.models.add(model)

    def sightings(self) -> Iterator[Sighting]:
        """Yield one sighting a key."""
        alike = Counter(key.ending for key in self._keys.values())
        for key in self._keys.values():
            yield self._sighting(key, ending=key.ending if alike[key.ending] == 1 else "")

    def _sighting(self, key: Key, ending: str) -> Sighting:
        flags = set(key.flags)
        if key.expires is None and key.is_inventoried:
            flags.add(Flag.NEVER_EXPIRES)
        last = key.used or key.created
        if key.is_inventoried and (last is None or clock.now() - last > STALE):
            flags.add(Flag.STALE)
        if key.calls:
            flags.add(Flag.DIRECT)
        return Sighting(
            kind="vendor_key",
            keys=(f"key|{self._name}|{key.ident}",),
            title=f"{self._vendor} key {key.name or key.ident}",
            vendor=self._vendor,
            summary=_told(key),
            confidence=0.95 if key.is_inventoried else 0.8,
            seen_from=key.used_from or key.created,
            seen_to=key.used or key.created,
            flags=frozenset(flags),
            models=tuple(sorted(key.models)),
            hints=tuple(key.hints),
            calls=key.calls,
            cost_micros=key.cost_micros,
            facts=_facts(key),
            names=(key.name, key.project),
            tail=f"{self._name}:{key.tail[-2:]}" if len(key.tail) >= 2 else "",
            ending=f"{self._name}:{ending}" if ending else "",
            has_requests=self._name == "openai",
        )


def _facts(key: Key) -> dict[str, object]:
    stated = {
        "id": key.ident,
        "name": key.name,
        "project": key.project,
        "status": key.status,
        "created": key.created.isoformat() if key.created else "",
        "last_used": key.used.isoformat() if key.used else "",
        "expires": key.expires.isoformat() if key.expires else "",
        "tokens": key.tokens,
    }
    return {name: value for name, value in stated.items() if value}


def _told(key: Key) -> str:
    if key.used is None:
        return "never used, as far as is known" if key.is_inventoried else "was billed"
    told = f"last used on {key.used:%Y-%m-%d}"
    return f"{told}, {key.calls} requests" if key.calls else told
