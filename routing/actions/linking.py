"""Keeping models in step with the catalogue: dates, replacement, price, each with its source.

What a person set stays as it is; only what came from the catalogue, or is still empty, is
filled from it. Changes no row that would not differ.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from kernel.refs import Ref
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from routing.models import Model, Price
from routing.queries.catalogue import (
    SOURCE_PREFIX,
    Key,
    Lifecycle,
    lifecycle_for,
    price_for,
)

_LIFECYCLE: Final = (
    "retires_on", "deprecated_on", "replacement", "lifecycle_source", "lifecycle_as_of",
)  # fmt: skip
_PRICE: Final = (
    "currency", "input_micros_per_mtok", "output_micros_per_mtok",
    "cached_input_micros_per_mtok", "price_source",
)  # fmt: skip


def link(models: Iterable[Model]) -> list[tuple[Model, list[str]]]:
    """Fill models in memory from the catalogue; return those that differ, with the fields."""
    listed = list(models)
    keys = {_key(model) for model in listed if model.vendor.platform}
    lifecycles, prices = lifecycle_for(keys), price_for(keys)
    changed = []
    for model in listed:
        wanted = _lifecycle(model, lifecycles.get(_key(model)))
        wanted |= _price(model, prices.get(_key(model)))
        fields = [name for name, value in wanted.items() if getattr(model, name) != value]
        for name in fields:
            setattr(model, name, wanted[name])
        if fields:
            changed.append((model, fields))
    return changed


def relink(models: Iterable[Model], *, actor: Ref) -> int:
    """Bring stored models in step, inside the caller's transaction; return how many changed.

    Records: model.changed for each of them.
    """
    changed = link(models)
    for model, fields in changed:
        model.save(update_fields=fields)
        facts: dict[str, Fact] = {
            "vendor": model.vendor.name,
            "model": model.name,
            "fields": sorted(fields),
            "retires_on": model.retires_on.isoformat() if model.retires_on else None,
            "source": model.lifecycle_source,
        }
        record(Verb.MODEL_CHANGED, model.ref, actor=actor, facts=facts)
    return len(changed)


def is_from_catalogue(source: str) -> bool:
    """Whether a field's source leaves it to the catalogue: named so, or nobody said."""
    return not source or source.startswith(SOURCE_PREFIX)


def _key(model: Model) -> Key:
    return model.vendor.platform, model.name


def _lifecycle(model: Model, known: Lifecycle | None) -> dict[str, object]:
    if not is_from_catalogue(model.lifecycle_source):
        return {}
    if known is None:
        # A date that the catalogue took back must not keep warning.
        empty = (None, None, "", "", "")
        return dict(zip(_LIFECYCLE, empty, strict=True)) if model.lifecycle_source else {}
    values = (
        known.retires_on, known.deprecated_on, known.replacement, known.source, known.as_of,
    )  # fmt: skip
    return dict(zip(_LIFECYCLE, values, strict=True))


def _price(model: Model, known: Price | None) -> dict[str, object]:
    if known is None or not is_from_catalogue(model.price_source):
        return {}
    source = f"{SOURCE_PREFIX}{known.source}, {known.as_of}"
    values = (
        known.currency, known.input_micros_per_mtok, known.output_micros_per_mtok,
        known.cached_input_micros_per_mtok, source,
    )  # fmt: skip
    wanted: dict[str, object] = dict(zip(_PRICE, values, strict=True))
    if model.context_tokens is None:
        wanted["context_tokens"] = known.context_tokens
    return wanted
