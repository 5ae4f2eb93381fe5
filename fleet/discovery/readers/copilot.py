"""Copilot Studio and Agent Builder, as the inventory of the Power Platform exports them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fleet.discovery.readers import documents, moments
from fleet.discovery.readers.tally import MAX_GROUPS, Bytes, Tally
from fleet.discovery.signs import Flag, Hint, Sighting

_TYPE = "microsoft.copilotstudio/agents"


def read(file: Bytes, tally: Tally) -> Iterator[Sighting]:
    """Read an inventory. Raises: NotReadable."""
    for number, row in enumerate(documents.rows(file, tally)):
        told = row.get("properties")
        told = told if isinstance(told, dict) else row
        kind = moments.text(row.get("type"), 80).lower()
        if kind and kind != _TYPE:
            tally.passed += 1
            continue
        ident = moments.text(told.get("botId") or row.get("name") or row.get("id"), 200)
        name = moments.text(told.get("displayName"), 120)
        if not ident or not name:
            tally.miss("no displayName, or nothing it is known by")
        elif number >= MAX_GROUPS:
            tally.overflow += 1
        else:
            tally.understood += 1
            yield _sighting(told, ident, name)


def _sighting(told: dict[str, Any], ident: str, name: str) -> Sighting:
    made_in = moments.text(told.get("createdIn"), 60) or "Copilot Studio"
    owner = moments.text(told.get("ownerId") or told.get("createdBy"), 254)
    published = moments.iso(told.get("lastPublishedAt"))
    is_held = told.get("isQuarantined") is True
    return Sighting(
        kind="agent",
        keys=(f"copilot|{ident.lower()}",),
        title=name,
        vendor="Microsoft",
        summary=f"made in {made_in}{', quarantined there' if is_held else ''}",
        confidence=0.95,
        seen_from=moments.iso(told.get("createdAt")) or published,
        seen_to=published,
        flags=frozenset({Flag.SHADOW}),
        hints=(Hint(owner, f"is the owner in {made_in}", 0.7),) if owner else (),
        facts={
            "id": ident,
            "made_in": made_in,
            "environment": moments.text(told.get("environmentId"), 120),
            "published": published.isoformat() if published else "",
        },
        names=(name, moments.text(told.get("schemaName"), 120)),
    )
