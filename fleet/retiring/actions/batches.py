"""Batches: previewed, begun once, carried out one agent at a time, gone on with after a crash.

Each agent is one transaction together with its result, so a worker that is killed has done it
or has not. What its action refuses is its result, and the next one goes on. Everything is
done in the name of the person who began it, with the rights they still have.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from django.db import connection, transaction

from fleet.retiring.actions.bulk_steps import STEPS, BulkStep, check_asked
from fleet.retiring.errors import BatchBegun, BatchUnusable
from fleet.retiring.models import Batch, BatchItem
from fleet.retiring.queries.batches import batch_for
from fleet.retiring.queries.foreseen import Foreseen, foresee_each, rule_of
from kernel import clock
from kernel.db import ring
from kernel.errors import DomainError
from kernel.refs import new_id
from ledger.record import record
from ledger.verbs import Verb
from registry.actions.guards import stated
from registry.actors import Actor
from registry.models import Agent, Role

SWEEP: Final = "retiring.carry_out_batches"
MOST: Final = 10_000
AT_ONCE: Final = 50  # so many are done while one waits; more, by the worker
NAMED: Final = 50
FORGOTTEN: Final = timedelta(days=7)
State, Item = Batch.State, BatchItem.State


@dataclass(slots=True)
class Preview:
    """Exactly what would happen, to whom, and whom it would leave out and why."""

    count: int = 0
    names: list[str] = field(default_factory=list)
    refused_count: int = 0
    refused: list[tuple[str, int, list[str]]] = field(default_factory=list)
    effects: list[tuple[str, int]] = field(default_factory=list)
    each: list[Foreseen] = field(default_factory=list)  # of steps that end; the first by name

    @property
    def others(self) -> int:
        return self.count - len(self.names)


@transaction.atomic
def open_batch(
    step: str, agents: Sequence[Agent], *, actor: Actor, asked: Mapping[str, Any] | None = None
) -> Batch:
    """Lay out a step for some agents, for a look at what it would do; nothing is done yet.

    ``asked`` is what the selection settles already; a form may add to it.

    Records: nothing. Raises: RoleMissing, BatchUnusable.
    """
    actor.require(Role.PLATFORM)
    if step not in STEPS or not agents or len(agents) > MOST or actor.person is None:
        raise BatchUnusable(f"Choose one of the steps, and 1 to {MOST} agents.")
    batch = Batch.objects.create(
        public_id=new_id("bat"),
        step=step,
        made_by=actor.person,
        asked=dict(asked or {}),
        total=len(agents),
        made_at=clock.now(),
    )
    BatchItem.objects.bulk_create(
        (
            BatchItem(batch=batch, agent_id=agent.public_id, agent_name=agent.name)
            for agent in agents
        ),
        batch_size=1000,
    )
    return batch


def preview_of(batch: Batch, asked: Mapping[str, Any]) -> Preview:
    """Return what a batch would do now. Raises: BatchUnusable."""
    step, asked = STEPS[batch.step], {**asked, **batch.asked}
    check_asked(step, asked)
    taken, refused = _sorted(batch, step, asked)
    return Preview(
        count=len(taken),
        names=[agent.name for agent in taken[:NAMED]],
        refused_count=sum(len(names) for names in refused.values()),
        refused=[(why, len(names), names[:NAMED]) for why, names in sorted(refused.items())],
        effects=step.foresee(taken, asked),
        each=foresee_each(taken[:NAMED], data=rule_of(asked)) if step.ends else [],
    )


@transaction.atomic
def begin_batch(public_id: str, *, actor: Actor, reason: str, asked: Mapping[str, Any]) -> Batch:
    """Begin a batch that its maker has looked at. Of two submissions one begins it.

    Records: batch.begun. Raises: RoleMissing, ReasonMissing, BatchUnusable, BatchBegun.
    """
    actor.require(Role.PLATFORM)
    why = stated(reason)
    batch = Batch.objects.select_related("made_by").get(public_id=public_id)
    if not actor.is_person(batch.made_by):
        raise BatchUnusable("Who made the selection begins the batch; make one of your own.")
    asked = {**asked, **batch.asked}
    check_asked(STEPS[batch.step], asked)
    moved = Batch.objects.filter(pk=batch.pk, state=State.PREVIEW).update(
        state=State.RUNNING,
        begun_at=clock.now(),
        reason=why,
        asked=dict(asked),
        roles=sorted(actor.roles),
    )
    if not moved:
        raise BatchBegun(f"This batch is {batch.state} already.", batch=batch.public_id)
    batch.refresh_from_db()
    record(
        Verb.BATCH_BEGUN,
        batch.ref,
        actor=actor.ref,
        facts={"step": batch.step, "agents": batch.total, "reason": why},
    )
    if batch.total > AT_ONCE:
        ring(SWEEP)
    return batch


@transaction.atomic
def drop_batch(public_id: str, *, actor: Actor) -> Batch:
    """Let a batch be that was not begun. Records: nothing; it has done nothing.

    Raises: RoleMissing, BatchNotFound, BatchBegun.
    """
    actor.require(Role.PLATFORM)
    batch = batch_for(actor, public_id)
    moved = Batch.objects.filter(pk=batch.pk, state=State.PREVIEW).update(
        state=State.DROPPED, ended_at=clock.now()
    )
    if not moved:
        raise BatchBegun(f"This batch is {batch.state} already.", batch=batch.public_id)
    return batch_for(actor, public_id)


def drop_forgotten(*, actor: Actor) -> int:
    """Let be what nobody began for a week. Records: nothing; it has done nothing."""
    actor.require(Role.PLATFORM)
    old = Batch.objects.filter(state=State.PREVIEW, made_at__lt=clock.now() - FORGOTTEN)
    return old.update(state=State.DROPPED, ended_at=clock.now())


def carry_out(batch: Batch) -> Batch:
    """Take the step with every agent that waits; one batch is carried out by one worker.

    Records: batch.ended, and what the step records for each agent.
    """
    with _claim(batch) as is_ours:
        if is_ours and batch.state == State.RUNNING:
            step = STEPS[batch.step]
            actor = Actor.of(batch.made_by, batch.roles)
            waiting = batch.items.filter(state=Item.WAITING).order_by("pk")
            for pk in list(waiting.values_list("pk", flat=True)):
                _take(pk, step, batch, actor)
            _end(batch, actor=actor)
    batch.refresh_from_db()
    return batch


def carry_out_running() -> int:
    """Go on with every batch that was begun; return how many were looked at."""
    running = Batch.objects.filter(state=State.RUNNING).select_related("made_by")
    found = list(running.order_by("id")[:20])
    for batch in found:
        carry_out(batch)
    return len(found)


@transaction.atomic
def _take(pk: int, step: BulkStep, batch: Batch, actor: Actor) -> None:
    item = BatchItem.objects.select_for_update(skip_locked=True).filter(pk=pk).first()
    if item is None or item.state != Item.WAITING:
        return
    agent = Agent.objects.filter(public_id=item.agent_id).first()
    item.state, item.detail = Item.DONE, ""
    if agent is None:
        item.state, item.detail = Item.REFUSED, "It is gone."
    elif why := step.refuses(agent, batch.asked):
        item.state, item.detail = Item.REFUSED, f"Left out: {why}."
    else:
        try:
            with transaction.atomic():
                step.take(agent, actor, batch.reason, batch.asked)
        except DomainError as error:
            item.state, item.detail = Item.REFUSED, error.detail[:500]
    item.ended_at = clock.now()
    item.save(update_fields=["state", "detail", "ended_at"])


@transaction.atomic
def _end(batch: Batch, *, actor: Actor) -> None:
    if batch.items.filter(state=Item.WAITING).exists():
        return
    running = Batch.objects.filter(pk=batch.pk, state=State.RUNNING)
    if running.update(state=State.DONE, ended_at=clock.now()):
        refused = batch.items.filter(state=Item.REFUSED).count()
        record(
            Verb.BATCH_ENDED,
            batch.ref,
            actor=actor.ref,
            facts={"step": batch.step, "agents": batch.total, "refused": refused},
        )


def _sorted(
    batch: Batch, step: BulkStep, asked: Mapping[str, Any]
) -> tuple[list[Agent], dict[str, list[str]]]:
    wanted = batch.items.values("agent_id")
    rows = Agent.objects.filter(public_id__in=wanted).select_related("owner", "backup_owner")
    taken: list[Agent] = []
    refused: dict[str, list[str]] = defaultdict(list)
    for agent in rows.defer("searchable").order_by("name"):
        if why := step.refuses(agent, asked):
            refused[why].append(agent.name)
        else:
            taken.append(agent)
    return taken, dict(refused)


@contextmanager
def _claim(batch: Batch) -> Iterator[bool]:
    """Carry one out alone: a session's lock, which goes with the session if that dies."""
    place = ["unsprawl.batch", batch.public_id]
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
