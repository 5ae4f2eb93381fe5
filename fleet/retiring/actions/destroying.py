"""What becomes of a retired agent's payloads: kept by retention, or destroyed by its plan's rule.

Destroyed is what is older than the floor of this installation and what no legal hold covers;
the rest waits, and goes as it comes of age or as the hold ends. The ledger keeps its entries,
and a tombstone for every key.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import OperationalError, transaction
from django.db.models import F

from fleet.retiring.actions.stepping import take
from fleet.retiring.models import Retirement, Step
from kernel import clock
from ledger.retention.ages import floor_days
from ledger.retention.shredding import is_busy
from registry.actors import Actor
from routing.keeping.ended import destroy_following, left_of

LOOKS_AGAIN: Final = timedelta(hours=1)


def see_to_data(retirement: Retirement, *, actor: Actor) -> None:
    """Do with the data what the plan says, as far as that may be done now.

    Records: datakey.shredded, retirement.step_taken. Raises: ShredJournalUnusable.
    """
    if retirement.data == Retirement.Data.KEEP:
        detail = "Kept as long as the ages of their classes say."
        take(retirement, Step.Name.DATA, detail=detail, actor=actor)
        return
    due_at = retirement.shreds_at
    if due_at is None or due_at > clock.now():
        _wait(retirement, retirement.keys_held, until=due_at)
        return
    last, floor = "", floor_days()
    try:
        while keys := destroy_following(
            retirement.agent.public_id,
            last,
            before=clock.now() - timedelta(days=floor),
            subject=retirement.ref,
            facts={"retirement": retirement.public_id, "floor_days": floor},
            actor=actor.ref,
            note=lambda count: _count(retirement, count),
        ):
            last = keys[-1]
    except OperationalError as error:
        if not is_busy(error):
            raise
    _conclude(retirement, actor)


@transaction.atomic
def _conclude(retirement: Retirement, actor: Actor) -> None:
    left = left_of(retirement.agent.public_id)
    if left:
        _wait(retirement, left, until=clock.now() + LOOKS_AGAIN)
        return
    retirement.refresh_from_db()
    count = retirement.keys_destroyed
    Retirement.objects.filter(pk=retirement.pk).update(keys_held=0, again_at=None, fault="")
    detail = f"{count} keys destroyed; what lay under them can no longer be read."
    take(retirement, Step.Name.DATA, count=count, detail=detail, actor=actor)


def _count(retirement: Retirement, keys: int) -> None:
    Retirement.objects.filter(pk=retirement.pk).update(keys_destroyed=F("keys_destroyed") + keys)


def _wait(retirement: Retirement, held: int, *, until: datetime | None) -> None:
    Retirement.objects.filter(pk=retirement.pk).update(keys_held=held, again_at=until)
