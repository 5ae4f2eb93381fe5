"""What one kind of vendor takes of a call, and what becomes of the rest.

Owns the four things that can be done to a member, and that nothing else is touched: the bytes
between stay as they came. A member is left out, renamed, brought within bounds, or ends the
call at this target. What would mean something else without it is never left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from routing.gateway.body import Extent, member_extents, splice
from routing.gateway.mapping.losses import CannotTranslate

# Left out, these would make another call of it: they are refused, or the target passed over.
MATERIAL: Final = frozenset({"response_format", "tools", "tool_choice", "n", "messages", "input"})


class Does(Enum):
    """What becomes of a member."""

    DROP = "drop"
    RENAME = "rename"
    CLAMP = "clamp"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Rule:
    """One member that a vendor does not take as it is, of some of its models.

    A value in ``neutral`` asks for nothing. It stays as it is, or goes without a word where
    the vendor rejects the member whatever it says (``unknown``).
    """

    member: str
    does: Does
    models: str = ""  # a pattern that is looked for from the beginning; empty: all
    operations: tuple[str, ...] = ("chat",)
    to: str = ""
    least: float = 0
    most: float = 0
    neutral: tuple[Any, ...] = ()
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class Profile:
    """A kind of vendor. ``operations`` are the kinds of calls that it serves; empty: all."""

    name: str
    title: str
    dialect: str
    source: str
    rules: tuple[Rule, ...] = ()
    operations: frozenset[str] = frozenset()
    hosts: str = ""  # a pattern for the guess from an address
    reports_unasked: bool = False  # a stream ends with its usage, and asking is an error

    def rules_for(self, model: str) -> Mapping[str, tuple[Rule, ...]]:
        """Return what holds for a model, by the kind of call."""
        found: dict[str, list[Rule]] = {}
        for rule in self.rules:
            if re.match(rule.models, model, re.IGNORECASE):
                for operation in rule.operations:
                    found.setdefault(operation, []).append(rule)
        return {operation: tuple(rules) for operation, rules in found.items()}


@dataclass(frozen=True, slots=True)
class Fitted:
    """A call's text as a vendor takes it, and what was done to it."""

    text: str
    dropped: list[str]
    changed: list[str]


def fit(text: str, rules: tuple[Rule, ...], title: str) -> Fitted | None:
    """Return a call as a vendor takes it; None when it is that already. Raises: CannotTranslate."""
    members = {member.name: member for member in member_extents(text)}
    fitting = _Fitting(text, members, title)
    for rule in rules:
        if rule.member in members and rule.member not in fitting.gone:
            fitting.apply(rule, members[rule.member])
    return fitting.fitted()


class _Fitting:
    """One call being fitted. Used once."""

    def __init__(self, text: str, members: Mapping[str, Extent], title: str) -> None:
        self._text = text
        self._members = members
        self._title = title
        self.gone: set[str] = set()
        self._edits: dict[str, tuple[int, int, str]] = {}
        self._dropped: list[str] = []
        self._changed: list[str] = []

    def apply(self, rule: Rule, member: Extent) -> None:
        """Do to a member what a rule says. Raises: CannotTranslate."""
        value = json.loads(self._text[member.start : member.end])
        if value is None or value in rule.neutral:
            if rule.unknown:
                self.gone.add(rule.member)
        elif rule.does is Does.REFUSE:
            raise CannotTranslate(
                f"{rule.member} is not taken by {self._title}, and the call would mean something"
                " else without it.",
                param=rule.member,
            )
        elif rule.does is Does.DROP or rule.to in self._members:
            self.gone.add(rule.member)
            self._dropped.append(rule.member)
        elif rule.does is Does.RENAME:
            self._edits[rule.member] = (member.key, member.key_end, json.dumps(rule.to))
            self._changed.append(f"{rule.member}: {rule.to}")
        elif (within := _within(value, rule)) is not None:
            self._edits[rule.member] = (member.start, member.end, json.dumps(within))
            self._changed.append(f"{rule.member}: {within}")

    def fitted(self) -> Fitted | None:
        """Return what came of it; None when nothing did."""
        if not (self.gone or self._edits):
            return None
        kept = [edit for name, edit in self._edits.items() if name not in self.gone]
        cuts = _cuts([*self._members.values()], self.gone)
        return Fitted(splice(self._text, [*kept, *cuts]), self._dropped, self._changed)


def _within(value: Any, rule: Rule) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None  # the vendor says what is wrong with it
    bound = rule.least if value < rule.least else rule.most if value > rule.most else None
    return int(bound) if bound is not None and bound == int(bound) else bound


def _cuts(members: list[Extent], gone: set[str]) -> list[tuple[int, int, str]]:
    """Return the edits that take members out, each with one of the commas beside it."""
    cuts: list[tuple[int, int, str]] = []
    last_kept: Extent | None = None
    for place, member in enumerate(members):
        if member.name not in gone:
            last_kept = member
            continue
        if any(one.name not in gone for one in members[place + 1 :]):
            cuts.append((member.key, members[place + 1].key, ""))
        else:
            start = members[0].key if last_kept is None else last_kept.end
            cuts.append((start, members[-1].end, ""))
            break
    return cuts
