"""What a translation may not lose, and the few things it may, when a route says so.

Owns the refusal. Whatever a call says that the other dialect has no word for ends the
translation, with the member named; only hints, which change how a vendor works and not what
is asked of it, may be left out, and then they are on record. Reading is strict for that
reason: a member that nobody here knows is one that would be lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from kernel.errors import Malformed

_LONGEST: Final = 40


class CannotTranslate(Malformed):
    """Raised when a call says something that the dialect of a target has no word for."""

    code = "routing.cannot_translate"
    title = "The call says something that cannot be said in the target's dialect"


class Losses:
    """The hints that were left out, and what was said otherwise, in one translation."""

    __slots__ = ("_may_drop", "changed", "dropped")

    def __init__(self, *, may_drop: bool) -> None:
        self._may_drop = may_drop
        self.dropped: list[str] = []
        self.changed: list[str] = []

    def hint(self, param: str) -> None:
        """Leave out a hint. Raises: CannotTranslate where the route does not allow that."""
        if not self._may_drop:
            raise CannotTranslate(
                f"{param} is a hint that the vendor of this target does not know. Leave it out,"
                " or have the route drop hints.",
                param=param,
            )
        self.drop(param)

    def drop(self, param: str) -> None:
        """Note what was left out because the target could never take it."""
        if param not in self.dropped:
            self.dropped.append(param)

    def change(self, what: str) -> None:
        """Note what is said otherwise than the agent said it."""
        if what not in self.changed:
            self.changed.append(what)

    def read(
        self,
        value: Any,
        where: str,
        known: Iterable[str],
        *,
        hints: Iterable[str] = (),
        neutral: Mapping[str, tuple[Any, ...]] | None = None,
    ) -> dict[str, Any]:
        """Return an object's known members that say something. Raises: CannotTranslate.

        A null says nothing, and neither does a value listed as neutral: the vendor's default.
        """
        if not isinstance(value, dict):
            raise refusal(where, "must be an object")
        found: dict[str, Any] = {}
        for name, said in value.items():
            if said is None:
                continue
            if name in known:
                found[name] = said
            elif said not in (neutral or {}).get(name, ()):
                param = f"{where}.{name}" if where else name
                if name not in hints:
                    raise refusal(_short(param), "has no counterpart in the target's dialect")
                self.hint(param)
        return found


def refusal(param: str, why: str) -> CannotTranslate:
    """Return what ends a translation."""
    return CannotTranslate(f"{param} {why}.", param=param)


def text_of(value: Any, param: str) -> str:
    """Return a member that must be a text. Raises: CannotTranslate."""
    if not isinstance(value, str):
        raise refusal(param, "must be a text")
    return value


def list_of(value: Any, param: str) -> list[Any]:
    """Return a member that must be a list. Raises: CannotTranslate."""
    if not isinstance(value, list):
        raise refusal(param, "must be a list")
    return value


def kind_of(value: Any, param: str) -> str:
    """Return an object's type. Raises: CannotTranslate."""
    kind = value.get("type") if isinstance(value, dict) else None
    if not isinstance(kind, str):
        raise refusal(param, "must be an object with a type")
    return kind


def _short(param: str) -> str:
    return param if len(param) <= _LONGEST * 2 else param[: _LONGEST * 2] + "…"
