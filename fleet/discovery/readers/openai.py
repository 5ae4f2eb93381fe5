"""OpenAI's admin API: keys of projects, service accounts, usage and costs, as rows.

``owner_project_access`` other than ``active`` is an orphaned key: who owned it has lost the
project. A list without ``owner_project_access=any`` may leave exactly those out. Costs are
dollars.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from fleet.discovery.readers import documents, moments
from fleet.discovery.readers.keyring import Key, Keyring
from fleet.discovery.readers.tally import Bytes, Tally
from fleet.discovery.signs import Flag, Hint, Sighting


def read(file: Bytes, tally: Tally) -> Iterator[Sighting]:
    """Read answers that were saved. Raises: NotReadable."""
    yield from read_rows(documents.rows(file, tally), tally)


def read_rows(rows: Iterable[dict[str, Any]], tally: Tally) -> Iterator[Sighting]:
    """Read rows of answers, in any order."""
    ring = Keyring("OpenAI", "openai", tally)
    for row in rows:
        kind = str(row.get("object") or "")
        if kind == "organization.project.api_key":
            _take_key(row, ring, tally)
        elif kind == "organization.usage.completions.result" or "num_model_requests" in row:
            _take_usage(row, ring, tally)
        elif kind == "organization.costs.result":
            _take_cost(row, ring, tally)
        elif kind.startswith("organization."):
            tally.passed += 1  # projects, service accounts and users are named by their keys
        else:
            tally.miss("no object that is known")
    yield from ring.sightings()


def _take_key(row: dict[str, Any], ring: Keyring, tally: Tally) -> None:
    ident = moments.text(row.get("id"), 100)
    key = ring.key(ident) if ident else None
    if not ident:
        tally.miss("a key without an id")
    if key is None:
        return
    tally.understood += 1
    key.is_inventoried = True
    key.name = moments.text(row.get("name"), 120)
    ring.show(key, moments.text(row.get("redacted_value"), 300))
    key.created = moments.unix(row.get("created_at"))
    key.used = moments.unix(row.get("last_used_at")) or key.used
    key.expires = moments.unix(row.get("expires_at"))
    key.project = moments.text(row.get("_project"), 120) or key.project
    if row.get("owner_project_access") == "inactive":
        key.flags.add(Flag.ORPHANED)
    _take_owner(row, key)


def _take_owner(row: dict[str, Any], key: Key) -> None:
    account = moments.inside(row, "owner", "service_account")
    if isinstance(account, dict):
        key.flags.add(Flag.SHARED)
        if name := moments.text(account.get("name"), 120):
            key.hints.append(Hint(name, "has the name of the service account", 0.3))
    user = moments.inside(row, "owner", "user")
    if isinstance(user, dict) and (email := moments.text(user.get("email"), 254)):
        key.hints.append(Hint(email, "owns the key at OpenAI", 0.9))


def _take_usage(row: dict[str, Any], ring: Keyring, tally: Tally) -> None:
    ident = moments.text(row.get("api_key_id"), 100)
    if not ident:
        tally.passed += 1  # grouped by something else
        return
    if (key := ring.key(ident)) is None:
        return
    tally.understood += 1
    key.calls += moments.count(row.get("num_model_requests"))
    key.tokens += moments.count(row.get("input_tokens")) + moments.count(row.get("output_tokens"))
    key.project = key.project or moments.text(row.get("project_id"), 120)
    begins, ends = moments.moment(row.get("start_time")), moments.moment(row.get("end_time"))
    ring.use(key, begins, ends, moments.text(row.get("model"), 120))


def _take_cost(row: dict[str, Any], ring: Keyring, tally: Tally) -> None:
    cost = moments.micros(moments.inside(row, "amount", "value"))
    ident = moments.text(row.get("api_key_id"), 100)
    key = ring.key(ident) if ident else None
    if key is None:
        ring.unassigned_micros += cost
        tally.passed += 1
        return
    tally.understood += 1
    key.cost_micros += cost
