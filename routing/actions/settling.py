"""Settling what a call held whose gateway is gone: it is charged what was reserved for it.

Nobody knows what such a call cost. Giving everything back would let a budget be passed by
gateways that die; so what was held is spent, and the result says that it was a guess.
"""

from __future__ import annotations

from django.db.models import F, Q
from django.db.models.functions import Greatest

from ledger.headers import Header
from routing.gateway.budgets import COST, TOKENS
from routing.gateway.reserving import Told, read_told
from routing.models import BudgetWindow

_SPENT: tuple[str, ...] = (COST, TOKENS)


def settle_lost(intent: Header) -> list[str]:
    """Spend what an intent holds, in its own windows; return what the result says of it.

    Inside the transaction that records the result: one result, one settlement.
    Records: nothing of its own; its caller records call.lost.
    """
    reserved = intent.facts.get("reserved")
    lines = reserved if isinstance(reserved, list) else []
    held = [told for line in lines if (told := read_told(str(line))) is not None]
    if not held:
        return []
    found = Q()
    for told in held:
        found |= Q(budget__public_id=told.budget, starts_at=told.starts_at)
    # Locked in the one order that gateways lock in.
    windows = BudgetWindow.objects.filter(found).order_by("budget_id", "starts_at")
    list(windows.select_for_update(of=("self",)).values_list("pk", flat=True))
    for told in held:
        spent = told.amount if told.measure in _SPENT else 0
        BudgetWindow.objects.filter(budget__public_id=told.budget, starts_at=told.starts_at).update(
            spent=F("spent") + spent, held=Greatest(F("held") - told.amount, 0)
        )
    return [_line(told) for told in held if told.measure in _SPENT]


def _line(told: Told) -> str:
    return f"{told.budget} {told.starts_at:%Y-%m-%dT%H:%M:%S.%fZ} {told.measure} {told.amount}"
