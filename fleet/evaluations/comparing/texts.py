"""Whether two texts say the same: exactly, or but for spaces, case, signs and spelling of numbers.

Each result is named by its method, and no method stands in for another.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_MOST: Final = 200_000  # of longer texts the beginning is normalised; exactness looks at all
_NUMBER: Final = re.compile(
    r"(?<![\w.,])[-+]?\d{1,3}(?:[ ,'\u2019]\d{3})+(?:\.\d+)?|[-+]?\d+(?:\.\d+)?"
)
_SIGNS: Final = re.compile(r"[^\w.+$€£¥%-]+")


def same_exactly(one: str, other: str) -> bool:
    """Tell whether two texts are the same, sign by sign."""
    return one == other


def same_normalised(one: str, other: str) -> bool:
    """Tell whether two texts have the same words and numbers in the same order."""
    return normalised(one) == normalised(other)


def normalised(text: str) -> str:
    """Write a text without case, punctuation and ways to write the same number."""
    plain = unicodedata.normalize("NFKC", text[:_MOST]).casefold()
    plain = _NUMBER.sub(lambda found: _number(found[0]), plain)
    words = (word.strip(".-+_") for word in _SIGNS.sub(" ", plain).split())
    return " ".join(word for word in words if word)


def _number(text: str) -> str:
    plain = re.sub(r"[ ,'\u2019]", "", text).lstrip("+")
    sign = "minus" if plain.startswith("-") and plain.strip("-0.") else ""
    whole, _, rest = plain.lstrip("-").partition(".")
    whole, rest = whole.lstrip("0") or "0", rest.rstrip("0")
    return f" {sign}{whole}{'.' + rest if rest else ''} "
