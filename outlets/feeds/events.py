"""An entry as a SIEM gets it: its header's fields and its place, never a payload.

What is written here is read by parsers that other people wrote. Every value is escaped as
its format asks, and a control character never leaves as itself: a fact may hold what an
agent or a vendor said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from kernel.clock import stamp
from ledger.headers import Header, HeaderInvalid, read_header
from outlets.feeds.severity import severity_of, word_of

VENDOR: Final = "Unsprawl"
LONGEST_FIELD: Final = 4000  # what CEF's custom strings hold
LONGEST_FACTS: Final = 16_000
# Controls, line ends of Unicode, and marks that turn the direction of what follows.
_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")


@dataclass(frozen=True, slots=True)
class Event:
    """What is told of one entry."""

    epoch: int
    index: int
    leaf_hash: str
    header: Header | None  # None when the bytes are no header: that is told, too
    is_test: bool = False

    @classmethod
    def of(cls, epoch: int, index: int, leaf_hash: bytes, header: bytes) -> Event:
        """Read an entry. One that cannot be read is an event of its own."""
        try:
            read = read_header(header)
        except HeaderInvalid:
            return cls(epoch, index, leaf_hash.hex(), None)
        return cls(epoch, index, leaf_hash.hex(), read)

    @property
    def kind(self) -> str:
        if self.header is None:
            return "test" if self.is_test else "unreadable"
        return self.header.kind

    @property
    def verb(self) -> str:
        if self.header is None:
            return "feed.tested" if self.is_test else "entry.unreadable"
        return self.header.verb

    @property
    def severity(self) -> int:
        if self.header is None:
            return 0 if self.is_test else 10
        return severity_of(self.kind, self.verb)

    @property
    def event_id(self) -> str:
        return self.header.entry_id if self.header else f"{self.epoch}:{self.index}"

    def document(self, source: str) -> dict[str, Any]:
        """Return the event as one flat object; the names are documented and stay."""
        place = {"epoch": self.epoch, "index": self.index, "leaf_hash": self.leaf_hash}
        shared = {
            "id": self.event_id,
            "source": source,
            "kind": self.kind,
            "verb": self.verb,
            "severity": self.severity,
            "severity_word": word_of(self.severity),
            **place,
        }
        if self.header is None:
            return shared
        header = self.header
        return {
            **shared,
            "time": stamp(header.recorded_at),
            "actor": header.actor,
            "subject": header.subject,
            "agent": header.agent_id,
            "on_behalf_of": header.on_behalf_of,
            "intent": header.intent_id or "",
            "stream": header.stream,
            "writer": header.writer,
            "seq": header.seq,
            "facts": _bounded(header.facts),
        }


def json_text(event: Event, source: str) -> str:
    """Write an event as JSON on one line, in ASCII."""
    return json.dumps(event.document(source), separators=(",", ":"), sort_keys=True)


def hec_text(event: Event, source: str, host: str) -> str:
    """Write an event in the envelope of an HTTP event collector."""
    envelope: dict[str, Any] = {
        "event": event.document(source),
        "host": host,
        "source": source,
        "sourcetype": "unsprawl:entry",
    }
    if event.header is not None:
        envelope["time"] = f"{event.header.recorded_at.timestamp():.6f}"
    return json.dumps(envelope, separators=(",", ":"), sort_keys=True)


def cef_text(event: Event, source: str, version: str) -> str:
    """Write an event in CEF 0 (ArcSight Common Event Format)."""
    head = "|".join(
        (
            "CEF:0",
            VENDOR,
            VENDOR,
            cef_head(version),
            cef_head(event.verb),
            cef_head(event.verb.replace(".", " ").replace("_", " ").capitalize()),
            str(event.severity),
        )
    )
    said = event.document(source)
    fields: dict[str, Any] = {
        "externalId": said["id"],
        "cat": said["kind"],
        "act": said["verb"],
        "dvchost": source,
        "cn1Label": "index",
        "cn1": event.index,
        "cn2Label": "epoch",
        "cn2": event.epoch,
        "cs6Label": "leafHash",
        "cs6": event.leaf_hash,
    }
    if event.header is not None:
        fields |= {
            "rt": int(event.header.recorded_at.timestamp() * 1000),
            "suser": said["actor"],
            "duser": said["on_behalf_of"],
            "cs1Label": "subject",
            "cs1": said["subject"],
            "cs2Label": "agent",
            "cs2": said["agent"],
            "cs3Label": "stream",
            "cs3": said["stream"],
            "cs4Label": "facts",
            "cs4": json.dumps(said["facts"], separators=(",", ":"), sort_keys=True),
            "cs5Label": "intent",
            "cs5": said["intent"],
        }
    extension = " ".join(
        f"{name}={cef_value(str(value))}" for name, value in fields.items() if value != ""
    )
    return f"{head}|{extension}"


def cef_head(text: str) -> str:
    """Escape a field of CEF's head: pipes and backslashes; no line ends are allowed there."""
    plain = _CONTROLS.sub(" ", text)[:512]
    return plain.replace("\\", "\\\\").replace("|", "\\|")


def cef_value(text: str) -> str:
    """Escape a value of CEF's extension: backslashes, equals signs, line ends."""
    cut = text[:LONGEST_FIELD]
    escaped = cut.replace("\\", "\\\\").replace("=", "\\=")
    escaped = escaped.replace("\r\n", "\\n").replace("\n", "\\n").replace("\r", "\\r")
    return _CONTROLS.sub(" ", escaped)


def _bounded(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts as long as they are short: a receiver cuts off what is not."""
    kept: dict[str, Any] = {}
    left = LONGEST_FACTS
    for name in sorted(facts):
        left -= len(json.dumps(facts[name])) + len(name)
        if left < 0:
            return {**kept, "facts_cut": True}
        kept[name] = facts[name]
    return kept


def moment_of(event: Event, otherwise: datetime) -> datetime:
    """Return when an entry was recorded."""
    return event.header.recorded_at if event.header else otherwise
