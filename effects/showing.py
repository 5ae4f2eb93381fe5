"""One action as people see it before they decide: all of it, in the order in which it is kept.

Made on the server from the sealed action and from nothing an agent drew. Every argument has
its path; texts stand in numbered lines, whole; beside it stands what differs from the last
action of its kind that was approved, and the bytes that would leave.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any, Final

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from approvals.models import Review
from effects.acting import canonical_action
from effects.arguments import leaves_of, pointer
from effects.models import Proposal
from effects.queries.proposals import gates_of, last_decided
from effects.reading import action_of, read_action
from effects.spelling import marks_of, spell
from kernel.canonical import canonical, digest
from kernel.errors import DomainError
from registry.actors import Actor

# Pairs of words in the whole of an action, for texts can be made that take the third power of
# their length to compare. Beyond, what lies between the first and the last change is one change.
_MOST_COMPARED: Final = 40_000
_REASON: Final = "shown with a proposal"


@dataclass(frozen=True, slots=True)
class Leaf:
    """One argument that holds no other."""

    path: SafeString
    kind: str
    lines: list[SafeString]
    length: int
    marks: list[str]

    @property
    def is_long(self) -> bool:
        return len(self.lines) > 1


@dataclass(frozen=True, slots=True)
class Change:
    """One path at which this action differs from the last one that was approved."""

    path: SafeString
    kind: str  # added, removed, changed
    before: SafeString
    after: SafeString


@dataclass(frozen=True, slots=True)
class ShownAction:
    """An action laid out, with what it was compared with."""

    digest: str
    leaves: list[Leaf]
    wire: list[tuple[str, list[SafeString]]]
    changes: list[Change] = field(default_factory=list)
    compared: Proposal | None = None
    corrected: list[Change] = field(default_factory=list)  # by a reviewer
    arguments: str = ""  # as JSON, to be edited
    marked: int = 0
    is_whole: bool = True  # all of it is here, and it is what the rows say now
    fault: str = ""

    @property
    def size(self) -> int:
        return sum(leaf.length for leaf in self.leaves)


def show_action(proposal: Proposal, *, actor: Actor) -> ShownAction:
    """Lay an action out for a person; that they read it is on record first.

    Records: payload.read. What cannot be opened is said, and shown as a fault.
    """
    try:
        action = read_action(proposal, actor=actor, reason=_REASON, decided=True)
    except DomainError as error:
        return ShownAction("", [], [], is_whole=False, fault=f"{error.title}. {error.detail}")
    arguments = action["arguments"]
    leaves = [_leaf(path, value) for path, value in leaves_of(arguments).items()]
    wire, fault = _wire(proposal, action)
    last = last_decided(proposal)
    return ShownAction(
        digest=digest(action),
        leaves=leaves,
        wire=wire,
        changes=_compared(last, arguments),
        compared=last,
        corrected=_corrected(proposal, arguments),
        arguments=_written(arguments),
        marked=sum(1 for leaf in leaves if leaf.marks),
        is_whole=fault == "",
        fault=fault,
    )


def draw_action(review: Review, actor: Actor) -> tuple[str, dict[str, Any]]:
    """Draw the action a review is about, on the page where it is decided.

    Records: payload.read.
    """
    rows = Proposal.objects.select_related("agent__owner", "operation__connection")
    proposal = rows.get(public_id=review.subject_ref.id)
    action = show_action(proposal, actor=actor)
    return "effects/_action.html", {
        "proposal": proposal,
        "action": action,
        "gates": gates_of(proposal),
    }


def _leaf(path: tuple[str | int, ...], value: object) -> Leaf:
    text = value if isinstance(value, str) else canonical([value]).decode()[1:-1]
    named = spell(pointer(path))
    said = marks_of(text) if isinstance(value, str) else []
    if strange := marks_of("".join(str(step) for step in path)):
        said = [*said, *(f"its name {mark}" for mark in strange)]
    return Leaf(named, _kind(value), [spell(line) for line in text.split("\n")], len(text), said)


def _kind(value: object) -> str:
    kinds = {str: "text", bool: "true or false", type(None): "null", dict: "object", list: "list"}
    return kinds.get(type(value), "number")


def _wire(
    proposal: Proposal, action: Mapping[str, Any]
) -> tuple[list[tuple[str, list[SafeString]]], str]:
    """Return the bytes that would leave, and why they are not what was asked about."""
    try:
        made, plan = canonical_action(proposal, proposal.operation, action["arguments"])
    except DomainError as error:
        return [], f"{error.title}. {error.detail}"
    parts = [(name, [spell(line) for line in text.split("\n")]) for name, text in plan.parts]
    differing = sorted(name for name in {*made, *action} if made.get(name) != action.get(name))
    is_open = proposal.state == Proposal.State.PROPOSED
    if differing and is_open:
        return parts, f"Since it was asked, this changed: {', '.join(differing)}. It is void."
    return parts, ""


def _compared(last: Proposal | None, arguments: Mapping[str, Any]) -> list[Change]:
    if last is None:
        return []
    try:
        before = action_of(last, decided=True)["arguments"]
    except DomainError:
        return []
    return differences(before, arguments)


def _corrected(proposal: Proposal, arguments: Mapping[str, Any]) -> list[Change]:
    if proposal.edited_count is None:
        return []
    try:
        return differences(action_of(proposal)["arguments"], arguments)
    except DomainError:
        return []


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Return what differs, path by path; within texts, word by word."""
    old, new = leaves_of(before), leaves_of(after)
    found, left = [], _MOST_COMPARED
    for path in [*new, *(path for path in old if path not in new)]:
        named = spell(pointer(path))
        if path not in old:
            found.append(Change(named, "added", SafeString(), _plain(new[path])))
        elif path not in new:
            found.append(Change(named, "removed", _plain(old[path]), SafeString()))
        elif canonical([old[path]]) != canonical([new[path]]):
            one, other, took = _words(old[path], new[path], left)
            left -= took
            found.append(Change(named, "changed", one, other))
    return found


def _plain(value: object) -> SafeString:
    return spell(value if isinstance(value, str) else canonical([value]).decode()[1:-1])


def _words(before: object, after: object, most: int) -> tuple[SafeString, SafeString, int]:
    """Mark what differs word by word; say how many pairs of words that compared."""
    if not (isinstance(before, str) and isinstance(after, str)):
        return _plain(before), _plain(after), 0
    old, new = before.split(" "), after.split(" ")
    head = _alike(old, new)
    tail = _alike(old[head:][::-1], new[head:][::-1])
    was, now = old[head : len(old) - tail], new[head : len(new) - tail]
    took = len(was) * len(now)
    steps = [("replace", 0, len(was), 0, len(now))]
    if took <= most:
        steps = list(SequenceMatcher(None, was, now, autojunk=False).get_opcodes())
    first, last = (False, old[:head]), (False, old[len(old) - tail :])
    return (
        _marked(
            [first, *((step[0] != "equal", was[step[1] : step[2]]) for step in steps), last], "del"
        ),
        _marked(
            [first, *((step[0] != "equal", now[step[3] : step[4]]) for step in steps), last], "ins"
        ),
        took if took <= most else 0,
    )


def _alike(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many words two texts begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def _marked(parts: Sequence[tuple[bool, list[str]]], tag: str) -> SafeString:
    shown = []
    for is_changed, words in parts:
        if not words:
            continue
        text = spell(" ".join(words))
        shown.append(format_html("<{0}>{1}</{0}>", tag, text) if is_changed else text)
    return format_html_join(" ", "{}", ((each,) for each in shown))


def _written(arguments: Mapping[str, Any]) -> str:
    """Write arguments to be edited; what is not seen stands there as its JSON escape."""
    text = json.dumps(arguments, indent=2, ensure_ascii=False)
    return "".join(char if char == "\n" or char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return json.dumps(char)[1:-1]
