"""Keeping models in step with what is known of them: dates, replacement, price and sources.

The only place that writes a model's end. What counts is decided by `routing.queries.fate`; a
date that somebody wrote before overrides were kept stays as it is, under the vendor's word.
Changes no row that would not differ.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from kernel.refs import Ref
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from routing.actions.changes import note_changes, state_of
from routing.models import Model, Price
from routing.queries.catalogue import SOURCE_PREFIX, Key, price_for
from routing.queries.fate import OVERRIDE, VENDOR, Claim, claims_for, settled

_PRICE: Final = (
    "currency", "input_micros_per_mtok", "output_micros_per_mtok",
    "cached_input_micros_per_mtok", "price_source",
)  # fmt: skip


def link(models: Iterable[Model]) -> list[tuple[Model, list[str]]]:
    """Fill models in memory from what is known; return those that differ, with the fields."""
    listed = list(models)
    keys = {_key(model) for model in listed if model.vendor.platform}
    prices = price_for(keys)
    changed = []
    for model, claims in zip(listed, claims_for(listed), strict=True):
        wanted = _lifecycle(model, claims)
        wanted |= _price(model, prices.get(_key(model)))
        fields = [name for name, value in wanted.items() if getattr(model, name) != value]
        for name in fields:
            setattr(model, name, wanted[name])
        if fields:
            changed.append((model, fields))
    return changed


def relink(models: Iterable[Model], *, actor: Ref) -> int:
    """Bring stored models in step, inside the caller's transaction; return how many changed.

    Records: model.changed for each of them, and lifecycle.changed for what it means.
    """
    listed = list(models)
    before = {model.pk: state_of(model) for model in listed}
    changed = link(listed)
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
        note_changes(model, before[model.pk], actor=actor)
    return len(changed)


def is_from_catalogue(source: str) -> bool:
    """Whether a field's source leaves it to the catalogue: named so, or nobody said."""
    return not source or source.startswith(SOURCE_PREFIX)


def _key(model: Model) -> Key:
    return model.vendor.platform, model.name


def _lifecycle(model: Model, claims: list[Claim]) -> dict[str, object]:
    is_written = not model.fate_from and not is_from_catalogue(model.lifecycle_source)
    if is_written and not any(claim.kind in {VENDOR, OVERRIDE} for claim in claims):
        return {}
    fate = settled(claims)
    return {
        "retires_on": fate.retires_on,
        "deprecated_on": fate.deprecated_on,
        # A date that was taken back must not keep warning.
        "replacement": ", ".join(fate.replacements),
        "lifecycle_source": fate.source,
        "lifecycle_as_of": fate.as_of,
        "date_precision": fate.date_precision,
        "not_before": fate.not_before,
        "lifecycle_status": fate.status,
        "fate_from": fate.kind,
        "fate_conflicts": [conflict.told() for conflict in fate.conflicts] or None,
    }


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
