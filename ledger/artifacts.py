"""Artifacts as a journal writes them: what entries name by digest, written with the first of them.

Owns which digests this process knows to be there already, so that what repeats costs a look
into a dictionary. No Django: the gateway imports it. An artifact is no payload: nothing that
was said, no secret and nothing of a person goes into one, because none is ever destroyed.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from ledger.batches import Row, Table
from ledger.entries import Fact

POLICY_BUNDLE: Final = "policy_bundle"
DECISION_INPUT: Final = "decision_input"
CALL_SETUP: Final = "call_setup"
# The fact that names an artifact, and its kind.
NAMED_BY: Final = {"bundle": POLICY_BUNDLE, "input": DECISION_INPUT, "setup": CALL_SETUP}
_KNOWN: Final = 100_000

ARTIFACTS: Final = Table(
    "ledger_artifact",
    (("digest", "text"), ("kind", "text"), ("body", "bytea"), ("kept_at", "timestamptz")),
    "ON CONFLICT (digest) DO NOTHING",
)
Source = Callable[[str], bytes | None]


def digest_of(body: bytes) -> str:
    """Return the name of some bytes."""
    return "sha256:" + hashlib.sha256(body).hexdigest()


class Artifacts:
    """The artifacts that entries of this process name."""

    def __init__(self) -> None:
        self._sources: dict[str, Source] = {}
        self._there: OrderedDict[str, None] = OrderedDict()

    def learn(self, fact: str, source: Source) -> None:
        """Take the bytes behind a fact from here. What nobody has the bytes of is not kept."""
        self._sources[fact] = source

    def rows(self, facts: Mapping[str, Fact], at: datetime) -> list[Row]:
        """Return the artifacts that an entry names and that may not be there yet."""
        rows: list[Row] = []
        for name, source in self._sources.items():
            digest = facts.get(name)
            if digest in self._there or not isinstance(digest, str) or not digest:
                continue
            body = source(digest)
            if body is not None and digest_of(body) == digest:
                rows.append(Row(ARTIFACTS, (digest, NAMED_BY[name], body, at)))
        return rows

    def confirm(self, rows: list[Row]) -> None:
        """Know that these are there."""
        for row in rows:
            self._there[str(row.values[0])] = None
            if len(self._there) > _KNOWN:
                self._there.popitem(last=False)

    def forget(self) -> None:
        """Know nothing any more: a restored database may lack what was there."""
        self._there.clear()
