"""A vendor's quiet change in the demo: a model answers as another one, since yesterday.

One agent of the route calls often enough for the figures to prove it, on whatever day the demo is
loaded: at a weekend too few calls come.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from fleet.demo.company import Plan
from fleet.demo.history import QUIETLY, Teller, Told
from kernel import clock

NAME: Final = "call-summaries"
_CALLS: Final = 120  # of which about two in five are answered by the other model


def call_lately(keys: Iterable[tuple[Plan, str]], teller: Teller) -> int:
    """Tell calls of the last hours, half of a day long; return how many.

    Records: the calls, as the gateway does.
    """
    now = clock.now()
    apart = (QUIETLY - timedelta(hours=2)) / _CALLS
    told = [
        Told(plan, key, f"{NAME}-lately-{number // 3}", now - timedelta(hours=1) - apart * number)
        for plan, key in keys
        if plan.name == NAME
        for number in range(_CALLS)
    ]
    return teller.tell(told)
