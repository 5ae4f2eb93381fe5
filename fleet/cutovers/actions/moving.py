"""The steps of a cutover: start, advance, pause, go on, done, and its end before the start.

Each takes a cutover that is held (its row is locked), so of a sweep and a person one is first
and the other finds it in another state.
"""

from __future__ import annotations

from typing import Final

from django.db import transaction

from fleet.cutovers.actions.noting import MOVER, hold_cutover, named, note
from fleet.cutovers.models import Cutover, CutoverAgent
from fleet.cutovers.queries.cutovers import cutover_for, rows_of
from fleet.telling.actions.telling import tell
from kernel import clock
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Role
from routing.actions.shifting import set_shift
from routing.models import Shift

State = Cutover.State
TAKEN: Final = "Somebody else has moved or paused it since."
_MOVED = (CutoverAgent.State.SHIFTING, CutoverAgent.State.DONE)
_ON_ITS_WAY = (CutoverAgent.State.SIGNED, CutoverAgent.State.SHIFTING)


def start(cutover: Cutover, *, actor: Actor) -> None:
    """Take the first step. Records: cutover.started, shift.set."""
    now = clock.now()
    cutover.state, cutover.step, cutover.started_at = State.RUNNING, 0, now
    cutover.step_began_at, cutover.held_because = now, ""
    cutover.save(update_fields=["state", "step", "started_at", "step_began_at", "held_because"])
    _shift(cutover)
    text = f"Started with {cutover.percent} % of runs."
    note(Verb.CUTOVER_STARTED, cutover, text, actor=actor)


def advance(cutover: Cutover, *, actor: Actor, why: str) -> None:
    """Take the next step, or be done after the last.

    Records: cutover.advanced or cutover.done; cutover.left, cutover.cancelled.
    """
    now = clock.now()
    if not leave_out_taken(cutover, actor=actor):
        return
    if cutover.step + 1 >= len(cutover.steps):
        cutover.state, cutover.done_at, cutover.held_because = State.DONE, now, ""
        cutover.save(update_fields=["state", "done_at", "held_because"])
        rows_of(cutover).filter(state=CutoverAgent.State.SHIFTING).update(
            state=CutoverAgent.State.DONE, changed_at=now
        )
        note(Verb.CUTOVER_DONE, cutover, f"Done. {why}", actor=actor)
        _tell_done(cutover)
        return
    cutover.step += 1
    cutover.step_began_at, cutover.held_because = now, ""
    cutover.save(update_fields=["step", "step_began_at", "held_because"])
    _shift(cutover)
    note(Verb.CUTOVER_ADVANCED, cutover, f"{cutover.percent} % of runs. {why}", actor=actor)


@transaction.atomic
def pause_cutover(public_id: str, *, actor: Actor, reason: str) -> Cutover:
    """Keep a cutover at its step. It is still rolled back where a limit is passed.

    Records: cutover.held. Raises: CutoverNotFound, CutoverMoved, RoleMissing.
    """
    _require_steering(public_id, actor)
    cutover = hold_cutover(public_id, State.RUNNING)
    cutover.state, cutover.held_because = State.PAUSED, reason.strip()[:500] or "Paused."
    cutover.save(update_fields=["state", "held_because"])
    note(Verb.CUTOVER_HELD, cutover, f"Paused: {cutover.held_because}", actor=actor)
    return cutover


@transaction.atomic
def resume_cutover(public_id: str, *, actor: Actor) -> Cutover:
    """Let a paused cutover go on: the time of its step begins anew.

    Records: cutover.resumed. Raises: CutoverNotFound, CutoverMoved, RoleMissing.
    """
    _require_steering(public_id, actor)
    cutover = hold_cutover(public_id, State.PAUSED)
    cutover.state, cutover.held_because, cutover.step_began_at = State.RUNNING, "", clock.now()
    cutover.save(update_fields=["state", "held_because", "step_began_at"])
    note(Verb.CUTOVER_RESUMED, cutover, "Goes on.", actor=actor)
    return cutover


@transaction.atomic
def advance_now(public_id: str, *, actor: Actor, reason: str) -> Cutover:
    """Take the next step before its time: few calls come, and somebody has looked.

    Records: cutover.advanced or cutover.done. Raises: CutoverNotFound, CutoverMoved, RoleMissing.
    """
    actor.require(Role.PLATFORM)
    cutover_for(actor, public_id)
    cutover = hold_cutover(public_id, State.RUNNING)
    advance(cutover, actor=actor, why=f"Before its time: {reason.strip()[:500] or 'no reason'}")
    return cutover


@transaction.atomic
def cancel_cutover(public_id: str, *, actor: Actor, reason: str) -> Cutover:
    """End a cutover that has not started. Records: cutover.cancelled.

    Raises: CutoverNotFound, CutoverMoved, RoleMissing.
    """
    _require_steering(public_id, actor)
    cutover = hold_cutover(public_id, State.SIGNING)
    end_unstarted(cutover, actor=actor, reason=reason)
    return cutover


def end_unstarted(cutover: Cutover, *, actor: Actor, reason: str) -> None:
    """End a held cutover that has not started. Records: cutover.cancelled."""
    cutover.state, cutover.ended_at = State.CANCELLED, clock.now()
    cutover.ended_reason = reason.strip()[:500] or "Cancelled."
    cutover.save(update_fields=["state", "ended_at", "ended_reason"])
    note(Verb.CUTOVER_CANCELLED, cutover, cutover.ended_reason, actor=actor)


def leave_out_taken(cutover: Cutover, *, actor: Actor) -> bool:
    """Leave out the agents of a held cutover that somebody else has moved or paused since.

    Their shifts are not this cutover's any more, so no step ends them. Say whether any are left;
    else it is over.
    Records: cutover.left, cutover.cancelled.
    """
    rows = list(rows_of(cutover).filter(state__in=_MOVED))
    ended = Shift.objects.filter(public_id__in=[row.shift for row in rows], ended_at__isnull=False)
    over = set(ended.values_list("public_id", flat=True))
    taken = [row for row in rows if row.shift in over and not row.is_settled]
    for row in taken:
        row.state, row.why, row.changed_at = CutoverAgent.State.LEFT_OUT, TAKEN, clock.now()
    if taken:
        CutoverAgent.objects.bulk_update(taken, ["state", "why", "changed_at"], batch_size=2000)
        names = [row.agent.name for row in taken]
        note(
            Verb.CUTOVER_LEFT,
            cutover,
            f"{named(names)}: {TAKEN}",
            actor=actor,
            agent=taken[0].agent if len(taken) == 1 else None,
            whole=f"{', '.join(names)}: {TAKEN}",
        )
    if len(taken) == len(rows):
        end_unstarted(cutover, actor=actor, reason="Nobody is left in it.")
    return len(taken) < len(rows)


def _shift(cutover: Cutover) -> None:
    rows = list(rows_of(cutover).filter(state__in=_ON_ITS_WAY))
    shifts = set_shift(
        [row.agent for row in rows],
        cutover.source,
        cutover.target,
        percent=cutover.percent,
        reason=f"Step {cutover.step + 1} of {len(cutover.steps)} of {cutover.public_id}.",
        actor=MOVER,
        subject=cutover.ref,
    )
    by_agent, now = {shift.agent_id: shift.public_id for shift in shifts}, clock.now()
    for row in rows:
        row.state, row.shift = CutoverAgent.State.SHIFTING, by_agent[row.agent.public_id]
        row.changed_at = now
    CutoverAgent.objects.bulk_update(rows, ["state", "shift", "changed_at"], batch_size=2000)


def _require_steering(public_id: str, actor: Actor) -> None:
    cutover = cutover_for(actor, public_id)
    if actor.has(Role.PLATFORM):
        return
    # An owner acts for all agents of a cutover only where all are theirs.
    rows = rows_of(cutover)
    is_theirs = actor.person is not None and actor.has(Role.EMPLOYEE)
    if not is_theirs or rows.exclude(agent__owner=actor.person).exists():
        actor.require(Role.PLATFORM)


def _tell_done(cutover: Cutover) -> None:
    rows = rows_of(cutover).filter(state=CutoverAgent.State.DONE)
    people = {row.agent.owner_id: row.agent.owner for row in rows}
    tell(
        key=f"cutover:{cutover.public_id}:done",
        kind="cutover",
        subject=cutover.ref,
        title=f"Moved from {cutover.source.name} to {cutover.target.name}",
        lines=[row.agent.name for row in rows[:20]],
        path=f"/cutovers/{cutover.public_id}/",
        people=people.values(),
    )
