"""The catalogue as a model-eol/0.1 document: what this installation knows, for others to read.

Each model is one entry; where it is served is a distribution with its own dates and source.
Read back in, it says the same. What was set by hand here is not in it: that is ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kernel import clock
from routing.models import LifecycleRow

SPEC = "model-eol/0.1"


def exported(rows: Iterable[LifecycleRow], *, publisher: str, source: str) -> dict[str, Any]:
    """Return the document."""
    entries: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in rows:
        name = f"{row.canonical_id}-{row.model_version}" if row.model_version else row.canonical_id
        # One entry has one replacement and one note: where channels differ, they are two.
        entry = entries.setdefault(
            (name, row.replacement, row.note), _entry(name, row.replacement, row.note)
        )
        # Collections put places before a name; a version's family is not another name of it.
        also = {row.model_id} - {name} if not row.model_version else set()
        entry["aliases"] = sorted({*entry["aliases"], *row.aliases, *also})
        entry["distributions"].append(_distribution(row))
    return {
        "spec": SPEC,
        "publisher": publisher,
        "generated": clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "source": source,
        "policy": {},
        "models": [entries[key] for key in sorted(entries)],
    }


def _entry(name: str, replacement: str, note: str) -> dict[str, Any]:
    options = [one.strip() for one in replacement.split(",") if one.strip()]
    return {
        "id": name,
        "aliases": [],
        "announced": None,
        "shutdown": None,
        # Safe to drop in is more than our sources say: they only name what to look at.
        "replacement": None,
        "replacement_options": options,
        "notes": note,
        "distributions": [],
    }


def _distribution(row: LifecycleRow) -> dict[str, Any]:
    announced = row.announced_on or row.deprecated_on
    return {
        "via": row.platform,
        "announced": announced.isoformat() if announced else None,
        "shutdown": row.retires_on.isoformat() if row.retires_on else None,
        "date_precision": row.date_precision or None,
        "status": row.status or None,
        "source": row.source_url or None,
        "as_of": row.as_of,  # beyond the format: how old each statement is
    }
