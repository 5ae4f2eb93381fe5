"""A saved answer of Bedrock's ListFoundationModels: ``modelSummaries[].modelLifecycle``.

A legacy model is refused to accounts that did not call it lately, long before its end of life;
public extended access costs more. Both are said in the note.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from routing.catalogue.formats import LifecycleFact
from routing.catalogue.readers.listed import day_of, entries_of, named, text_of

_STATUS: Final = {"ACTIVE": "active", "LEGACY": "legacy", "EOL": "retired"}


def read_bedrock(raw: bytes, *, as_of: str, region: str = "") -> list[LifecycleFact]:
    """Read a saved list. Raises: CatalogueUnreadable."""
    entries, _ = entries_of(raw, "modelSummaries")
    via = f"ListFoundationModels, saved{f' in {region}' if region else ''}"
    return [_fact(name, entry, via, as_of) for name, entry in named(entries, "modelId")]


def _fact(name: str, entry: Mapping[str, Any], via: str, as_of: str) -> LifecycleFact:
    said = entry.get("modelLifecycle")
    life: Mapping[str, Any] = said if isinstance(said, dict) else {}
    status = _STATUS.get(text_of(life.get("status")), "")
    legacy, extended = day_of(life.get("legacyTime")), day_of(life.get("publicExtendedAccessTime"))
    ends = day_of(life.get("endOfLifeTime"))
    notes = []
    if status == "legacy":
        notes.append("legacy: accounts that did not call it lately get 404 before its end")
    if extended:
        notes.append(f"public extended access from {extended.isoformat()}, at a higher price")
    return LifecycleFact(
        platform="bedrock",
        model_id=name,
        canonical_id=name,
        model_version="",
        provider=text_of(entry.get("providerName")),
        status=status,
        announced_on=None,
        deprecated_on=legacy,
        retires_on=ends,
        # An active model's end of life is the earliest that its card promises.
        date_precision="" if ends is None else "not_sooner_than" if status == "active" else "exact",
        replacement="",
        aliases=[],
        note="; ".join(notes),
        source_url="https://docs.aws.amazon.com/bedrock/latest/userguide/model-lifecycle.html",
        obtained_via=via,
        as_of=as_of,
    )
