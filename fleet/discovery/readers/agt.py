"""What the agent-discovery scanner of the agent-governance-toolkit writes, as one source of many.

Its raw data and details are passed over: they hold what was found in files and processes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fleet.discovery.readers import documents, moments
from fleet.discovery.readers.tally import MAX_GROUPS, Bytes, Tally
from fleet.discovery.signs import Flag, Hint, Sighting


def read(file: Bytes, tally: Tally) -> Iterator[Sighting]:
    """Read a scan. Raises: NotReadable."""
    for number, row in enumerate(documents.rows(file, tally)):
        if number >= MAX_GROUPS:
            tally.overflow += 1
            continue
        mark = moments.text(row.get("fingerprint"), 64)
        name = moments.text(row.get("name"), 120)
        if not mark or not name:
            tally.miss("no fingerprint or name")
            continue
        if row.get("status") == "decommissioned":
            tally.passed += 1
            continue
        tally.understood += 1
        yield _sighting(row, mark, name)


def _sighting(row: dict[str, Any], mark: str, name: str) -> Sighting:
    kind = moments.text(row.get("agent_type"), 60)
    scanners = {moments.text(each.get("scanner"), 40) for each in moments.listed(row["evidence"])
                } if "evidence" in row else set()  # fmt: skip
    owner = moments.text(row.get("owner"), 254)
    stated = row.get("confidence")
    sure = float(stated) if isinstance(stated, int | float) else 0.5
    return Sighting(
        kind="agent",
        keys=(f"agt|{mark}",),
        title=name,
        vendor=kind,
        summary=f"{kind or 'an agent'}, seen by {', '.join(sorted(scanners - {''})) or 'a scan'}",
        confidence=min(max(sure, 0.0), 1.0),
        seen_from=moments.moment(row.get("first_seen_at")),
        seen_to=moments.moment(row.get("last_seen_at")),
        flags=frozenset({Flag.SHADOW} if row.get("status") in {"shadow", "unregistered"} else ()),
        hints=(Hint(owner, "is the owner by the scan", 0.6),) if owner else (),
        facts={"type": kind, "did": moments.text(row.get("did"), 120)},
        names=(name,),
    )
