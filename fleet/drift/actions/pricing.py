"""Counting what a changed price comes to, from what agents used of the model lately.

Each change is counted once: what was paid in 30 and 90 days, and what the same tokens would have
cost at the new price. Caching and discounts are taken to stay as they were: what was paid is
scaled by both list prices. The platform team is told, and each owner of what concerns them, when
a month's difference passes the operator's threshold.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction
from django.urls import reverse

from fleet.drift.models import PriceEffect, PriceEffectOnAgent
from fleet.drift.queries.prices import is_comparable
from fleet.telling.actions.telling import tell
from kernel import clock
from registry.models import Agent, Person, Role
from routing.models import LifecycleChange, Model
from routing.queries.usage import first_day

MONTH: Final = 30
QUARTER: Final = 90
_AT_A_SWEEP: Final = 20
_OWNERS: Final = 500
_IN, _OUT = "input_micros_per_mtok", "output_micros_per_mtok"

_USED: Final = """
SELECT used.agent_id, used.day >= %(month)s AS is_month, sum(used.calls), sum(used.input_tokens),
       sum(used.output_tokens), sum(used.cost_micros)
FROM routing_usageday AS used
WHERE used.agent_id IN (SELECT DISTINCT agent_id FROM routing_modeluse
                        WHERE vendor = %(vendor)s AND model = %(model)s)
  AND used.vendor = %(vendor)s AND used.model = %(model)s AND used.day >= %(quarter)s
GROUP BY 1, 2
"""


@dataclass(slots=True)
class _Part:
    """What one agent used, in the month and in the whole quarter."""

    calls: int = 0
    paid: tuple[int, int] = (0, 0)
    would: tuple[int, int] = (0, 0)


def count_price_effects() -> int:
    """Count the changes of prices that were not counted yet; return how many.

    Records: nothing; the change itself is on record.
    """
    since = clock.now() - timedelta(days=QUARTER)
    rows = LifecycleChange.objects.filter(
        kind=LifecycleChange.Kind.PRICE, model__isnull=False, price_effect__isnull=True,
        seen_at__gte=since,
    )  # fmt: skip
    found = list(rows.select_related("model__vendor").order_by("id")[:_AT_A_SWEEP])
    return sum(_count(change) for change in found)


@transaction.atomic
def _count(change: LifecycleChange) -> int:
    model = change.model
    assert model is not None  # noqa: S101  only those of models are asked for
    effect, is_new = PriceEffect.objects.get_or_create(
        change=change,
        defaults={
            "public_id": change.public_id, "currency": model.currency, "counted_at": clock.now(),
        },
    )  # fmt: skip
    if not is_new:
        return 0
    # A price that nobody knows is not nought; counted as nothing, it is not looked at again.
    is_known = is_comparable(change.before, change.after)
    parts = _parts(model, change.before, change.after) if is_known else {}
    agents = Agent.objects.filter(public_id__in=parts).select_related("owner")
    rows = [_row(effect, agent, parts[agent.public_id]) for agent in agents]
    PriceEffectOnAgent.objects.bulk_create(rows, batch_size=500)
    _tell(effect, change, rows)
    return 1


def _parts(model: Model, before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, _Part]:
    asked: dict[str, Any] = {
        "vendor": model.vendor.name, "model": model.name,
        "month": first_day(MONTH), "quarter": first_day(QUARTER),
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_USED, asked)
        rows = cursor.fetchall()
    parts: dict[str, _Part] = defaultdict(_Part)
    for agent_id, is_month, *sums in rows:
        calls, tokens_in, tokens_out, cost = (int(each) for each in sums)
        old, new = (_priced(price, tokens_in, tokens_out) for price in (before, after))
        paid = cost or old
        would = round(paid * new / old) if old else new
        part = parts[agent_id]
        part.calls += calls
        part.paid = (part.paid[0] + paid * is_month, part.paid[1] + paid)
        part.would = (part.would[0] + would * is_month, part.would[1] + would)
    return parts


def _priced(price: Mapping[str, Any], tokens_in: int, tokens_out: int) -> int:
    return (tokens_in * int(price[_IN]) + tokens_out * int(price[_OUT])) // 10**6


def _row(effect: PriceEffect, agent: Agent, part: _Part) -> PriceEffectOnAgent:
    return PriceEffectOnAgent(
        effect=effect, agent=agent, calls=part.calls,
        paid_30=part.paid[0], would_30=part.would[0], paid_90=part.paid[1], would_90=part.would[1],
    )  # fmt: skip


def _tell(effect: PriceEffect, change: LifecycleChange, rows: list[PriceEffectOnAgent]) -> None:
    least = settings.PRICE_TELL * 10**6
    by_owner: dict[Person, list[PriceEffectOnAgent]] = defaultdict(list)
    for row in rows:
        by_owner[row.agent.owner].append(row)
    told = [(owner, own) for owner, own in by_owner.items() if _difference(own) >= least]
    for owner, own in sorted(told, key=lambda one: -_difference(one[1]))[:_OWNERS]:
        _say(effect, change, own, key=f"price:{change.public_id}:{owner.public_id}", people=[owner])
    if _difference(rows) >= least:
        _say(effect, change, rows, key=f"price:{change.public_id}", roles=[Role.PLATFORM])


def _difference(rows: list[PriceEffectOnAgent]) -> int:
    return abs(sum(row.would_30 - row.paid_30 for row in rows))


def _say(
    effect: PriceEffect, change: LifecycleChange, rows: list[PriceEffectOnAgent], **whom: Any
) -> None:
    paid, would = sum(row.paid_30 for row in rows), sum(row.would_30 for row in rows)
    many = f"{len(rows)} agent{'' if len(rows) == 1 else 's'}"
    tell(
        kind="price.changed",
        subject=change.ref,
        title=f"The price of {change.platform or 'a vendor'}'s {change.model_name} changed",
        lines=[
            f"{many}: paid {_amount(paid)} {effect.currency} in 30 days,"
            f" would have been {_amount(would)} at the new price."
        ],
        path=reverse("drift:price", args=[change.public_id]),
        **whom,
    )


def _amount(micros: int) -> str:
    return f"{micros / 10**6:,.2f}"
