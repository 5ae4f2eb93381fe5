"""When the models that something names end, by the catalogue and the connected vendors.

A repository does not say on which platform it calls a model, so the vendor's own platform
counts, and where a name says its platform, that one. Promises ("not sooner than") are no end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from django.db.models import Q

from routing.models import LifecycleRow, Model
from routing.queries.catalogue import Lifecycle, lifecycle_for

_OWN: Final = ("openai", "anthropic", "gemini", "mistral", "cohere", "xai", "deepseek", "bedrock")


@dataclass(frozen=True, slots=True)
class Ending:
    """When a model ends, on which platform, and what its vendor recommends."""

    model_id: str
    on: date
    platform: str
    replacement: str


def endings_of(model_ids: Iterable[str]) -> dict[str, Ending]:
    """Return the end of each model that has one; keyed as asked for."""
    wanted = {each: each.lower() for each in model_ids if each}
    if not wanted:
        return {}
    known = lifecycle_for(
        {(platform, name) for name in wanted.values() for platform in _platforms(name)}
    )
    served = _served(set(wanted.values()))
    found = {}
    for asked, name in wanted.items():
        ending = served.get(name) or _first(name, known)
        if ending is not None:
            found[asked] = ending
    return found


def _first(name: str, known: Mapping[tuple[str, str], Lifecycle]) -> Ending | None:
    for platform in _platforms(name):
        row = known.get((platform, name))
        if row is not None and row.retires_on is not None:
            return Ending(name, row.retires_on, platform, row.replacement)
    return None


def _platforms(name: str) -> tuple[str, ...]:
    return ("bedrock", *_OWN[:-1]) if "." in name.split("-", maxsplit=1)[0] else _OWN


def _served(names: set[str]) -> dict[str, Ending]:
    # A date that a person or the vendor itself gave for a connected model comes first.
    rows = Model.objects.filter(name__in=names, retires_on__isnull=False).select_related("vendor")
    found: dict[str, Ending] = {}
    for row in rows.order_by("-retires_on"):
        if row.retires_on is not None:
            found[row.name] = Ending(
                row.name, row.retires_on, row.vendor.platform or row.vendor.name, row.replacement
            )
    return found


def known_models() -> dict[str, str]:
    """Return every name of a model that the catalogue knows, with the id it is kept under."""
    names: dict[str, str] = {}
    rows = LifecycleRow.objects.filter(Q(is_current=True))
    listed = rows.values_list("model_id", "model_version", "aliases").order_by("model_id")
    for model_id, version, aliases in listed.iterator(chunk_size=2000):
        for name in (model_id, *aliases):
            names.setdefault(name.lower(), name.lower())
        if version and len(version) >= 8:
            names.setdefault(f"{model_id}-{version}".lower(), f"{model_id}-{version}".lower())
    for name in Model.objects.values_list("name", flat=True).distinct():
        names.setdefault(name.lower(), name.lower())
    return names
