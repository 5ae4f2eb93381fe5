"""Changed prices and what they come to, as far as the viewer sees the agents that pay."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Count, F, Q, QuerySet, Sum

from fleet.drift.errors import PriceChangeNotFound
from fleet.drift.models import PriceEffect, PriceEffectOnAgent
from registry.actors import Actor
from routing.models import LifecycleChange
from routing.queries.calls import seen_agents

AMOUNTS: Final = ("paid_30", "would_30", "paid_90", "would_90")
_PRICES: Final = (
    ("Input, a million tokens", "input_micros_per_mtok"),
    ("Output, a million tokens", "output_micros_per_mtok"),
    ("Cached input, a million tokens", "cached_input_micros_per_mtok"),
)


_OWED: Final = ("input_micros_per_mtok", "output_micros_per_mtok")


@dataclass(frozen=True, slots=True)
class PriceLine:
    """One part of a price, before and after."""

    label: str
    before: int | None
    after: int | None


def is_comparable(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Say whether a change comes to something that is known: both prices, in one currency."""
    is_known = all(price.get(name) is not None for price in (before, after) for name in _OWED)
    return is_known and before.get("currency") == after.get("currency")


def monthly_differences(changes: Iterable[LifecycleChange]) -> dict[int, int]:
    """Return what changed prices add in a month, by the key of the change.

    What is not counted yet is left out, and so is what is not known.
    """
    known = [change.pk for change in changes if is_comparable(change.before, change.after)]
    more = Sum(F("agents__would_30") - F("agents__paid_30"), default=0)
    rows = PriceEffect.objects.filter(change__in=known).values_list("change").annotate(more=more)
    return dict(rows)


def price_effects_for(actor: Actor) -> QuerySet[PriceEffect]:
    """Return changed prices with the sums of what the viewer sees of them."""
    seen = seen_agents(actor)
    of_seen = Q() if seen is None else Q(agents__agent__in=seen)
    sums: dict[str, Any] = {
        name: Sum(f"agents__{name}", filter=of_seen, default=0) for name in AMOUNTS
    }
    rows = PriceEffect.objects.select_related("change__model__vendor")
    rows = rows.annotate(
        agent_count=Count("agents", filter=of_seen),
        calls=Sum("agents__calls", filter=of_seen, default=0),
        **sums,
    )
    return rows if seen is None else rows.filter(agent_count__gt=0)


def price_effect_for(actor: Actor, change: str) -> PriceEffect:
    """Return one. Raises: PriceChangeNotFound."""
    said = "" if "\x00" in change else change
    found = price_effects_for(actor).filter(public_id=said).first()
    if found is None:
        raise PriceChangeNotFound(f"There is no changed price {said[:60]!r} that concerns you.")
    return found


def parts_of(actor: Actor, effect: PriceEffect) -> QuerySet[PriceEffectOnAgent]:
    """Return the agents that pay, those first whom it costs most."""
    rows = PriceEffectOnAgent.objects.filter(effect=effect).select_related("agent__team")
    seen = seen_agents(actor)
    rows = rows if seen is None else rows.filter(agent__in=seen)
    return rows.order_by("-would_30", "id")


def teams_of(rows: QuerySet[PriceEffectOnAgent]) -> list[dict[str, Any]]:
    """Return the same by team."""
    sums: dict[str, Any] = {name: Sum(name) for name in AMOUNTS}
    named = rows.order_by().values(team=F("agent__team__name")).annotate(agents=Count("id"), **sums)
    return [{**row, "team": row["team"] or ""} for row in named.order_by("-would_30")]


def lines_of(effect: PriceEffect) -> Sequence[PriceLine]:
    """Return the price before and after, part by part; what was never known is left out."""
    before, after = effect.change.before, effect.change.after
    lines = [PriceLine(label, before.get(name), after.get(name)) for label, name in _PRICES]
    return [line for line in lines if (line.before, line.after) != (None, None)]
