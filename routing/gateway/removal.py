"""Secrets, taken out of what is kept: whatever a route says, no credential is recorded.

Owns the last look at a payload before it is hashed, encrypted and stored. Most hold nothing
that could be one, and are told by a single search. What cannot be looked at is not kept.
"""

from __future__ import annotations

import re
from typing import Final

from routing.gateway.detectors.document import screened_document
from routing.gateway.detectors.rules import SECRETS_ONLY, Tally, rules_for
from routing.gateway.looking import FAULTS, LookingStage
from routing.gateway.sse import EventSplitter

NOT_KEPT: Final = b"[not kept: it could not be searched for secrets]"
_HOLD: Final = 64 * 1024 * 1024
_RULES: Final = rules_for(SECRETS_ONLY)
# Every piece of a text of a stream, by the member that holds it.
_PIECES: Final = re.compile(
    rb'"(content|text|thinking|partial_json|arguments|delta|reasoning_content|reasoning|refusal)"'
    rb': ?"([^"\\]*(?:\\.[^"\\]*)*)"'
)
_SECOND: Final = re.compile(rb'"(?:index|output_index)": ?[1-9]')


def without_secrets(payload: bytes, operation: str) -> tuple[bytes, int]:
    """Return a payload as it may be kept, and how many secrets were taken out."""
    try:
        if payload[:1] not in {b"{", b"["} and b"data:" in payload:
            return _stream(payload, operation)
        if not _RULES.may_hold(payload):
            return payload, 0
        tally = Tally()
        made = screened_document(payload, _RULES, tally)
        return made, tally.found.total()
    except FAULTS:
        return NOT_KEPT, 1


def _stream(payload: bytes, operation: str) -> tuple[bytes, int]:
    if not _RULES.may_hold(payload) and not _SECOND.search(payload):
        texts: dict[bytes, list[bytes]] = {}
        for name, piece in _PIECES.findall(payload):
            texts.setdefault(name, []).append(piece)
        if not any(_RULES.may_hold(b"".join(pieces)) for pieces in texts.values()):
            return payload, 0
    stage, splitter = _Looking(_RULES, operation), EventSplitter(_HOLD)
    events = [made for event in splitter.feed(payload) for made in stage.take(event)]
    events += stage.finish()
    if not (count := stage.count):
        return payload, 0
    return b"".join([event.raw for event in events]) + splitter.held, count


class _Looking(LookingStage):
    """A stage that is asked how many it found."""

    @property
    def count(self) -> int:
        return self._tally.found.total()
