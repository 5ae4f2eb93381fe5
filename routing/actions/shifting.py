"""Moving agents from one model to another, run by run; and pausing a model for them.

Many agents are one change: a few statements, one entry that names them all. A target that a
route of an agent would refuse is refused here, before a call meets it. Raising a share keeps
the shift, so the runs that were in stay in; another target is another shift.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from django.db import transaction

from kernel import clock
from kernel.canonical import canonical, digest
from kernel.db import refused_as
from kernel.refs import Ref, new_id
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Agent, Role
from routing.errors import ReasonMissing, ShiftRefused
from routing.models import Model, Shift
from routing.queries.shifts import obstacles, shifts_in_force

LONGEST_REASON: Final = 2000
_NAMED: Final = 20  # shifts in the header of an entry; all of them are in its payload


@transaction.atomic
def set_shift(  # noqa: PLR0913  one change, named
    agents: Iterable[Agent],
    source: Model,
    target: Model | None,
    *,
    percent: int,
    reason: str,
    actor: Actor,
    subject: Ref | None = None,
) -> list[Shift]:
    """Let the target be tried in the source's place for a share of the agents' runs.

    Without a target the source is paused for them. It takes effect with the gateways' next
    snapshot, within a second. ``subject`` is what it is done for.
    Records: shift.set (and shift.ended of others for the same source).
    Raises: RoleMissing, ReasonMissing, ShiftRefused.
    """
    actor.require(Role.PLATFORM)
    why, whose = _stated(reason), sorted({agent.public_id: agent for agent in agents}.items())
    moved = [agent for _, agent in whose]
    _check(moved, source, target, percent)
    held = {shift.agent_id: shift for shift in _held([each for each, _ in whose], source)}
    others = [shift for shift in held.values() if shift.target_id != (target and target.pk)]
    if others:
        _end(others, actor, "Another shift takes its place.")
    now, about = clock.now(), str(subject or source.ref)
    kept = [shift for shift in held.values() if shift.ended_at is None]
    for shift in kept:
        if shift.percent != percent:
            shift.changed_at = now
        shift.percent, shift.subject = percent, about
        shift.reason, shift.set_by = why, str(actor.ref)
    Shift.objects.bulk_update(
        kept, ["percent", "subject", "reason", "set_by", "changed_at"], batch_size=2000
    )
    has = {shift.agent_id for shift in kept}
    made = [
        Shift(
            public_id=new_id("shf"),
            agent_id=agent.public_id,
            source=source,
            target=target,
            percent=percent,
            subject=about,
            reason=why,
            set_by=str(actor.ref),
            begun_at=now,
            changed_at=now,
        )
        for agent in moved
        if agent.public_id not in has
    ]
    raced = ShiftRefused("Somebody moves one of these agents just now. Look, and try again.")
    with refused_as({"routing_shift_one_in_force": raced}):
        Shift.objects.bulk_create(made, batch_size=2000)
    shifts = sorted([*kept, *made], key=lambda shift: shift.agent_id)
    if shifts:
        facts: dict[str, Fact] = {"percent": percent}
        _record(Verb.SHIFT_SET, shifts, why, actor=actor, subject=subject, more=facts)
    return shifts


@transaction.atomic
def end_shifts(
    shifts: Sequence[Shift], *, reason: str, actor: Actor, subject: Ref | None = None
) -> int:
    """Let agents be served as their routes say again; say how many were moved.

    Records: shift.ended. Raises: RoleMissing, ReasonMissing.
    """
    actor.require(Role.PLATFORM)
    why = _stated(reason)
    ids = [shift.pk for shift in shifts]
    held = Shift.objects.select_for_update(of=("self",)).filter(pk__in=ids, ended_at=None)
    return _end(list(held.order_by("id").select_related("source", "target")), actor, why, subject)


def end_shift(agents: Iterable[Agent], source: Model, *, reason: str, actor: Actor) -> int:
    """End what moves agents away from a model, or pauses it for them; say how many there were.

    Records: shift.ended. Raises: RoleMissing, ReasonMissing.
    """
    found = shifts_in_force([agent.public_id for agent in agents], source)
    return end_shifts(list(found), reason=reason, actor=actor)


def _check(agents: list[Agent], source: Model, target: Model | None, percent: int) -> None:
    if not agents:
        raise ShiftRefused("Name at least one agent.")
    if not 0 <= percent <= 100 or (target is None and percent != 100):
        raise ShiftRefused("A share is 0 to 100 %; a pause is of everything.", field="percent")
    if target is None:
        return
    if target.pk == source.pk:
        raise ShiftRefused("The model is to be moved to itself.", field="target")
    if found := obstacles(agents, source, target):
        first = "; ".join(found[:5])
        more = f"; and {len(found) - 5} more" if len(found) > 5 else ""
        raise ShiftRefused(f"{first}{more}.", field="target", obstacles=len(found))


def _held(agents: list[str], source: Model) -> list[Shift]:
    held = Shift.objects.select_for_update(of=("self",)).filter(
        agent_id__in=agents, source=source, ended_at=None
    )
    return list(held.order_by("id").select_related("source", "target"))


def _end(shifts: list[Shift], actor: Actor, why: str, subject: Ref | None = None) -> int:
    now = clock.now()
    for shift in shifts:
        shift.ended_at, shift.ended_by, shift.ended_reason = now, str(actor.ref), why
    Shift.objects.bulk_update(shifts, ["ended_at", "ended_by", "ended_reason"], batch_size=2000)
    pairs = {(shift.source_id, shift.target_id) for shift in shifts}
    for pair in sorted(pairs, key=str):
        same = [each for each in shifts if (each.source_id, each.target_id) == pair]
        _record(Verb.SHIFT_ENDED, same, why, actor=actor, subject=subject, more={})
    return len(shifts)


def _record(
    verb: Verb,
    shifts: list[Shift],
    why: str,
    *,
    actor: Actor,
    subject: Ref | None,
    more: dict[str, Fact],
) -> None:
    named = [{"agent": shift.agent_id, "shift": shift.public_id} for shift in shifts]
    source, target = shifts[0].source, shifts[0].target
    facts: dict[str, Fact] = {
        "source": source.public_id,
        "target": target.public_id if target is not None else "",
        "agents": len(shifts),
        "shifts": digest(named),
        "first": [f"{shift.agent_id} {shift.public_id}" for shift in shifts[:_NAMED]],
        "for": str(subject or shifts[0].subject),
        **more,
    }
    alone = shifts[0] if len(shifts) == 1 else None
    record(
        verb,
        alone.ref if alone is not None else source.ref,
        actor=actor.ref,
        facts=facts,
        agent_id=alone.agent_id if alone is not None else "",
        payload=canonical({"reason": why, "shifts": named}),
    )


def _stated(reason: str) -> str:
    text = reason.strip()
    if not text or len(text) > LONGEST_REASON or "\x00" in text:
        raise ReasonMissing(
            f"Say why, in plain text of at most {LONGEST_REASON} characters.", field="reason"
        )
    return text
