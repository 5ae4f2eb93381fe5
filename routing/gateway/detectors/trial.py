"""A text looked at on trial: what a route would find in it, with nothing sent or stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from routing.gateway.detectors.rules import (
    ACTIONS,
    ALLOW,
    BLOCK,
    KINDS,
    REDACT,
    Finding,
    Tally,
    rules_for,
)

EVERYTHING: Mapping[str, str] = dict.fromkeys(KINDS, REDACT)


@dataclass(frozen=True, slots=True)
class Trial:
    """What would be found, where in characters, and the text as it would go on."""

    outcome: str  # of the actions, the strongest that would be taken
    counts: Mapping[str, int]
    found: list[Finding]
    text: str


def try_text(text: str, actions: Mapping[str, str]) -> Trial:
    """Look at a text as a route with these actions would."""
    rules = rules_for(tuple(sorted((actions or EVERYTHING).items())), ())
    raw = text.encode("utf-8", "surrogatepass")
    found = rules.find(raw)
    made = rules.applied(raw, found, Tally()).decode("utf-8", "surrogatepass")

    def place(at: int) -> int:
        return len(raw[:at].decode("utf-8", "surrogatepass"))

    return Trial(
        outcome=max((one.action for one in found), key=ACTIONS.index, default=ALLOW),
        counts=Counter(one.kind for one in found),
        found=[Finding(place(one.start), place(one.end), one.kind, one.action) for one in found],
        text="" if any(one.action == BLOCK for one in found) else made,
    )
