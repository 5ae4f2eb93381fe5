"""Reading what a model wrote as JSON, within bounds: a hostile answer costs no more than another.

Longer than the cap, or deeper, it is no document here, and that is said; nothing raises.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from routing.gateway.wires.wire import read_json

MOST_CHARACTERS: Final = 2_000_000
MOST_DEPTH: Final = 64
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKET: Final = re.compile(r"[\[\]{}]")


class _Nothing:
    def __repr__(self) -> str:
        return "NOTHING"


NOTHING: Final = _Nothing()  # null is a document as well


def document_of(text: str) -> Any:
    """Return a text as JSON; NOTHING when it is none, too long or too deep."""
    stripped = text.strip()
    if not stripped or len(stripped) > MOST_CHARACTERS or _is_deep(stripped):
        return NOTHING
    found = read_json(stripped.encode("utf-8", "replace"))
    return NOTHING if found is None and stripped != "null" else found


def structure_of(text: str) -> Any:
    """Return a text as an object or list; NOTHING for anything else, a bare number included."""
    found = document_of(text)
    return found if isinstance(found, dict | list) else NOTHING


def one_spelling(value: Any) -> str:
    """Write a document so that equal ones are equal texts."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _is_deep(text: str) -> bool:
    """Tell whether brackets nest deeper than is read; those within texts do not count."""
    if text.count("{") + text.count("[") <= MOST_DEPTH:
        return False
    depth = 0
    for sign in _BRACKET.findall(_QUOTED.sub("", text)):
        depth += 1 if sign in "{[" else -1
        if depth > MOST_DEPTH:
            return True
    return False
