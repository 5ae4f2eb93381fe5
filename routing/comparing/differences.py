"""Two runs compared, step by step: what was asked, offered, called, answered, used and paid.

Owns the list of what is compared and in which order it is told. Texts are compared word by
word. A difference in time is told and is no divergence: no two calls take the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Final

from routing.comparing.aligned import Pair, aligned
from routing.comparing.spoken import Answer, Question
from routing.comparing.steps import CALL, Step, steps_of
from routing.gateway.replaying.recorded import RecordedRun

_SAME_TIME: Final = frozenset({"latency", "first byte"})
_SAID: Final = frozenset({"prompt", "output"})
_WORD: Final = re.compile(r"\s+|\w+|[^\w\s]")
_WORDS_COMPARED: Final = 4_000
# What is compared of every step, and the fact that says it.
FIELDS: Final = (
    ("route", "route"),
    ("model", "model"),
    ("vendor", "vendor"),
    ("reported model", "reported_model"),
    ("status", "status"),
    ("HTTP status", "http_status"),
    ("error", "error"),
    ("rule", "rule"),
    ("input tokens", "input_tokens"),
    ("output tokens", "output_tokens"),
    ("cost", "cost_micros"),
    ("latency", "duration_ms"),
    ("first byte", "first_byte_ms"),
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a text: the same in both, or of one only."""

    text: str
    is_other: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which two steps differ."""

    what: str
    one: str
    other: str

    @property
    def is_of_time(self) -> bool:
        return self.what in _SAME_TIME

    @property
    def is_text(self) -> bool:
        """Tell whether it is to be shown word by word."""
        if self.what in _SAID or self.what.startswith("arguments of"):
            return True
        return "\n" in self.one + self.other or max(len(self.one), len(self.other)) > 60

    @property
    def sides(self) -> tuple[list[Piece], list[Piece]]:
        return worded(self.one, self.other)


@dataclass(frozen=True, slots=True)
class StepPair:
    """Two steps side by side, or one that stands alone."""

    one: Step | None
    other: Step | None
    differences: tuple[Difference, ...] = ()

    @property
    def is_same(self) -> bool:
        if self.one is None or self.other is None:
            return False
        return all(one.is_of_time for one in self.differences)

    @property
    def step(self) -> Step:
        found = self.one or self.other
        assert found is not None  # noqa: S101  a pair has at least one
        return found

    @property
    def state(self) -> str:
        if self.one is None:
            return "added"
        if self.other is None:
            return "missing"
        return "same" if self.is_same else "changed"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs side by side."""

    one: str
    other: str
    pairs: tuple[StepPair, ...]

    @property
    def is_same(self) -> bool:
        return all(pair.is_same for pair in self.pairs)

    def count(self, state: str) -> int:
        return sum(pair.state == state for pair in self.pairs)

    def sums(self, name: str) -> tuple[int | None, int | None]:
        """Add a fact up on both sides; None where no step says it, such as an unknown price."""
        return _sum(name, [pair.one for pair in self.pairs]), _sum(
            name, [pair.other for pair in self.pairs]
        )

    def told(self) -> dict[str, Any]:
        """Return it as JSON says it."""
        return {
            "one": self.one,
            "other": self.other,
            "is_same": self.is_same,
            "steps": {
                state: self.count(state) for state in ("same", "changed", "missing", "added")
            },
            "sums": {
                name: [*self.sums(name)]
                for name in ("cost_micros", "input_tokens", "output_tokens", "duration_ms")
            },
            "pairs": [_told(pair) for pair in self.pairs],
        }


def compare_runs(one: RecordedRun, other: RecordedRun) -> Comparison:
    """Lay two runs side by side and say in what they differ."""
    left, right = steps_of(one), steps_of(other)
    pairs = [
        StepPair(
            None if i is None else left[i],
            None if j is None else right[j],
            () if i is None or j is None else tuple(differences(left[i], right[j])),
        )
        for i, j in _places(left, right)
    ]
    return Comparison(one.run_id, other.run_id, tuple(pairs))


def _places(left: Sequence[Step], right: Sequence[Step]) -> list[Pair]:
    """Align steps; those of a re-evaluation by the step that each answers again."""
    known = {step.entry_id: place for place, step in enumerate(left)}
    if right and all(step.of in known for step in right):
        answered = {known[step.of]: place for place, step in enumerate(right)}
        return [(place, answered.get(place)) for place in range(len(left))]
    return aligned([one.signature for one in left], [one.signature for one in right])


def differences(one: Step, other: Step) -> list[Difference]:
    """Return in what two steps differ, what was said first."""
    found = [*_of_questions(one, other), *_of_answers(one, other)]
    if one.kind != other.kind or one.name != other.name:
        found.append(Difference("kind", f"{one.kind} {one.name}", f"{other.kind} {other.name}"))
    for what, name in FIELDS:
        before, after = one.fact(name), other.fact(name)
        if before != after:
            found.append(Difference(what, _shown(one, name), _shown(other, name)))
    if one.attempts != other.attempts:
        found.append(Difference("attempts", str(one.attempts), str(other.attempts)))
    return found


def _of_questions(one: Step, other: Step) -> list[Difference]:
    if one.kind != CALL or other.kind != CALL:
        return []
    before, after = one.question or Question(), other.question or Question()
    found = _unread("what was asked", one.question is None, other.question is None)
    if not found and before.turns != after.turns:
        found.append(Difference("prompt", _turns(before, after), _turns(after, before)))
    if before.tools != after.tools:
        found.append(Difference("tools offered", ", ".join(before.tools), ", ".join(after.tools)))
    return found


def _of_answers(one: Step, other: Step) -> list[Difference]:
    if one.kind != CALL or other.kind != CALL:
        return []
    before, after = one.answer or Answer(), other.answer or Answer()
    if found := _unread("what was answered", one.answer is None, other.answer is None):
        return found
    names = [call.name for call in before.calls], [call.name for call in after.calls]
    if names[0] != names[1]:
        found.append(Difference("tools called", ", ".join(names[0]), ", ".join(names[1])))
    for mine, theirs in zip(before.calls, after.calls, strict=False):
        if mine.name == theirs.name and mine.arguments != theirs.arguments:
            what = f"arguments of {mine.name}"
            found.append(Difference(what, mine.arguments, theirs.arguments))
    if before.form != after.form:
        found.append(Difference("form", before.form, after.form))
    if before.text != after.text:
        found.append(Difference("output", before.text, after.text))
    return found


def _unread(what: str, one: bool, other: bool) -> list[Difference]:  # noqa: FBT001  two sides
    if one == other:
        return []
    told = {True: "not here any more", False: "here"}
    return [Difference(what, told[one], told[other])]


def _turns(question: Question, besides: Question) -> str:
    """Write the turns that are not at the same place in the other."""
    rest = [
        turn
        for place, turn in enumerate(question.turns)
        if place >= len(besides.turns) or besides.turns[place] != turn
    ]
    return "\n".join(f"{turn.role}: {turn.text}" for turn in rest)


def worded(one: str, other: str) -> tuple[list[Piece], list[Piece]]:
    """Split two texts into pieces that both have and pieces that one has."""
    left, right = _WORD.findall(one), _WORD.findall(other)
    if max(len(left), len(right)) > _WORDS_COMPARED:
        return [Piece(one, is_other=True)], [Piece(other, is_other=True)]
    mine: list[Piece] = []
    theirs: list[Piece] = []
    matcher = SequenceMatcher(None, left, right, autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        is_other = kind != "equal"
        if b > a:
            mine.append(Piece("".join(left[a:b]), is_other))
        if d > c:
            theirs.append(Piece("".join(right[c:d]), is_other))
    return mine, theirs


def _shown(step: Step, name: str) -> str:
    value = step.fact(name)
    if value is None:
        return ""
    if name == "cost_micros" and isinstance(value, int):
        return f"{value / 1_000_000:.6f} {step.fact('currency') or ''}".strip()
    return f"{value} ms" if name.endswith("_ms") else str(value)


def _sum(name: str, steps: Sequence[Step | None]) -> int | None:
    there = [step.fact(name) for step in steps if step is not None]
    known = [value for value in there if isinstance(value, int)]
    return sum(known) if known or not there else None


def _told(pair: StepPair) -> dict[str, Any]:
    return {
        "state": pair.state,
        "one": None if pair.one is None else pair.one.entry_id,
        "other": None if pair.other is None else pair.other.entry_id,
        "kind": pair.step.kind,
        "differences": [
            {"what": one.what, "one": one.one, "other": one.other} for one in pair.differences
        ],
    }
