"""One text that arrives in pieces: what of it may go on now, whatever the pieces are.

Owns the promise that the pieces that are let go, joined, are what the whole text would have
come to. Only an ending that more text could make a match of is held back, and never more of
it than `LONGEST`: what is longer is judged by what there is.
"""

from __future__ import annotations

from typing import Final

from routing.gateway.detectors.rules import BLOCK, Finding, Rules, Tally
from routing.gateway.detectors.secrets import LONGEST

# What lies before a piece and was let go already: borders are judged by it, and names.
BEFORE: Final = 64


class Blocked(Exception):
    """Raised when something was found that must not go on."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Passage:
    """The text so far. Raises: Blocked, from every method that lets text go."""

    __slots__ = ("_before", "_held", "_rules", "_tally")

    def __init__(self, rules: Rules, tally: Tally) -> None:
        self._rules = rules
        self._tally = tally
        self._before = b""
        self._held = b""

    @property
    def holds(self) -> bool:
        return bool(self._held)

    def take(self, piece: str) -> str:
        """Return what may go on now."""
        self._held += piece.encode("utf-8", "surrogatepass")
        keep = self._tail(0)
        released = self._release(keep, crosses=False) if keep else b""
        while len(self._held) > 2 * LONGEST:
            # Too long for any match that begins here, or the beginning of one of the longest.
            released += self._release(max(self._tail(1), 1), crosses=True)
        return released.decode("utf-8", "surrogatepass")

    def finish(self) -> str:
        """Return what is left: no more comes."""
        return self._release(len(self._held), crosses=True).decode("utf-8", "surrogatepass")

    def _tail(self, position: int) -> int:
        """Return where in what is held the ending begins that must stay."""
        found = self._rules.tail(self._held, position)
        start = int(found.start()) if found is not None else len(self._held)
        while start < len(self._held) and self._held[start] & 0xC0 == 0x80:
            start += 1  # not inside a character
        return start

    def _release(self, until: int, *, crosses: bool) -> bytes:
        text, before = self._before + self._held, len(self._before)
        found: list[Finding] = []
        for one in self._rules.find(text):
            start, end = one.start - before, one.end - before
            if start >= until:
                break
            if end > until and not crosses:
                # What is still open at its end may yet become part of it.
                until = max(start, 0)
                break
            if start >= 0:
                found.append(Finding(start, end, one.kind, one.action))
                until = max(until, end)
        for one in found:
            if one.action == BLOCK:
                self._tally.found[one.kind] += 1
                raise Blocked(one.kind)
        let_go, self._held = self._held[:until], self._held[until:]
        self._before = (self._before + let_go)[-BEFORE:]
        return self._rules.applied(let_go, found, self._tally)
