"""Carrying retirements on: a sweep takes each step that is due, once, and goes on after a crash.

Each step is its own transaction, so a worker that is killed leaves the steps before it done
and the next worker begins with the one after. One worker at a time holds a retirement. What
fails is put off and said on the page.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from fleet.retiring.actions import clearing, destroying, proving, warning
from fleet.retiring.actions.adopting import adopt_ended
from fleet.retiring.actions.planning import end_row
from fleet.retiring.actions.stepping import take
from fleet.retiring.models import Retirement, Step
from kernel import clock
from kernel.errors import DomainError
from registry.actions import agents as act
from registry.actions.guards import hold
from registry.actors import Actor
from registry.models import Agent

logger = structlog.get_logger("unsprawl.retiring")

AT_A_SWEEP: Final = 200
PAUSE: Final = timedelta(seconds=30)
State, Name = Retirement.State, Step.Name


def carry_on_waiting(*, actor: Actor, most: int = AT_A_SWEEP) -> int:
    """Take what is due with every retirement; return how many were looked at.

    Records: retirement.step_taken, agent.retired, key.revoked and what each step says.
    """
    adopt_ended(actor=actor)
    found = list(_due()[:most])
    for one in found:
        carry_on(one, actor=actor)
    return len(found)


def carry_on(retirement: Retirement, *, actor: Actor) -> Retirement:
    """Take every step of one retirement that is due now; one that somebody else holds is left."""
    with _claim(retirement) as is_ours:
        if is_ours:
            try:
                _carry_on(retirement, actor)
            except DomainError as error:
                logger.warning(
                    "retirement.held_up", retirement=retirement.public_id, code=error.code
                )
                _put_off(retirement, error.detail)
    retirement.refresh_from_db()
    return retirement


def _carry_on(retirement: Retirement, actor: Actor) -> None:
    retirement.refresh_from_db()
    if retirement.is_over:
        return
    if Name.WARNED in _open_steps(retirement):
        warning.warn_dependants(retirement, actor=actor)
    now = clock.now()
    if retirement.state == State.ANNOUNCED and _is_past(retirement.drains_at, now):
        begin_drain(retirement, actor=actor)
    if retirement.state == State.DRAINING and _is_past(retirement.ends_at, now):
        _end(retirement, actor)
    if retirement.state == State.RETIRED:
        _see_to_end(retirement, actor)


def _see_to_end(retirement: Retirement, actor: Actor) -> None:
    left = _open_steps(retirement)
    for name, clear in clearing.STEPS.items():
        if name in left:
            clear(retirement, actor=actor)
    if Name.PROVED in left and not proving.prove(retirement, actor=actor):
        _put_off(retirement, "It is not proven yet; the proof says which path is open.")
    elif Name.DATA in left:
        destroying.see_to_data(retirement, actor=actor)


def _open_steps(retirement: Retirement) -> set[str]:
    rows = retirement.steps.filter(done_at__isnull=True)
    return set(rows.values_list("name", flat=True))


@transaction.atomic
def begin_drain(retirement: Retirement, *, actor: Actor) -> None:
    """Note that new runs are refused; gateways refuse them from the moment itself.

    Records: retirement.step_taken.
    """
    moved = Retirement.objects.filter(pk=retirement.pk, state=State.ANNOUNCED)
    if moved.update(state=State.DRAINING):
        until = retirement.ends_at
        take(
            retirement,
            Name.DRAINING,
            detail=f"Runs that began before may end until {until:%Y-%m-%d %H:%M} UTC.",
            actor=actor,
        )
    retirement.refresh_from_db()


@transaction.atomic
def _end(retirement: Retirement, actor: Actor) -> None:
    """Retire the agent when its drain is over. Records: agent.retired, key.revoked."""
    agent = hold(retirement.agent)
    locked = Retirement.objects.select_for_update().get(pk=retirement.pk)
    if locked.state != State.DRAINING:
        return
    keys = agent.keys.filter(revoked_at__isnull=True, expires_at__gt=clock.now()).count()
    if agent.stage != Agent.Stage.RETIRED:
        act.retire_agent(agent.name, actor=actor, reason=locked.reason)
    end_row(locked, keys, actor=actor)
    retirement.refresh_from_db()


def _due() -> QuerySet[Retirement]:
    now = clock.now()
    left = Step.objects.filter(retirement=OuterRef("pk"), done_at__isnull=True)
    rows = Retirement.objects.filter(
        Q(state=State.ANNOUNCED) & (Q(drains_at__lte=now) | Exists(left.filter(name=Name.WARNED)))
        | Q(state=State.DRAINING)
        | Q(state=State.RETIRED) & Exists(left)
    ).filter(Q(again_at__isnull=True) | Q(again_at__lte=now))
    return rows.select_related("agent__owner", "agent__team", "successor").order_by("id")


def _is_past(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and moment <= now


def _put_off(retirement: Retirement, why: str) -> None:
    Retirement.objects.filter(pk=retirement.pk).update(
        again_at=clock.now() + PAUSE, fault=why[:1000]
    )


@contextmanager
def _claim(retirement: Retirement) -> Iterator[bool]:
    """Hold one alone: a session's lock, which goes with the session if that dies."""
    place = ["unsprawl.retirement", retirement.public_id]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtext(%s), hashtext(%s))", place)
        row = cursor.fetchone()
    if not (row and row[0]):
        yield False
        return
    try:
        yield True
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(hashtext(%s), hashtext(%s))", place)
