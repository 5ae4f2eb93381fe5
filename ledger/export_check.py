"""Checking an export: no Django, no database, nothing but the file and the format.

What the file does not prove is not believed: its own last line must agree with what came
before it, and a file without one is incomplete, whatever else it holds.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

from kernel.canonical import NotJSON, strict_loads
from ledger.checking import Checker, Finding, StoredEntry, StoredPayload, Verdict
from ledger.entries import ciphertext_digest, leaf_hash
from ledger.errors import LedgerUnreadable
from ledger.headers import Header, HeaderInvalid, read_header

FORMAT: Final = "unsprawl.run-export/1"
LONGEST_LINE: Final = 128 * 1024 * 1024
_MEMBERS: Final = frozenset({"header", "leaf_hash", "payload"})


class _LineInvalid(Exception):
    """A line is not what its place in the file asks for."""


def verify_export(path: Path) -> Verdict:
    """Check an exported stream. Raises: LedgerUnreadable when it is no export, or cut off."""
    try:
        with path.open("rb") as file:
            return _Pass(file).run()
    except OSError as error:
        raise LedgerUnreadable(f"The file cannot be read ({error.strerror}).") from None


class _Pass:
    def __init__(self, file: BinaryIO) -> None:
        self._lines = _lines(file)
        self._checker = Checker()
        self._ends: dict[str, object] = {}
        self._stream = ""

    def run(self) -> Verdict:
        self._begin()
        for number, document in self._lines:
            if isinstance(document, dict) and "end" in document:
                self._finish(document, number)
                return self._checker.verdict()
            try:
                self._entry(document)
            except (_LineInvalid, HeaderInvalid) as error:
                self._note(f"line {number}: {error}")
        raise LedgerUnreadable(
            f"The export was cut off after {self._checker.entries} entries; its end is missing."
        )

    def _begin(self) -> None:
        _, first = next(self._lines, (1, None))
        if not isinstance(first, dict) or first.get("format") != FORMAT:
            raise LedgerUnreadable(f"The file is not an export of the form {FORMAT}.")
        self._stream = str(first.get("stream", ""))

    def _entry(self, document: object) -> None:
        if not isinstance(document, dict) or document.keys() - _MEMBERS:
            raise _LineInvalid("it is no entry")
        raw = _bytes(document, "header")
        header = read_header(raw)
        row = _row(header, raw, _hash(document, "leaf_hash"))
        self._checker.entry(row)
        self._ends[header.writer] = {"seq": header.seq, "leaf_hash": leaf_hash(raw).hex()}
        if header.stream != self._stream:
            raise _LineInvalid("the entry belongs to another stream")
        self._checker.payload(row, header, _payloads(document, header))

    def _finish(self, document: dict[str, Any], number: int) -> None:
        entries = self._checker.entries
        if document != {"end": {"entries": entries, "chains": self._ends}}:
            self._note(f"line {number}: the last line does not agree with the entries before it")
        if next(self._lines, None) is not None:
            self._note(f"line {number + 1}: something follows the last line")

    def _note(self, wrong: str) -> None:
        self._checker.note(Finding(self._stream, "", 0, "", wrong))


def _lines(file: BinaryIO) -> Iterator[tuple[int, object]]:
    number = 0
    while line := file.readline(LONGEST_LINE):
        number += 1
        try:
            yield number, strict_loads(line)
        except NotJSON:
            yield number, None


def _row(header: Header, raw: bytes, stated: bytes) -> StoredEntry:
    return StoredEntry(
        entry_id=header.entry_id,
        stream=header.stream,
        writer=header.writer,
        seq=header.seq,
        prev_hash=header.prev_hash,
        header=raw,
        leaf_hash=stated,
        kind=header.kind,
        verb=header.verb,
        actor=header.actor,
        subject=header.subject,
        agent_id=header.agent_id,
        intent_id=header.intent_id,
        recorded_at=header.recorded_at,
    )


def _payloads(document: dict[str, Any], header: Header) -> list[StoredPayload]:
    if "payload" not in document:
        return []
    stored = document["payload"]
    if not isinstance(stored, dict) or stored.keys() != {"nonce", "ciphertext"}:
        raise _LineInvalid("its payload has the wrong shape")
    digest = ciphertext_digest(_bytes(stored, "nonce"), _bytes(stored, "ciphertext"))
    named = header.payload.dek_id if header.payload else ""
    return [StoredPayload(header.entry_id, header.recorded_at, named, digest, has_key=True)]


def _bytes(document: dict[str, Any], name: str) -> bytes:
    try:
        return base64.b64decode(document[name], validate=True)
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise _LineInvalid(f"its {name} is not base64") from None


def _hash(document: dict[str, Any], name: str) -> bytes:
    try:
        return bytes.fromhex(document[name])
    except (KeyError, TypeError, ValueError):
        raise _LineInvalid(f"its {name} is not hexadecimal") from None
