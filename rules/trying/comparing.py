"""How one answer differs from another: looser, stricter, otherwise, or not at all.

Pure. An answer that lets through what was asked or refused is looser; of two that let the same
through, the one that binds less. Where some constraints bind more and others less, or only the
rule is another, it is neither.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from policy.decision import Decision

_FREEDOM: Final = {"deny": 0, "ask": 1, "allow": 2}
UNCHANGED, LOOSER, STRICTER, OTHERWISE = "unchanged", "looser", "stricter", "otherwise"


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer as trials compare it; constraints are none where they are not known."""

    answer: str
    rule: str
    constraints: Mapping[str, Any] | None = field(default=None, hash=False)

    @classmethod
    def of(cls, decision: Decision) -> Answered:
        said = "allow" if decision.allow else "ask" if decision.ask else "deny"
        return cls(said, decision.rule, decision.constraints)


@dataclass(frozen=True, slots=True)
class Difference:
    """What a bundle would change of one answer."""

    found: str
    constraints: dict[str, list[Any]] = field(default_factory=dict, hash=False)


def compare(old: Answered, new: Answered) -> Difference:
    """Say how the new answer differs from the old one."""
    changed = _changed(old.constraints, new.constraints)
    if old.answer != new.answer:
        freer = _FREEDOM[new.answer] > _FREEDOM[old.answer]
        return Difference(LOOSER if freer else STRICTER)
    ways = {_way(name, *pair) for name, pair in changed.items()}
    if len(ways) == 1:
        return Difference(ways.pop(), changed)
    if ways or old.rule != new.rule:
        return Difference(OTHERWISE, changed)
    return Difference(UNCHANGED)


def _changed(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> dict[str, list[Any]]:
    if old is None or new is None:
        return {}
    names = sorted({*old, *new})
    return {
        name: [old.get(name), new.get(name)] for name in names if old.get(name) != new.get(name)
    }


def _way(name: str, old: Any, new: Any) -> str:
    freedom = _FREEDOM_OF.get(name)
    if freedom is None:
        return OTHERWISE
    return freedom(old, new)


def _more_is_stricter(old: Any, new: Any) -> str:
    if not _are_numbers(old, new):
        return OTHERWISE
    return STRICTER if new > old else LOOSER


def _more_is_looser(old: Any, new: Any) -> str:
    """Compare caps; no cap at all is the largest."""
    if old is None or new is None:
        return LOOSER if new is None else STRICTER
    if not _are_numbers(old, new):
        return OTHERWISE
    return LOOSER if new > old else STRICTER


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(each, int) and not isinstance(each, bool) for each in values)


def _level(old: Any, new: Any) -> str:
    return STRICTER if str(new) > str(old) else LOOSER


def _sets(*, more: str, everything: Callable[[set[str]], bool]) -> Callable[[Any, Any], str]:
    """Compare sets of which a larger one is looser, or stricter; one may stand for everything."""
    less = STRICTER if more == LOOSER else LOOSER

    def compared(old: Any, new: Any) -> str:
        before, after = set(old or ()), set(new or ())
        if before == after:
            return OTHERWISE  # the same ones in another order
        if everything(after):
            return OTHERWISE if everything(before) else more
        if everything(before) or after < before:
            return less
        return more if after > before else OTHERWISE

    return compared


def _nothing(_: set[str]) -> bool:
    return False


_MODES: Final = {"allow": 0, "strip": 1, "block": 2}
_FREEDOM_OF: Final[Mapping[str, Callable[[Any, Any], str]]] = {
    "allowed_vendors": _sets(more=LOOSER, everything=lambda names: "*" in names),
    "regions": _sets(more=LOOSER, everything=lambda names: not names),
    "max_cost_micros": _more_is_looser,
    "receipt_level": _level,
    "quorum": _more_is_stricter,
    "approvers": _sets(more=LOOSER, everything=_nothing),
    "checks": _sets(more=STRICTER, everything=_nothing),
    "expires_seconds": _more_is_looser,
    "mode": lambda old, new: _more_is_stricter(_MODES.get(old), _MODES.get(new)),
    "strip": _sets(more=STRICTER, everything=_nothing),
}
