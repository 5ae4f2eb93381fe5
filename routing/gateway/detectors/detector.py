"""What a detector is: a pattern, a check of what it found, and how much text it must see.

Owns the engine. Patterns are RE2's, which takes time in proportion to the text whatever the
pattern, so none of ours and none of an installation's can hang the gateway. They run over
UTF-8 bytes and look neither ahead nor behind: borders are checked here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import re2

SECRET: Final = "secret"  # noqa: S105  the kind's name
Span = tuple[int, int]
Check = Callable[[bytes, int, int], Iterable[Span]]

_WORD: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")
_DIGITS: Final = frozenset(b"0123456789")


def compiled(pattern: str) -> Any:
    """Return a pattern over bytes. Raises: re2.error, which says what RE2 does not take."""
    return re2.compile(pattern.encode())


@dataclass(frozen=True, slots=True)
class Detector:
    """One way of being one kind.

    ``probe`` is found in every text, raw JSON included, that could hold a match: text without
    it is not looked at. ``tail`` matches every ending of a text that more text could make a
    match of, or which is one whose right border has not come: a stream holds that back.
    ``looks_inside`` says that a match may begin within one that was rejected.
    """

    kind: str
    pattern: str
    probe: str
    tail: str
    check: Check
    looks_inside: bool = False


def is_word(text: bytes, index: int) -> bool:
    """Tell whether a letter, digit or underscore is there; nothing is beyond either end."""
    return 0 <= index < len(text) and text[index] in _WORD


def is_digit(text: bytes, index: int) -> bool:
    """Tell whether a digit is there."""
    return 0 <= index < len(text) and text[index] in _DIGITS


def stands_alone(text: bytes, start: int, end: int) -> bool:
    """Tell whether a span is no part of a longer word or number."""
    if is_word(text, start - 1) or is_word(text, end):
        return False
    # The decimals of a number, or a number with decimals.
    if text[start - 1 : start] == b"." and is_digit(text, start - 2) and is_digit(text, start):
        return False
    return not (text[end : end + 1] == b"." and is_digit(text, end + 1) and is_digit(text, end - 1))


def whole(text: bytes, start: int, end: int) -> Iterable[Span]:
    """Take a match as it is, if it stands alone."""
    if stands_alone(text, start, end):
        yield start, end


def digits_in(text: bytes, start: int, end: int) -> list[int]:
    """Return the digits of a span, and leave what is between them."""
    return [byte - 48 for byte in text[start:end] if 48 <= byte <= 57]


def passes_luhn(digits: list[int]) -> bool:
    """Check the check digit of ISO/IEC 7812."""
    total = sum(digits[-1::-2])
    return (total + sum(sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])) % 10 == 0
