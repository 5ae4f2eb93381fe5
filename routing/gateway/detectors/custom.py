"""Patterns of an installation's own: employee numbers, project names, whatever has a form.

Owns what such a pattern may be. RE2 takes it, so it cannot hang; it says how long a match can
be, so a stream knows how much to hold back; it matches no empty text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

import re2

from routing.gateway.detectors.detector import (
    Detector,
    Span,
    compiled,
    digits_in,
    passes_luhn,
    stands_alone,
)

LONGEST_MATCH: Final = 512
_LONGEST_PATTERN: Final = 500
_GROUP_NAME: Final = re.compile(r"\(\?P?<")


class PatternUnusable(Exception):
    """Raised for a pattern that cannot be used; says why."""


def _mod97(digits: list[int]) -> bool:
    return bool(digits) and int("".join(map(str, digits))) % 97 == 1


CHECKS: Final[dict[str, Callable[[list[int]], bool]]] = {
    "": lambda digits: True,
    "luhn": passes_luhn,
    "mod97": _mod97,
}


def pattern_detector(kind: str, pattern: str, check: Any, longest: Any) -> Detector:
    """Return the detector of a pattern. Raises: PatternUnusable."""
    if check not in CHECKS:
        raise PatternUnusable(f"check is one of {', '.join(filter(None, CHECKS))}, or left out.")
    if type(longest) is not int or not 1 <= longest <= LONGEST_MATCH:
        raise PatternUnusable(f"longest is a whole number from 1 to {LONGEST_MATCH}.")
    if not pattern or len(pattern) > _LONGEST_PATTERN or _GROUP_NAME.search(pattern):
        raise PatternUnusable(f"it has 1 to {_LONGEST_PATTERN} characters and no named groups.")
    try:
        found = compiled(f"(?:{pattern})")
    except re2.error as error:
        raise PatternUnusable(str(error)[:200]) from None
    if found.search(b"") is not None:
        raise PatternUnusable("it matches an empty text.")
    passes = CHECKS[check]

    def checked(text: bytes, start: int, end: int) -> Iterable[Span]:
        is_one = 0 < end - start <= longest and stands_alone(text, start, end)
        if is_one and passes(digits_in(text, start, end)):
            yield start, end

    # One more character decides whether a match stands alone.
    return Detector(
        kind, f"(?:{pattern})", "", rf"(?s:.{{1,{longest + 1}}})", checked, looks_inside=True
    )
