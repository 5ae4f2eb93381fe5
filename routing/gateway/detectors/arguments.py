"""The arguments of a tool call, a JSON document that arrives in pieces.

Owns that it stays a document: a string in it is held back and let go as any text, as its
escapes say it; a number is held until it ends, and becomes a string when it is replaced.
Escapes may come out spelled otherwise.
"""

from __future__ import annotations

import re
from typing import Final

from routing.gateway.detectors.document import said_by, screened_text, written
from routing.gateway.detectors.rules import Rules, Tally
from routing.gateway.detectors.text import Passage

_IN_STRING: Final = re.compile(r'[^"\\]+|\\u[0-9a-fA-F]{4}|\\[^u]')
_NUMBER: Final = re.compile(r"[0-9.eE+-]+")
_BARE: Final = re.compile(r'[^"0-9-]+')
_SHORTEST_NUMBER: Final = 8
_LONGEST_NUMBER: Final = 64


class Arguments:
    """The document so far. Raises: Blocked, from every method that lets text go."""

    __slots__ = ("_came", "_is_inside", "_rules", "_string", "_tally")

    def __init__(self, rules: Rules, tally: Tally) -> None:
        self._rules = rules
        self._tally = tally
        self._came = ""
        self._is_inside = False
        self._string = Passage(rules, tally)

    @property
    def holds(self) -> bool:
        return bool(self._came) or self._string.holds

    def take(self, piece: str) -> str:
        """Return what may go on now."""
        return self._go_on(piece, is_last=False)

    def finish(self) -> str:
        """Return what is left: no more comes."""
        left = self._go_on("", is_last=True)
        if self._is_inside:  # cut off inside a string
            left += _written(self._string.finish())
        return left + self._came

    def _go_on(self, piece: str, *, is_last: bool) -> str:
        text, at, made = self._came + piece, 0, []
        while at < len(text):
            step = self._inside if self._is_inside else self._outside
            let_go, after = step(text, at, is_last)
            made.append(let_go)
            if after == at:
                break
            at = after
        self._came = text[at:]
        return "".join(made)

    def _outside(self, text: str, at: int, is_last: bool) -> tuple[str, int]:  # noqa: FBT001
        if text[at] == '"':
            self._is_inside, self._string = True, Passage(self._rules, self._tally)
            return '"', at + 1
        if found := _BARE.match(text, at):
            return found[0], found.end()
        number = _NUMBER.match(text, at)
        assert number is not None  # noqa: S101  nothing else is left
        is_open = number.end() == len(text) and not is_last
        if is_open and number.end() - at <= _LONGEST_NUMBER:
            return "", at
        return self._number(number[0]), number.end()

    def _number(self, number: str) -> str:
        if len(number) < _SHORTEST_NUMBER or not number.isdigit():
            return number
        raw = number.encode()
        made = screened_text(raw, self._rules, self._tally)
        return number if made is raw else f'"{made.decode()}"'

    def _inside(self, text: str, at: int, is_last: bool) -> tuple[str, int]:  # noqa: FBT001
        if text[at] == '"':
            self._is_inside = False
            return _written(self._string.finish()) + '"', at + 1
        end = at
        while found := _IN_STRING.match(text, end):
            if _is_high(found[0]) and found.end() + 6 > len(text) and not is_last:
                break  # the other half of a pair may be on its way
            end = found.end()
        if end == at:
            return "", at
        said = said_by(text[at:end].encode("utf-8", "surrogatepass"))
        return _written(self._string.take(said.decode("utf-8", "surrogatepass"))), end


def _is_high(escape: str) -> bool:
    return escape.startswith("\\u") and "d800" <= escape[2:].lower() <= "dbff"


def _written(text: str) -> str:
    return written(text).decode()
