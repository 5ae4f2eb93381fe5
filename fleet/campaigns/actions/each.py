"""Sweeps take row by row: one that cannot be taken is logged, and the others have their turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import structlog

from kernel.errors import DomainError

logger: Final = structlog.get_logger("unsprawl.campaigns")


def take_each(keys: Iterable[int], take: Callable[[int], object], *, what: str) -> int:
    """Take each row in a transaction of its own, and return how many were taken.

    Records: as what it is given does.
    """
    taken = 0
    for key in keys:
        try:
            taken += bool(take(key))
        except DomainError as error:
            logger.warning("campaigns.row_waits", what=what, row=key, code=error.code)
        except Exception:
            logger.exception("campaigns.row_failed", what=what, row=key)
    return taken
