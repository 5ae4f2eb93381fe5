"""The way back: at any step, after it is done, and after it was settled into the routes.

Owns that it needs nobody else: no worker, no second person. What is in flight ends as it began;
the next call of each agent is served by the source again. There is no way
back to a source that is off: whoever goes there is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from fleet.cutovers.actions.moving import leave_out_taken
from fleet.cutovers.actions.noting import MOVER, hold_cutover, named, note
from fleet.cutovers.errors import CutoverMoved, SourceOff
from fleet.cutovers.models import BACK_DAYS, Cutover, CutoverAgent
from fleet.cutovers.queries.cutovers import cutover_for, mine_of, rows_of
from fleet.health.actions.incidents import open_incident
from fleet.telling.actions.telling import tell
from kernel import clock
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Role
from routing.actions.shifting import end_shifts, set_shift
from routing.models import Shift
from routing.queries.shifts import why_off

State = Cutover.State
_MOVED = (CutoverAgent.State.SHIFTING, CutoverAgent.State.DONE)
_MILLISECOND: Final = timedelta(milliseconds=1)
TOGETHER: Final = 5  # so many agents that come back at once are one incident


@transaction.atomic
def roll_back(
    public_id: str, *, actor: Actor, reason: str, agents: Sequence[str] | None = None
) -> Cutover:
    """Serve agents by the source again: all of a cutover, or those named; owners their own.

    Records: cutover.rolled_back, shift.ended. Raises: CutoverNotFound, CutoverMoved, SourceOff,
    RoleMissing.
    """
    cutover_for(actor, public_id)
    cutover = hold_cutover(public_id, *Cutover.MOVING, State.DONE, State.SETTLED)
    if cutover.done_at is not None and clock.now() > cutover.done_at + timedelta(days=BACK_DAYS):
        raise CutoverMoved(
            f"It was done more than {BACK_DAYS} days ago. Begin a cutover the other way.",
            state=cutover.state,
        )
    rows = rows_of(cutover).filter(state__in=_MOVED)
    if agents is not None:
        rows = rows.filter(agent__name__in=list(agents))
    if not actor.has(Role.PLATFORM, Role.SECURITY):
        rows = rows.filter(pk__in=mine_of(cutover, actor).values("pk"))
        if not rows or rows.filter(is_settled=True).exists():
            actor.require(Role.PLATFORM, Role.SECURITY)
    bring_back(cutover, list(rows), actor=actor, why=reason.strip()[:500] or "By hand.")
    return cutover


def bring_back(
    cutover: Cutover,
    rows: list[CutoverAgent],
    *,
    actor: Actor,
    why: str,
    whys: Mapping[int, str] | None = None,
    looked_at: datetime | None = None,
) -> None:
    """Serve rows of a held cutover by the source again; with the last of them it is over.

    ``whys`` says it of single rows, by their key, where it is known; ``looked_at`` when a look
    found nothing yet.
    Records: cutover.rolled_back, once for all of them; shift.ended, or shift.set after it was
    settled. Raises: CutoverMoved, SourceOff.
    """
    wanted = {row.pk for row in rows}
    leave_out_taken(cutover, actor=actor)
    rows = [row for row in rows_of(cutover).filter(state__in=_MOVED) if row.pk in wanted]
    if not rows:
        raise CutoverMoved("None of these agents is on its way.", state=cutover.state)
    if off := why_off(cutover.source):
        raise SourceOff(
            f"{off}. Agents that went back would be refused; {cutover.target.name} goes on serving."
            " Move them to another model, or turn the source on first.",
            source=cutover.source.public_id,
        )
    now = clock.now()
    shifts = list(Shift.objects.filter(public_id__in=[row.shift for row in rows], ended_at=None))
    if shifts:
        end_shifts(shifts, reason=why, actor=MOVER, subject=cutover.ref)
    if settled := [row for row in rows if row.is_settled]:
        _turn(cutover, settled, why)
    for row in rows:
        row.state, row.changed_at = CutoverAgent.State.ROLLED_BACK, now
        row.why = (whys or {}).get(row.pk) or why
    CutoverAgent.objects.bulk_update(rows, ["state", "why", "changed_at"], batch_size=2000)
    if not rows_of(cutover).filter(state__in=_MOVED).exists():
        cutover.state, cutover.ended_at, cutover.ended_reason = State.ROLLED_BACK, now, why
        cutover.save(update_fields=["state", "ended_at", "ended_reason"])
    whole = cutover.state == State.ROLLED_BACK
    names = [row.agent.name for row in rows]
    note(
        Verb.CUTOVER_ROLLED_BACK,
        cutover,
        f"{named(names)}: {why}",
        actor=actor,
        agent=rows[0].agent if len(rows) == 1 else None,
        facts={"agents": len(rows), "all": whole},
        since_look_ms=None if looked_at is None else round((now - looked_at) / _MILLISECOND),
        whole=f"{', '.join(names)}: {why}",
    )


def report_breaches(cutover: Cutover, rows: list[CutoverAgent], whys: Mapping[int, str]) -> None:
    """Open incidents for agents that were rolled back: one for each, or one for many.

    Owners are told by them; of many, each owner is told once.
    """
    if len(rows) < TOGETHER:
        for row in rows:
            _report(cutover, row, whys[row.pk])
        return
    title = f"{len(rows)} agents are back on {cutover.source.name}"
    why = whys[rows[0].pk]
    open_incident(
        key=f"cutover:{cutover.public_id}",
        kind="cutover",
        subject=cutover.ref,
        agent=None,
        title=title,
        facts={"cutover": cutover.public_id, "target": cutover.target.name, "reason": why[:300]},
        owner=cutover.begun_by,
    )
    tell(
        key=f"cutover:{cutover.public_id}:back",
        kind="cutover",
        subject=cutover.ref,
        title=title,
        lines=[why, *(row.agent.name for row in rows[:20])],
        path=f"/cutovers/{cutover.public_id}/",
        people={row.agent.owner_id: row.agent.owner for row in rows}.values(),
        urgent=True,
    )


def report_no_way_back(cutover: Cutover, rows: list[CutoverAgent], why: str) -> None:
    """Open one incident for agents that should go back and cannot; said once while it is open."""
    alone = rows[0].agent if len(rows) == 1 else None
    whose = alone.name if alone is not None else f"{len(rows)} agents"
    open_incident(
        key=f"cutover:{cutover.public_id}:stays",
        kind="cutover",
        subject=cutover.ref,
        agent=alone,
        title=f"{cutover.target.name} fails for {whose}, and {cutover.source.name} is off",
        facts={"cutover": cutover.public_id, "target": cutover.target.name, "reason": why[:300]},
        owner=None if alone is not None else cutover.begun_by,
    )


def _report(cutover: Cutover, row: CutoverAgent, why: str) -> None:
    open_incident(
        key=f"cutover:{cutover.public_id}:{row.agent.public_id}",
        kind="cutover",
        subject=cutover.ref,
        agent=row.agent,
        title=f"{row.agent.name} is back on {cutover.source.name}",
        facts={"cutover": cutover.public_id, "target": cutover.target.name, "reason": why[:300]},
    )


def _turn(cutover: Cutover, rows: list[CutoverAgent], why: str) -> None:
    set_shift(
        [row.agent for row in rows],
        cutover.target,
        cutover.source,
        percent=100,
        reason=why,
        actor=MOVER,
        subject=cutover.ref,
    )
