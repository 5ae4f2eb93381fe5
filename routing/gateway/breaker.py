"""When a target is left alone for a while: one circuit breaker for each, in this process.

Pure: it is told what happened and when, and asked who may be tried. Closed, it counts;
after some failures in a row, or too large a share of them, it opens; after a pause one call
at a time is let through, and what becomes of that one closes it or opens it for longer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

State = Literal["closed", "half_open", "open"]
STATES: Final[tuple[State, ...]] = ("closed", "half_open", "open")


@dataclass(frozen=True, slots=True)
class Limits:
    """What opens a breaker, and for how long; times in seconds."""

    in_a_row: int = 5
    share: float = 0.5
    least: int = 10  # outcomes before a share of them says anything
    window: float = 30.0
    pause: float = 5.0
    longest_pause: float = 60.0
    probe: float = 30.0  # a probe that says nothing for so long no longer keeps others out


class Breaker:
    """What is known of one target."""

    __slots__ = ("_limits", "_opened", "_outcomes", "_pause", "_probing_until", "until", "why")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._outcomes: deque[tuple[float, bool]] = deque(maxlen=2 * limits.least)
        self._opened = float("-inf")
        self._pause = limits.pause
        self._probing_until = float("-inf")
        self.until: float | None = None  # when the pause ends; None while closed
        self.why = ""  # what the vendor itself says of the model, while it is open for that

    def state(self, now: float) -> State:
        if self.until is None:
            return "closed"
        return "open" if now < self.until else "half_open"

    def takes(self, now: float) -> bool:
        """Tell whether a call may be sent, and if it is the probe, keep others out meanwhile."""
        if self.until is None:
            return True
        if now < self.until or now < self._probing_until:
            return False
        self._probing_until = now + self._limits.probe
        return True

    def note(
        self, *, failed: bool, begun: float, now: float, rest: float = 0.0, said: str = ""
    ) -> None:
        """Learn how a call ended; ``rest`` is for how long the vendor itself wants none.

        ``said`` is a vendor's word that the model is not there: it opens at once, for longest.
        """
        if failed and said:
            self._opened, self.why = now, said
            self._probing_until = float("-inf")
            self.until = now + self._limits.longest_pause
            self._outcomes.clear()
            return
        if self.until is not None:
            # A call that began before the breaker opened says nothing about the time since.
            if begun >= self._opened:
                self._learn_from_probe(failed=failed, now=now, rest=rest)
            return
        self._outcomes.append((now, failed))
        if failed and self._is_too_much(now):
            self._open(now, rest)

    def let_go(self) -> None:
        """Forget a call that says nothing about its target: somebody else may probe."""
        self._probing_until = float("-inf")

    def _learn_from_probe(self, *, failed: bool, now: float, rest: float) -> None:
        self._probing_until = float("-inf")
        if not failed:
            self.until, self._pause, self.why = None, self._limits.pause, ""
            self._outcomes.clear()
        elif self.state(now) == "half_open":
            self._pause = min(self._pause * 2, self._limits.longest_pause)
            self._open(now, rest)

    def _is_too_much(self, now: float) -> bool:
        limits = self._limits
        recent = [failed for at, failed in self._outcomes if at > now - limits.window]
        if len(recent) >= limits.in_a_row and all(recent[-limits.in_a_row :]):
            return True
        return len(recent) >= limits.least and sum(recent) >= limits.share * len(recent)

    def _open(self, now: float, rest: float) -> None:
        self._opened, self.why = now, ""
        self.until = now + min(max(self._pause, rest), self._limits.longest_pause)
        self._outcomes.clear()


@dataclass(frozen=True, slots=True)
class Name:
    """A target as breakers know it. Routes that share a target share what is known of it."""

    model_id: str
    region: str
    vendor: str = field(compare=False, default="")
    model: str = field(compare=False, default="")


class Breakers:
    """The breakers of this process."""

    def __init__(
        self,
        limits: Limits | None = None,
        on_change: Callable[[Name, State], None] = lambda name, state: None,
    ) -> None:
        self._limits = limits or Limits()
        self._on_change = on_change
        self._known: dict[Name, Breaker] = {}

    def takes(self, name: Name, now: float) -> bool:
        known = self._known.get(name)
        return known is None or known.takes(now)

    def note(
        self,
        name: Name,
        *,
        failed: bool,
        begun: float,
        now: float,
        rest: float = 0.0,
        said: str = "",
    ) -> None:
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = Breaker(self._limits)
        before = known.until
        known.note(failed=failed, begun=begun, now=now, rest=rest, said=said)
        if known.until != before:
            self._on_change(name, known.state(now))

    def let_go(self, name: Name) -> None:
        if (known := self._known.get(name)) is not None:
            known.let_go()

    def why(self, name: Name) -> str:
        """Return what its vendor says of a target that is left alone for that; else nothing."""
        known = self._known.get(name)
        return known.why if known is not None else ""

    def opens_again(self, name: Name) -> float:
        """Return when a target is to be tried again: the sooner, the less bad."""
        known = self._known.get(name)
        return float("-inf") if known is None or known.until is None else known.until

    def keep_only(self, names: Iterable[Name]) -> None:
        """Forget targets that are none any more."""
        current = set(names)
        for gone in self._known.keys() - current:
            del self._known[gone]

    def states(self, now: float) -> Iterator[tuple[Name, State]]:
        for name, known in self._known.items():
            yield name, known.state(now)
