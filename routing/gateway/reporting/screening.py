"""What agents say they did, looked at before it is recorded: as calls are, by the same detectors.

Owns what becomes of it. A call that holds what must not go on is refused; a step has happened
already, so it is recorded that it did, and what was said of it is not. Words that become
facts cannot be erased later: what is to be refused in a payload is taken out of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from ledger.entries import Fact
from routing.gateway.detectors.document import screened_document, screened_text
from routing.gateway.detectors.rules import ALLOW, REDACT, Rules, Tally
from routing.gateway.detectors.text import Blocked
from routing.gateway.detectors.words import without_credentials
from routing.gateway.looking import FAULTS, facts_of
from routing.gateway.protection import KindUnknown, Protection
from routing.gateway.reporting.spans import CUT
from routing.gateway.reporting.steps import LONGEST_WORD, Step
from routing.gateway.snapshot import Agent

LONGEST_CONTENT: Final = 1024 * 1024
_LONGEST_PART: Final = 256 * 1024


@dataclass(slots=True)
class Screened:
    """A step's words and content as they may be recorded, and what is to be said about that."""

    words: dict[str, str]
    content: bytes
    facts: dict[str, Fact] = field(default_factory=dict)


class ReportScreen:
    """Detectors over the reports of one agent."""

    def __init__(self, protection: Protection, agent: Agent) -> None:
        self._rules: Rules | None = None
        self._redacting: Rules | None = None
        self._can_look = True
        if actions := protection.of_reports(agent):
            removed = {kind: REDACT for kind, action in actions.items() if action != ALLOW}
            try:
                self._rules = protection.rules(actions)
                self._redacting = protection.rules(removed) if removed else None
            except KindUnknown:
                self._can_look = False

    def screened(self, step: Step) -> Screened:
        tally = Tally()
        words = {name: self._word(word, tally) for name, word in step.spoken().items()}
        content, was_cut = _packed(step.content)
        made = Screened(words, content)
        if was_cut:
            made.facts["payload_cut"] = True
        if self._rules is not None:
            self._look(made, self._rules, tally)
        if not self._can_look and made.content:
            _withhold(made)
        return made

    def _look(self, made: Screened, rules: Rules, tally: Tally) -> None:
        try:
            made.content = screened_document(made.content, rules, tally)
        except (Blocked, *FAULTS):
            _withhold(made)
        made.facts |= facts_of(tally, rules, "report")

    def _word(self, word: str, tally: Tally) -> str:
        # Searched further than it is kept: the cut must not hide what it begins like.
        said = without_credentials(word[:1000])
        if self._redacting is not None:
            raw = said.encode("utf-8", "surrogatepass")
            made = screened_text(raw, self._redacting, tally)
            said = said if made is raw else made.decode("utf-8", "replace")
        return said[:LONGEST_WORD] if said.isprintable() else _printable(said)


def _withhold(made: Screened) -> None:
    made.content = b""
    made.facts["withheld"] = True


def _printable(said: str) -> str:
    return "".join(filter(str.isprintable, said))[:LONGEST_WORD]


def _packed(content: dict[str, Any]) -> tuple[bytes, bool]:
    """Write what was said as one document, cut down to what an entry should hold."""
    if not content:
        return b"", False
    raw = _dumped(content)
    if len(raw) <= LONGEST_CONTENT:
        return raw, False
    shortened = {name: _shortened(value) for name, value in content.items()}
    raw = _dumped(shortened)
    if len(raw) <= LONGEST_CONTENT:
        return raw, True
    kept = {name: shortened[name] for name in ("arguments", "output") if name in shortened}
    return _dumped(kept) if kept else b"", True


def _shortened(value: Any) -> Any:
    if isinstance(value, str):
        # Whole signs, of whatever length in bytes.
        cut = value.encode("utf-8", "replace")[:_LONGEST_PART].decode("utf-8", "ignore")
        return value if len(cut) == len(value) else cut + CUT
    return value if len(_dumped(value)) <= _LONGEST_PART else CUT


def _dumped(value: Any) -> bytes:
    return orjson.dumps(value, default=str)
