"""A call that may leave only once its record has come far enough: what the policy demands.

Owns the wait between the intent's commit and the sending. An allowed call says in its
decision which level its intent must have reached; below that nothing is waited for. Where
the level is not reached in time the call does not leave, and its intent is closed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from ledger.levels import Level
from policy.decision import Decision
from routing.gateway.errors import ReceiptNotReached
from routing.gateway.ports import Receipts

PATIENCE_SECONDS: Final = 5.0
HEADER: Final = b"x-unsprawl-receipt"
_Mark = Callable[[bytes, bytes], None]


class NoReceipts:
    """Nobody knows of any receipt, so none is ever reached."""

    async def reached(self, entry_id: str, level: Level, seconds: float) -> bool:
        return False


NO_RECEIPTS: Final = NoReceipts()


def awaited(
    receipts: Receipts, decision: Decision, entry_id: str, mark: _Mark
) -> Callable[[], Awaitable[None]] | None:
    """Return what must be awaited before an allowed attempt leaves; None when nothing must."""
    word = decision.constraints.get("receipt_level", "L0")
    if word == "L0":
        return None
    # A level that nobody knows is the highest: deny when unsure.
    level = Level.of(str(word)) or Level.WITNESSED
    return partial(_await, receipts, entry_id, level, mark)


async def _await(receipts: Receipts, entry_id: str, level: Level, mark: _Mark) -> None:
    if not await receipts.reached(entry_id, level, PATIENCE_SECONDS):
        raise ReceiptNotReached(
            f"The record of this call did not reach level {level} ({level.word}) in"
            f" {PATIENCE_SECONDS:g} s, so the call was not made. Try again; if it lasts, tell the"
            " platform team.",
            level=str(level),
        )
    mark(HEADER, str(level).encode())
