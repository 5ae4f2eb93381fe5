"""What a vendor's list of models says, whatever shape the vendor gives it.

Owns the shape that readers fill, and the reading of days and texts that others wrote. A list
that cannot be understood is refused whole; an entry that cannot is left out and counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final

from kernel.canonical import NotJSON, strict_loads
from routing.errors import CatalogueUnreadable

LONGEST: Final = 200
ACTIVE: Final = "active"
DEPRECATED: Final = "deprecated"
RETIRED: Final = "retired"


@dataclass(frozen=True, slots=True)
class Listed:
    """What a list says of one model."""

    name: str
    status: str = ""
    deprecated_on: date | None = None
    retires_on: date | None = None
    date_precision: str = ""
    replacement: str = ""
    speaks: bool = False  # of how long it lives: its silence may be a whole list's


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of a list: what it says, and what to ask next with."""

    models: list[Listed] = field(default_factory=list)
    after: str = ""  # empty: this was the last page
    unread: int = 0  # entries that were no models


def entries_of(raw: bytes, key: str) -> tuple[list[Any], Mapping[str, Any]]:
    """Return the entries of a list and what it is wrapped in. Raises: CatalogueUnreadable."""
    try:
        body: Any = strict_loads(raw)
    except NotJSON:
        raise CatalogueUnreadable("The list of models is not JSON.") from None
    if isinstance(body, list):
        return body, {}
    entries = body.get(key) if isinstance(body, dict) else None
    if not isinstance(entries, list):
        raise CatalogueUnreadable(f"The list of models has no {key!r}.")
    return entries, body


def named(entries: list[Any], key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the entries that name a model, each under its name."""
    for entry in entries:
        if isinstance(entry, dict) and (name := text_of(entry.get(key))):
            yield name, entry


def text_of(value: object) -> str:
    """Return a short text as it can be stored; anything else says nothing."""
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST:
        return ""
    return (
        "" if any(ord(letter) < 32 or 0xD800 <= ord(letter) < 0xE000 for letter in value) else value
    )


def day_of(value: object) -> date | None:
    """Return the UTC day that a text or a number of seconds names; nothing when it names none."""
    try:
        if isinstance(value, str) and len(value) <= 40:
            if len(value) == 10:
                return date.fromisoformat(value)
            moment = datetime.fromisoformat(value)
            return moment.astimezone(UTC).date() if moment.tzinfo else moment.date()
        if type(value) in {int, float} and isinstance(value, int | float) and math.isfinite(value):
            return datetime.fromtimestamp(value, UTC).date() if 0 < value < 2**33 else None
    except (ValueError, OverflowError):
        return None
    return None
