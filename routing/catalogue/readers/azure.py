"""A saved answer of Azure's Models - List of one location: ``value[].model``.

Every version has its own clock: ``deprecation.inference`` is the day on which deployments of it
begin to fail. A ``Tentative`` date may move.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from routing.catalogue.formats import LifecycleFact
from routing.catalogue.readers.listed import day_of, entries_of, named, text_of

_STATUS: Final = {
    "preview": "preview",
    "stable": "ga",
    "generallyavailable": "ga",
    "deprecating": "deprecated",
    "deprecated": "deprecated",
    "retired": "retired",
}


def read_azure(raw: bytes, *, as_of: str, region: str = "") -> list[LifecycleFact]:
    """Read a saved list; what differs only in how it is sold counts once.

    Raises: CatalogueUnreadable.
    """
    entries, _ = entries_of(raw, "value")
    models = [entry.get("model") for entry in entries if isinstance(entry, dict)]
    via = f"Models - List, saved{f' in {region}' if region else ''}"
    found = {}
    for name, model in named(models, "name"):
        fact = _fact(name, model, via, as_of)
        found[fact.model_id, fact.model_version] = fact
    return list(found.values())


def _fact(name: str, model: Mapping[str, Any], via: str, as_of: str) -> LifecycleFact:
    said = model.get("deprecation")
    dates: Mapping[str, Any] = said if isinstance(said, dict) else {}
    status = _STATUS.get(text_of(model.get("lifecycleStatus")).lower(), "")
    ends, tuned = day_of(dates.get("inference")), day_of(dates.get("fineTune"))
    is_tentative = text_of(dates.get("deprecationStatus")).lower() == "tentative"
    precision = "earliest" if is_tentative else "exact"
    return LifecycleFact(
        platform="azure",
        model_id=name,
        canonical_id=name,
        model_version=text_of(model.get("version")),
        provider=text_of(model.get("format")),
        status=status,
        announced_on=None,
        retires_on=ends,
        date_precision=precision if ends else "",
        replacement="",
        aliases=[],
        note=f"fine-tuning ends on {tuned.isoformat()}" if tuned else "",
        source_url="https://learn.microsoft.com/azure/foundry/openai/concepts/model-retirements",
        obtained_via=via,
        as_of=as_of,
    )
