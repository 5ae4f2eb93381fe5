"""What to look for and what to do about it, compiled once for each set of actions.

Owns the three actions. ``allow`` counts, ``redact`` replaces, ``block`` ends the call. Where
two findings overlap they are one, of the kind with the stronger action.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from routing.gateway.detectors import cards, contacts, ibans, national, secrets
from routing.gateway.detectors.detector import SECRET, Detector, compiled

ALLOW: Final = "allow"
REDACT: Final = "redact"
BLOCK: Final = "block"
ACTIONS: Final = (ALLOW, REDACT, BLOCK)

BUILT_IN: Final[tuple[Detector, ...]] = (
    *secrets.DETECTORS,
    *cards.DETECTORS,
    *ibans.DETECTORS,
    *contacts.DETECTORS,
    *national.DETECTORS,
)
KINDS: Final = tuple(dict.fromkeys(detector.kind for detector in BUILT_IN))
# Escapes by which text may hide from a look at raw JSON: of ASCII, and of a narrow space.
_ESCAPES: Final = r"u00[2-7aA]"


@dataclass(frozen=True, slots=True)
class Finding:
    """Where something was found in a text's bytes, and what is to be done about it."""

    start: int
    end: int
    kind: str
    action: str


@dataclass(slots=True)
class Tally:
    """What was found so far, in numbers: never what it was."""

    found: Counter[str] = field(default_factory=Counter)
    skipped: int = 0

    def facts(self, rules: Rules) -> list[str]:
        """Return ``kind:count:action``, one for each kind that was found."""
        return [f"{kind}:{n}:{rules.actions[kind]}" for kind, n in sorted(self.found.items())]


def placeholder(kind: str) -> bytes:
    """Return what stands where something was."""
    return b"[redacted: " + kind.encode() + b"]"


class Rules:
    """Detectors with an action for each kind. Raises on what RE2 does not take."""

    def __init__(self, actions: Mapping[str, str], detectors: Sequence[Detector]) -> None:
        self.actions = dict(actions)
        used = [one for one in detectors if one.kind in self.actions]
        self._detectors = [(compiled(one.pattern), one) for one in used]
        self.may_hold = compiled("|".join([*(one.probe for one in used), _ESCAPES])).search
        self.probe = compiled("|".join(one.probe for one in used)).search
        tails = "|".join(f"(?:{one.tail})" for one in used if one.tail)
        self.tail = compiled(rf"(?:{tails})\z").search

    @property
    def changes(self) -> bool:
        """Tell whether anything is ever replaced or refused."""
        return any(action != ALLOW for action in self.actions.values())

    def find(self, text: bytes) -> list[Finding]:
        """Return what is in a text, in order and without overlaps."""
        if not self.probe(text):
            return []
        found = [one for pattern, detector in self._detectors for one in
                 self._of(pattern, detector, text)]  # fmt: skip
        return _merged(found) if len(found) > 1 else found

    def _of(self, pattern: Any, detector: Detector, text: bytes) -> Iterator[Finding]:
        action, position = self.actions[detector.kind], 0
        while (match := pattern.search(text, position)) is not None:
            start, end = match.span()
            position = end if not detector.looks_inside else start + 1
            for span in detector.check(text, start, end):
                yield Finding(*span, detector.kind, action)
                position = max(position, span[1])

    def applied(self, text: bytes, findings: Iterable[Finding], tally: Tally) -> bytes:
        """Return a text as it may go on, and count what was in it."""
        pieces: list[bytes] = []
        done = 0
        for one in findings:
            tally.found[one.kind] += 1
            if one.action != ALLOW:
                pieces += (text[done : one.start], placeholder(one.kind))
                done = one.end
        return b"".join([*pieces, text[done:]]) if pieces else text


def _merged(found: list[Finding]) -> list[Finding]:
    found.sort(key=lambda one: (one.start, -one.end))
    merged = [found[0]]
    for one in found[1:]:
        last = merged[-1]
        if one.start >= last.end:
            merged.append(one)
            continue
        strong, weak = (last, one) if _rank(last) >= _rank(one) else (one, last)
        if weak.action == ALLOW and strong.action != ALLOW:
            merged[-1] = strong
        else:
            start, end = min(last.start, one.start), max(last.end, one.end)
            merged[-1] = Finding(start, end, strong.kind, strong.action)
    return merged


def _rank(one: Finding) -> int:
    return ACTIONS.index(one.action)


@lru_cache(maxsize=512)
def rules_for(actions: tuple[tuple[str, str], ...], custom: tuple[Detector, ...] = ()) -> Rules:
    """Return the rules of these actions, compiled once."""
    return Rules(dict(actions), (*BUILT_IN, *custom))


SECRETS_ONLY: Final = ((SECRET, REDACT),)
