"""Spend logs of a LiteLLM proxy: what customers already run, as JSON, JSONL or CSV.

Summed up by the proxy's key and team. The names of end users and their addresses stay out.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson

from fleet.discovery.readers import documents, moments
from fleet.discovery.readers.tally import (
    MAX_GROUPS,
    PIECE,
    Bytes,
    NotReadable,
    Tally,
    lines,
)
from fleet.discovery.signs import Flag, Hint, Sighting

_KEPT: Final = 30
_HASH: Final = 32
_LONGEST_CSV: Final = 256 * 1024


@dataclass(slots=True)
class _Group:
    ident: str
    alias: str = ""
    team: str = ""
    project: str = ""
    agent: str = ""
    first: datetime | None = None
    last: datetime | None = None
    calls: int = 0
    failed: int = 0
    tokens: int = 0
    cost_micros: int = 0
    models: set[str] = field(default_factory=set)
    vendors: set[str] = field(default_factory=set)
    users: set[str] = field(default_factory=set)


def read(file: Bytes, tally: Tally) -> Iterator[Sighting]:
    """Read a log as it comes. Raises: NotReadable."""
    first = file.read(1)
    rest = _Peeked(first, file)
    if first == b"[":
        yield from read_rows(documents.rows(rest, tally), tally)
    else:
        yield from read_rows(_lines(rest, tally), tally)


def read_rows(rows: Iterable[dict[str, Any]], tally: Tally) -> Iterator[Sighting]:
    """Read rows of the log."""
    groups: dict[str, _Group] = {}
    for row in rows:
        ident = moments.text(row.get("agent_id"), 200) or moments.text(row.get("api_key"), 200)
        if not ident:
            tally.miss("neither api_key nor agent_id")
            continue
        group = groups.get(ident)
        if group is None:
            if len(groups) >= MAX_GROUPS:
                tally.overflow += 1
                continue
            group = groups[ident] = _Group(ident)
        tally.understood += 1
        _add(group, row)
    for group in groups.values():
        yield _sighting(group)


class _Peeked:
    """A file of which the first byte was looked at."""

    def __init__(self, first: bytes, file: Bytes) -> None:
        self._first, self._file = first, file

    def read(self, size: int, /) -> bytes:
        taken, self._first = self._first, b""
        return taken + self._file.read(size - len(taken)) if taken else self._file.read(size)


def _lines(file: Bytes, tally: Tally) -> Iterator[dict[str, Any]]:
    source = lines(file, tally)
    head = next(source, b"")
    if head.lstrip().startswith(b"["):
        raise NotReadable("A list that is compressed or begins with a space: save it as JSONL.")
    if not head.lstrip().startswith(b"{"):
        yield from _table(head, source, tally)
        return
    for line in _all(head, source):
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            tally.miss("not JSON")
            continue
        if isinstance(row, dict):
            yield from documents.rows_of([row], tally)  # a page of them is its rows
        else:
            tally.miss("not an object")


def _all(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from rest


def _table(head: bytes, rest: Iterator[bytes], tally: Tally) -> Iterator[dict[str, Any]]:
    csv.field_size_limit(_LONGEST_CSV)
    names = _cells(head)
    if "api_key" not in names or len(names) > PIECE:
        raise NotReadable("The first line names no column api_key.")
    for line in rest:
        values = _cells(line)
        if len(values) != len(names):
            tally.miss(f"{len(values)} values for {len(names)} columns")
            continue
        yield dict(zip(names, values, strict=True))


def _cells(line: bytes) -> list[str]:
    try:
        return next(csv.reader([line.decode("utf-8-sig", "replace")]), [])
    except csv.Error:
        return []


def _add(group: _Group, row: dict[str, Any]) -> None:
    told = _metadata(row.get("metadata"))
    group.alias = group.alias or moments.text(told.get("user_api_key_alias"), 120)
    group.team = (
        group.team
        or moments.text(told.get("user_api_key_team_alias"), 120)
        or moments.text(row.get("team_id"), 120)
    )
    group.project = group.project or moments.text(told.get("user_api_key_project_id"), 120)
    group.agent = group.agent or moments.text(row.get("agent_id"), 120)
    group.calls += 1
    group.failed += row.get("status") == "failure"
    group.tokens += moments.count(row.get("total_tokens"))
    group.cost_micros += moments.micros(row.get("spend"))
    at = moments.moment(row.get("startTime"))
    if at is not None:
        group.first, group.last = min(group.first or at, at), max(group.last or at, at)
    for kept, value in (
        (group.models, moments.text(row.get("model"), 120)),
        (group.vendors, moments.text(row.get("custom_llm_provider"), 60)),
        (group.users, moments.text(row.get("user"), 200)),
    ):
        if value and len(kept) < _KEPT:
            kept.add(value)


def _metadata(value: object) -> dict[str, Any]:
    if isinstance(value, str) and value.startswith("{"):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return {}
    return value if isinstance(value, dict) else {}


def _short(ident: str) -> str:
    # A proxy logs a hash of the key; one that is set up badly logs the key.
    is_hash = len(ident) >= _HASH and all(each in "0123456789abcdef" for each in ident)
    return (ident if is_hash else hashlib.sha256(ident.encode()).hexdigest())[:8]


def _sighting(group: _Group) -> Sighting:
    name = group.agent or group.alias or f"key {_short(group.ident)}"
    hints = [Hint(who, "is the user of the proxy's key", 0.7) for who in sorted(group.users)[:3]]
    if group.team:
        hints.append(Hint(group.team, "is the team of the proxy's key", 0.5))
    return Sighting(
        kind="gateway_key",
        keys=(f"litellm|{group.ident}",),
        title=f"LiteLLM {name}",
        vendor=", ".join(sorted(group.vendors))[:120],
        summary=f"{group.calls} calls, {group.tokens} tokens over the proxy",
        confidence=0.9,
        seen_from=group.first,
        seen_to=group.last,
        flags=frozenset({Flag.DIRECT}),
        models=tuple(sorted(group.models)),
        hints=tuple(hints),
        calls=group.calls,
        cost_micros=group.cost_micros,
        facts={
            "alias": group.alias, "team": group.team, "project": group.project,
            "failed": group.failed, "tokens": group.tokens,
        },
        names=(group.agent, group.alias, group.project),
    )  # fmt: skip
