"""E-mail addresses and telephone numbers, written as people and programs write them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from routing.gateway.detectors.detector import Detector, Span, digits_in, is_word, stands_alone

_LOCAL: Final = r"[A-Za-z0-9._%+'\-]"
# The country codes that are given out (ITU-T E.164), as far as one or two digits say it.
_ONE: Final = frozenset({1, 7})
_TWO: Final = frozenset(
    {20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56,
     57, 58, 60, 61, 62, 63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98}
)  # fmt: skip
_THREE: Final = frozenset(
    {21, 22, 23, 24, 25, 26, 29, 35, 37, 38, 42, 50, 59, 67, 68, 69, 85, 88, 96, 97, 99}
)
_DATE: Final = re.compile(rb"\+(?:19|20)\d\d-[01]\d-").match


def _address(text: bytes, start: int, end: int) -> Iterable[Span]:
    said = text[start:end]
    if said.startswith(b"git@") and text[end : end + 1] == b":":
        return  # where a repository lies
    if not is_word(text, end):
        yield start, end


def _international(text: bytes, start: int, end: int) -> Iterable[Span]:
    if is_word(text, start - 1) or is_word(text, end) or _DATE(text, start):
        return
    digits = digits_in(text, start, end)
    if not 9 <= len(digits) <= 15:
        return
    one, two = digits[0], digits[0] * 10 + digits[1]
    if one == 1 and len(digits) != 11:
        return
    if one in _ONE or two in _TWO or two in _THREE:
        yield start, end


def _american(text: bytes, start: int, end: int) -> Iterable[Span]:
    digits = digits_in(text, start, end)
    if stands_alone(text, start, end) and digits[1:3] != [1, 1] and digits[4:6] != [1, 1]:
        yield start, end


DETECTORS: Final = (
    Detector(
        "email",
        rf"{_LOCAL}{{1,64}}@(?:[A-Za-z0-9\-]{{1,63}}\.){{1,8}}[A-Za-z]{{2,24}}",
        r"@[A-Za-z0-9]",
        rf"{_LOCAL}{{1,64}}(?:@[A-Za-z0-9.\-]{{0,255}})?",
        _address,
    ),
    Detector(
        "phone",
        r"\+[1-9][0-9]{0,3}(?:[ .\-]?\(?[0-9]{1,4}\)?){1,6}",
        r"\+[1-9]",
        r"[A-Za-z0-9_]?\+(?:[0-9 .()\-]{0,40})[A-Za-z_]?",
        _international,
        looks_inside=True,
    ),
    Detector(
        "phone",
        r"(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[ .\-])[2-9][0-9]{2}[ .\-][0-9]{4}",
        r"[0-9][) .\-] ?[2-9][0-9]{2}[ .\-][0-9]{4}",
        r"[A-Za-z0-9_.]*\(?[0-9]{1,3}(?:[) .\-] ?(?:[0-9]{1,3}(?:[ .\-](?:[0-9]{1,4}\.?)?)?)?)?|\(",
        _american,
        looks_inside=True,
    ),
)  # fmt: skip
