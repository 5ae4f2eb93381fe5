"""Which budgets a call touches: found once for each agent, route and target.

Owns the index of one snapshot's budgets. Where there are none a call costs one question.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from ledger.holds import Window
from routing.gateway.windows import Span, span_of

COST: Final = "cost"
REQUESTS: Final = "requests"
TOKENS: Final = "tokens"
OPEN_CALLS: Final = "open_calls"
_FOUND_KEPT: Final = 50_000
_OF_TARGETS: Final = frozenset({"vendor"})

_Found = tuple[str, str, str, str, str]


@dataclass(slots=True, eq=False, repr=False)
class Limit:
    """One budget as the gateway holds it: what is capped, and the window that it is in now."""

    id: int
    public_id: str
    kind: str
    subject: str
    model: str
    measure: str
    period: str
    cap: int
    currency: str
    time_zone: str
    lets_unpriced: bool
    _span: Span | None = None
    _window: Window | None = None

    def __repr__(self) -> str:
        return f"Limit({self.public_id}: {self.cap} {self.measure} a {self.period})"

    @property
    def counts_attempts(self) -> bool:
        """Tell whether another attempt of a call is another request: to a vendor it is one."""
        return self.kind in _OF_TARGETS or bool(self.model)

    def span(self, now: datetime) -> Span:
        found = self._span
        if found is None or not found.holds(now):
            found = self._span = span_of(self.period, ZoneInfo(self.time_zone), now)
            self._window = Window(self.id, found.starts_at)
        return found

    def window(self, now: datetime) -> Window:
        self.span(now)
        assert self._window is not None  # noqa: S101  the span was just found
        return self._window


class Budgets:
    """The budgets that are in force, by whom they hold for."""

    def __init__(self, limits: Iterable[Limit] = ()) -> None:
        self._by_subject: dict[tuple[str, str], list[Limit]] = {}
        for limit in limits:
            self._by_subject.setdefault((limit.kind, limit.subject), []).append(limit)
        self._found: dict[_Found, tuple[Limit, ...]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_subject)

    def of(self, agent: str, team: str, route: str, vendor: str, model: str) -> tuple[Limit, ...]:
        """Return those that a call of an agent by a route to a vendor's model counts against."""
        if not self._by_subject:
            return ()
        key = agent, team, route, vendor, model
        found = self._found.get(key)
        if found is None:
            if len(self._found) >= _FOUND_KEPT:
                self._found.clear()
            found = self._found[key] = tuple(self._find(key))
        return found

    def _find(self, key: _Found) -> Iterable[Limit]:
        agent, team, route, vendor, model = key
        subjects = (
            ("organisation", ""), ("team", team), ("agent", agent), ("route", route),
            ("vendor", vendor),
        )  # fmt: skip
        for subject in subjects:
            for limit in self._by_subject.get(subject, ()):
                if limit.model in ("", model):
                    yield limit


NO_BUDGETS: Final = Budgets()
