"""What a replay found: each call step by step, the first difference, one word for all.

Owns the words and what counts. A step is the same, differs, or could not be carried out
because what it needs is not there; only a run without either of the last two is identical.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

SAME: Final = "same"
DIFFERS: Final = "differs"
MISSING: Final = "missing"

IDENTICAL: Final = "identical"
DIVERGED: Final = "diverged"
INCOMPLETE: Final = "incomplete"
EXIT: Final = {IDENTICAL: 0, DIVERGED: 1, INCOMPLETE: 2}

_SHOWN: Final = 300
_AROUND: Final = 60


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a call, compared with its record."""

    name: str
    found: str = SAME
    what: str = ""  # that differs, or why it could not be told
    recorded: str = ""
    replayed: str = ""

    def told(self) -> dict[str, Any]:
        said = {"step": self.name, "found": self.found}
        for name in ("what", "recorded", "replayed"):
            if value := getattr(self, name):
                said[name] = value
        return said


@dataclass(frozen=True, slots=True)
class CallReplay:
    """One attempt, or one refusal."""

    entry_id: str
    verb: str
    code: str  # the code that recorded it, where that is known
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """One run."""

    run_id: str
    code: str  # that replayed it
    calls: tuple[CallReplay, ...]
    skipped: int = 0  # entries that are no calls: there is nothing to carry out
    connections: int = 0  # that were tried, and refused
    notes: tuple[str, ...] = field(default_factory=tuple)

    @property
    def verdict(self) -> str:
        found = {step.found for _, step in self._steps()}
        if DIFFERS in found or self.connections:
            return DIVERGED
        return INCOMPLETE if MISSING in found or not self.calls else IDENTICAL

    @property
    def first(self) -> tuple[CallReplay, Step] | None:
        """The first step that differs; where none does, the first that is missing."""
        for wanted in (DIFFERS, MISSING):
            for call, step in self._steps():
                if step.found == wanted:
                    return call, step
        return None

    @property
    def recorded_by(self) -> list[str]:
        """The code versions that recorded it."""
        return list(dict.fromkeys(call.code for call in self.calls if call.code))

    def _steps(self) -> Iterator[tuple[CallReplay, Step]]:
        return ((call, step) for call in self.calls for step in call.steps)

    def told(self) -> dict[str, Any]:
        """Return it as JSON says it."""
        first = self.first
        return {
            "run": self.run_id,
            "verdict": self.verdict,
            "replayed_by": self.code,
            "recorded_by": self.recorded_by,
            "connections": self.connections,
            "calls": [
                {
                    "entry": call.entry_id,
                    "verb": call.verb,
                    "steps": [step.told() for step in call.steps],
                }
                for call in self.calls
            ],
            "first": None if first is None else {"entry": first[0].entry_id, **first[1].told()},
        }


def compared(name: str, what: str, recorded: object, replayed: object) -> Step:
    """Compare two plain values."""
    if recorded == replayed:
        return Step(name)
    return Step(name, DIFFERS, what, _short(recorded), _short(replayed))


def compared_bytes(name: str, what: str, recorded: bytes, replayed: bytes) -> Step:
    """Compare two texts, and show where they part."""
    if recorded == replayed:
        return Step(name)
    at = next(
        (i for i, (one, other) in enumerate(zip(recorded, replayed, strict=False)) if one != other),
        min(len(recorded), len(replayed)),
    )
    place = f"{what}, from byte {at} on ({len(recorded)} bytes recorded, {len(replayed)} replayed)"
    return Step(name, DIFFERS, place, _around(recorded, at), _around(replayed, at))


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _around(raw: bytes, at: int) -> str:
    piece = raw[max(0, at - _AROUND) : at + 3 * _AROUND]
    return _short(piece.decode("utf-8", "backslashreplace"))
