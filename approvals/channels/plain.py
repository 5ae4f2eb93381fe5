"""What others typed, made visible: no character that hides, turns or breaks a line passes.

Formats escape for themselves; this comes first, so that what reaches them is one line (or
lines of their own making) of characters that can be seen.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

LONGEST_LINE: Final = 300
_CUT: Final = "…"


def line(text: str, longest: int = LONGEST_LINE) -> str:
    """Return text as one visible line, cut at its longest."""
    seen = "".join(_seen(char) for char in text)
    return seen if len(seen) <= longest else seen[: longest - 1] + _CUT


def lines(value: Mapping[str, Any]) -> str:
    """Write arguments as people read them: indented JSON, nothing left out, nothing hidden."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
    return "\n".join("".join(_seen(char) for char in each) for each in text.split("\n"))


def _seen(char: str) -> str:
    category = unicodedata.category(char)
    if category[0] in "C" or category in {"Zl", "Zp"}:
        return f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}"
    return " " if category == "Zs" else char
