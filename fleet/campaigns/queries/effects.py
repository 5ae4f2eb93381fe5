"""What a change of a model would mean here: in money, in calls that are refused, or in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Q

from fleet.drift.models import LimitEffect
from fleet.drift.queries.limits import limit_effects_of
from fleet.drift.queries.prices import monthly_differences
from registry.actors import Actor
from registry.queries import GOVERNING
from routing.models import LifecycleChange, Model

SHOWN: Final = 20
# What a change of one kind is answered with; the others are part of a retirement.
KINDS: Final = {
    LifecycleChange.Kind.PRICE: "price",
    LifecycleChange.Kind.RATE_LIMIT: "rate_limit",
    LifecycleChange.Kind.ENDPOINT: "endpoint",
    LifecycleChange.Kind.API_VERSION: "api_version",
}

_ADDRESSES: Final = {
    "endpoint": "The vendor's address changes.",
    "api_version": "The vendor's API version changes.",
}


@dataclass(frozen=True, slots=True)
class Effect:
    """One change of a model, or of its vendor, and what it comes to."""

    change: LifecycleChange
    kind: str  # of the campaign that would answer it; empty: its retirement's
    words: str
    monthly_micros: int | None = None  # more, or less, once it is counted and known
    limit: LimitEffect | None = None  # what the new limit would have refused, once counted


def effects_on(actor: Actor, model: Model) -> list[Effect]:
    """Return what changed of a model and of its vendor, the newest first.

    Addresses, and what everybody pays, are for those who govern; that it changed is everybody's.
    """
    of_vendor = Q(vendor=model.vendor, model__isnull=True)
    rows = LifecycleChange.objects.filter(Q(model=model) | of_vendor).order_by("-id")[:SHOWN]
    governs = actor.has(*GOVERNING)
    prices = [change for change in rows if change.kind == LifecycleChange.Kind.PRICE]
    monthly = monthly_differences(prices) if governs else {}
    limits = limit_effects_of(rows) if governs else {}
    return [
        _effect(change, monthly.get(change.pk), limits.get(change.pk), governs=governs)
        for change in rows
    ]


def effect_of(actor: Actor, model: Model, public_id: str) -> Effect | None:
    """Return what one change of a model or its vendor comes to; None where it has none such."""
    return next(
        (one for one in effects_on(actor, model) if one.change.public_id == public_id), None
    )


def change_note(change: LifecycleChange) -> str:
    """Return what changed, for everybody: an address is for those who govern."""
    return _ADDRESSES.get(change.kind) or _words(change, shows=True)


def _effect(
    change: LifecycleChange, monthly: int | None, limit: LimitEffect | None, *, governs: bool
) -> Effect:
    shows = governs or change.kind not in _ADDRESSES
    kind = KINDS.get(LifecycleChange.Kind(change.kind), "")
    return Effect(change, kind, _words(change, shows=shows), monthly, limit)


def _words(change: LifecycleChange, *, shows: bool) -> str:
    names = sorted(set(change.before) | set(change.after))
    said = [
        f"{_name(name)} {_said(change.before, name)} → {_said(change.after, name)}"
        for name in names
        if shows and change.before.get(name) != change.after.get(name)
    ]
    return "; ".join(said) or str(change.get_kind_display()).lower()


def _name(name: str) -> str:
    words = name.removesuffix("_micros_per_mtok").replace("_", " ")
    return f"{words} price" if name.endswith("_per_mtok") else words


def _said(state: Mapping[str, Any], name: str) -> str:
    value = state.get(name)
    if value in (None, ""):
        return "nothing"
    if name.endswith("_per_mtok") and isinstance(value, int):
        return f"{value / 1_000_000:g} a million"
    return str(value)
