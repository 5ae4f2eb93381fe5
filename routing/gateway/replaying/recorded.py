"""A run as its record tells it, whole and in memory: what replay works on, and nothing else.

Owns the form of a dump, which golden runs are kept in: one JSON object a line, entries in
their order, then the artifacts they name. A dump holds payloads in the clear.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson

from kernel.clock import stamp
from ledger.artifacts import digest_of
from ledger.entries import Fact
from routing.gateway.recording.annexes import Annex, read_annex

FORMAT: Final = "unsprawl.replay/1"
NO_PAYLOAD: Final = ""


class DumpUnreadable(Exception):
    """Raised for a file that is no dump of a run; says why."""


@dataclass(frozen=True, slots=True)
class RecordedEntry:
    """One entry of a run with what it speaks of. ``unread`` says why that is not here."""

    entry_id: str
    kind: str
    verb: str
    recorded_at: datetime
    facts: Mapping[str, Fact]
    intent_id: str = ""
    payload: bytes | None = field(default=None, repr=False)
    raw_annex: bytes = field(default=b"", repr=False)
    unread: str = NO_PAYLOAD

    @property
    def annex(self) -> Annex:
        return read_annex(self.raw_annex)

    def text(self, name: str) -> str:
        value = self.facts.get(name)
        return value if isinstance(value, str) else ""


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """The entries of a run in their order, and the artifacts that they name."""

    run_id: str
    entries: tuple[RecordedEntry, ...]
    artifacts: Mapping[str, bytes] = field(repr=False)

    @property
    def results(self) -> dict[str, RecordedEntry]:
        """The results by their intent."""
        return {one.intent_id: one for one in self.entries if one.kind == "result"}

    def calls(self) -> Iterator[RecordedEntry]:
        """Yield the intents and refusals of calls, in order."""
        for one in self.entries:
            if one.verb in {"call.intended", "call.denied", "call.over_budget"}:
                yield one


def dump(run: RecordedRun) -> bytes:
    """Write a run down."""
    lines: list[Any] = [{"format": FORMAT, "run": run.run_id}]
    lines += [{"entry": _entry(one)} for one in run.entries]
    lines += [{"artifact": _text(body)} for _, body in sorted(run.artifacts.items())]
    return b"".join(orjson.dumps(line, option=orjson.OPT_SORT_KEYS) + b"\n" for line in lines)


def load(raw: bytes) -> RecordedRun:
    """Read a dump back. Raises: DumpUnreadable."""
    try:
        first, *lines = [orjson.loads(line) for line in raw.splitlines()]
        if first["format"] != FORMAT:
            raise DumpUnreadable(f"The file has the format {first['format']!r}, not {FORMAT}.")
        entries = tuple(_entry_of(line["entry"]) for line in lines if "entry" in line)
        bodies = [_bytes(line["artifact"]) for line in lines if "artifact" in line]
        return RecordedRun(first["run"], entries, named(bodies))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DumpUnreadable(f"The file is no dump of a run ({type(error).__name__}).") from None


def named(bodies: Iterable[bytes]) -> dict[str, bytes]:
    """Return artifacts by the digest of their bytes."""
    return {digest_of(body): body for body in bodies}


def _entry(one: RecordedEntry) -> dict[str, Any]:
    said: dict[str, Any] = {
        "id": one.entry_id,
        "kind": one.kind,
        "verb": one.verb,
        "recorded_at": stamp(one.recorded_at),
        "facts": dict(one.facts),
    }
    if one.intent_id:
        said["intent"] = one.intent_id
    if one.payload is not None:
        said["payload"] = _text(one.payload)
    if one.raw_annex:
        said["annex"] = _text(one.raw_annex)
    if one.unread:
        said["unread"] = one.unread
    return said


def _entry_of(said: Mapping[str, Any]) -> RecordedEntry:
    payload = said.get("payload")
    return RecordedEntry(
        said["id"],
        said["kind"],
        said["verb"],
        datetime.fromisoformat(said["recorded_at"]),
        said["facts"],
        said.get("intent", ""),
        None if payload is None else _bytes(payload),
        _bytes(said["annex"]) if "annex" in said else b"",
        said.get("unread", ""),
    )


def _text(raw: bytes) -> Any:
    """Write bytes as text where they are text: a dump is to be read by people too."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(raw).decode()}


def _bytes(said: Any) -> bytes:
    return said.encode() if isinstance(said, str) else base64.b64decode(said["base64"])
