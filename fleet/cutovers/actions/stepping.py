"""The sweep of cutovers: counts, judges, brings back what passes a limit, takes the next step.

Owns that a breach of one agent brings that one back and many bring back all, that nobody is
brought back to a model that is off, and that nothing advances on figures that were not looked
at. A cutover that cannot be looked at keeps none of the others from it. One worker holds a
cutover at a time; a second passes it over.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F

from fleet.cutovers.actions.going_back import (
    bring_back,
    report_breaches,
    report_no_way_back,
)
from fleet.cutovers.actions.moving import advance, leave_out_taken
from fleet.cutovers.actions.noting import MOVER
from fleet.cutovers.models import BACK_DAYS, Cutover, CutoverAgent
from fleet.cutovers.queries.cutovers import rows_of
from fleet.cutovers.queries.figures import Figures, figures_of
from kernel import clock
from kernel.errors import DomainError
from registry.actors import Actor
from registry.models import Role
from routing.actions.shift_sums import count_shifts
from routing.queries.shifts import why_off

logger = logging.getLogger("unsprawl.cutovers")
_MOVED = (CutoverAgent.State.SHIFTING, CutoverAgent.State.DONE)


def step_cutovers(*, actor: Actor) -> int:
    """Look at every cutover that moves, or was done lately; return how many were looked at.

    Records: cutover.rolled_back, cutover.advanced, cutover.done, as it finds. Raises: RoleMissing.
    """
    actor.require(Role.PLATFORM)
    try:
        count_shifts(actor=actor)
    except Exception:  # what is not counted yet is read beside what is
        logger.exception("the calls of shifts were not counted")
    moving = Cutover.objects.filter(state__in=Cutover.MOVING)
    done = Cutover.objects.filter(
        state=Cutover.State.DONE, done_at__gt=clock.now() - timedelta(days=BACK_DAYS)
    )
    looked = 0
    ids = (moving | done).order_by(
        F("failed_at").asc(nulls_first=True), F("looked_at").asc(nulls_first=True)
    )
    for pk in list(ids.values_list("pk", flat=True)):
        try:
            looked += _look_at(pk)
        except DomainError as error:
            _hold(pk, error.detail)
        except Exception:
            logger.exception("a cutover could not be looked at")
            Cutover.objects.filter(pk=pk).update(failed_at=clock.now())
    return looked


@transaction.atomic
def _look_at(pk: int) -> int:
    held = Cutover.objects.select_for_update(of=("self",), skip_locked=True).filter(
        pk=pk, state__in=[*Cutover.MOVING, Cutover.State.DONE]
    )
    cutover = held.select_related("source__vendor", "target__vendor").first()
    if cutover is None:
        return 0
    before, cutover.looked_at = cutover.looked_at, clock.now()
    cutover.save(update_fields=["looked_at"])
    if not leave_out_taken(cutover, actor=MOVER):
        return 1
    rows = list(rows_of(cutover).filter(state__in=_MOVED))
    figures = figures_of(cutover, rows)
    if not _brought_back(cutover, rows, figures, before) and cutover.state == Cutover.State.RUNNING:
        _go_on(cutover, figures)
    return 1


def _brought_back(
    cutover: Cutover, rows: list[CutoverAgent], figures: Figures, looked_at: datetime | None
) -> bool:
    """Bring back whom a limit was passed for; say whether it goes on no more."""
    whys = {pk: f"By itself: {'; '.join(map(str, found))}." for pk, found in figures.agents.items()
            if found}  # fmt: skip
    passed = [row for row in rows if row.pk in whys]
    share = cutover.limits["agents_share"]
    before = rows_of(cutover).filter(state=CutoverAgent.State.ROLLED_BACK).count()
    many = len(passed) + before > max(1, share * (len(rows) + before))
    back = rows if figures.whole or (passed and many) else passed
    if not back:
        return False
    said = "; ".join(map(str, figures.whole)) or f"{len(passed) + before} agents passed a limit"
    whole = f"By itself: {said}."
    why = whys[passed[0].pk] if len(back) == 1 and passed else whole
    if off := why_off(cutover.source):
        _stay(cutover, passed or rows, f"{off}: {cutover.target.name} keeps serving. {whole}")
        return True
    bring_back(cutover, back, actor=MOVER, why=why, whys=whys, looked_at=looked_at)
    report_breaches(cutover, passed or rows[:1], {row.pk: whole for row in rows} | whys)
    return cutover.state == Cutover.State.ROLLED_BACK


def _stay(cutover: Cutover, rows: list[CutoverAgent], why: str) -> None:
    """Keep agents where they are: there is nothing to bring them back to."""
    report_no_way_back(cutover, rows, why)
    if cutover.state == Cutover.State.RUNNING and cutover.held_because != why[:500]:
        cutover.held_because = why[:500]
        cutover.save(update_fields=["held_because"])


def _go_on(cutover: Cutover, figures: Figures) -> None:
    waits = _waits_for(cutover, figures)
    if not waits:
        advance(cutover, actor=MOVER, why="The step held.")
    elif waits != cutover.held_because:
        cutover.held_because = waits
        cutover.save(update_fields=["held_because"])


def _waits_for(cutover: Cutover, figures: Figures) -> str:
    step, began = cutover.present, cutover.step_began_at or clock.now()
    if clock.now() < began + timedelta(seconds=step["hold_seconds"]):
        return "time"
    if cutover.target.disabled_at is not None or cutover.target.vendor.disabled_at is not None:
        return f"{cutover.target.name} is disabled: the source serves"
    seen = figures.step.target.calls
    if seen < step["least_calls"]:
        return f"calls: {seen} of {step['least_calls']}"
    return ""


def _hold(pk: int, why: str) -> None:
    logger.warning("a cutover waits: %s", why)
    Cutover.objects.filter(pk=pk).update(held_because=why[:500], looked_at=clock.now())
