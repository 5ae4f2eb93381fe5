"""Anthropic's admin API: keys, and the usage that tells which of them are used.

Keys carry no moment of last use, so usage is joined by ``api_key_id``. An amount of the cost
report is a decimal text in cents: "123.45" is 1.23 dollars.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from fleet.discovery.readers import documents, moments
from fleet.discovery.readers.keyring import Keyring
from fleet.discovery.readers.tally import Bytes, Tally
from fleet.discovery.signs import Flag, Hint, Sighting

CENTS = 100
_TOKENS = ("uncached_input_tokens", "cache_read_input_tokens", "output_tokens")
_GONE = ("inactive", "archived", "expired")


def read(file: Bytes, tally: Tally) -> Iterator[Sighting]:
    """Read answers that were saved. Raises: NotReadable."""
    yield from read_rows(documents.rows(file, tally), tally)


def read_rows(rows: Iterable[dict[str, Any]], tally: Tally) -> Iterator[Sighting]:
    """Read rows of answers, in any order."""
    ring, people = Keyring("Anthropic", "anthropic", tally), dict[str, str]()
    created: dict[str, str] = {}
    for row in rows:
        if row.get("type") == "api_key":
            _take_key(row, ring, tally, created)
        elif row.get("type") == "user" and (email := moments.text(row.get("email"), 254)):
            people[moments.text(row.get("id"), 100)] = email
            tally.passed += 1
        elif any(name in row for name in _TOKENS):
            _take_usage(row, ring, tally)
        elif "amount" in row:
            _take_cost(row, ring, tally)
        elif isinstance(row.get("type"), str):
            tally.passed += 1
        else:
            tally.miss("no key, usage, cost or user")
    _name_owners(ring, created, people)
    yield from ring.sightings()


def _take_key(row: dict[str, Any], ring: Keyring, tally: Tally, created: dict[str, str]) -> None:
    ident = moments.text(row.get("id"), 100)
    key = ring.key(ident) if ident else None
    if not ident:
        tally.miss("a key without an id")
    if key is None:
        return
    tally.understood += 1
    key.is_inventoried = True
    key.name = moments.text(row.get("name"), 120)
    ring.show(key, moments.text(row.get("partial_key_hint"), 300))
    key.status = moments.text(row.get("status"), 20)
    key.project = moments.text(row.get("workspace_id"), 100)
    key.created = moments.iso(row.get("created_at"))
    key.expires = moments.iso(row.get("expires_at"))
    if moments.inside(row, "principal", "type") == "service_account":
        key.flags.add(Flag.SHARED)
    owner = moments.inside(row, "principal", "id") or moments.inside(row, "created_by", "id")
    if isinstance(owner, str):
        created[ident] = owner[:100]
    elif key.status not in _GONE:
        key.flags.add(Flag.ORPHANED)  # nobody is named who answers for it


def _take_usage(row: dict[str, Any], ring: Keyring, tally: Tally) -> None:
    ident = moments.text(row.get("api_key_id"), 100)
    if not ident:
        tally.passed += 1
        return
    if (key := ring.key(ident)) is None:
        return
    tally.understood += 1
    key.tokens += sum(moments.count(row.get(name)) for name in _TOKENS)
    # The report counts tokens, not requests: that it was used at all is one.
    key.calls += 1
    begins, ends = moments.moment(row.get("starting_at")), moments.moment(row.get("ending_at"))
    ring.use(key, begins, ends, moments.text(row.get("model"), 120))


def _take_cost(row: dict[str, Any], ring: Keyring, tally: Tally) -> None:
    cost = moments.micros(row.get("amount"), per_unit=CENTS)
    ident = moments.text(row.get("api_key_id"), 100)
    key = ring.key(ident) if ident else None
    if key is None:
        ring.unassigned_micros += cost
        tally.passed += 1
        return
    tally.understood += 1
    key.cost_micros += cost


def _name_owners(ring: Keyring, created: dict[str, str], people: dict[str, str]) -> None:
    for ident, owner in created.items():
        key = ring.key(ident)
        if key is None:
            continue
        if owner in people:
            key.hints.append(Hint(people[owner], "made the key at Anthropic", 0.9))
        elif people and owner.startswith("user_"):
            # The list of users was read, and whoever made the key is not in it any more.
            key.flags.add(Flag.ORPHANED)
