"""Putting what happens to a cutover on record, and beside it for its page."""

from __future__ import annotations

from typing import Final

from django.db import transaction

from fleet.cutovers.errors import CutoverMoved
from fleet.cutovers.models import Cutover, CutoverEvent
from kernel import clock
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Agent

_NAMED: Final = 10
MOVER: Final = Actor.system("cutover")


def note(  # noqa: PLR0913  one fact, named
    verb: Verb,
    cutover: Cutover,
    text: str,
    *,
    actor: Actor,
    agent: Agent | None = None,
    facts: dict[str, Fact] | None = None,
    whole: str = "",
    since_look_ms: int | None = None,
) -> None:
    """Put a fact about a cutover on record; what people wrote goes into the payload.

    ``whole`` is what the record says where its page says less.

    Records: the verb it is given.
    """
    link = record(
        verb,
        cutover.ref,
        actor=actor.ref,
        facts={
            "source": cutover.source.public_id,
            "target": cutover.target.public_id,
            "percent": cutover.percent,
            **(facts or {}),
        },
        agent_id=agent.public_id if agent is not None else "",
        stream=str(cutover.ref),
        payload=(whole or text).encode(),
    )
    CutoverEvent.objects.create(
        cutover=cutover,
        agent=agent,
        kind=verb.value.partition(".")[2],
        actor=str(actor.ref),
        text=text[:2000],
        at=clock.now(),
        entry_id=link.entry_id,
        since_look_ms=since_look_ms,
    )


def named(names: list[str]) -> str:
    """Return some names for people to read, and that there are others."""
    return ", ".join(names[:_NAMED]) + (" and others" if len(names) > _NAMED else "")


def hold_cutover(public_id: str, *states: str) -> Cutover:
    """Lock a cutover in one of some states. Call it in a transaction. Raises: CutoverMoved."""
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("a cutover is held in a transaction")
    locked = Cutover.objects.select_for_update(of=("self",)).select_related(
        "source__vendor", "target__vendor", "begun_by"
    )
    cutover = locked.get(public_id=public_id)
    if states and cutover.state not in states:
        raise CutoverMoved(f"The cutover is {cutover.get_state_display()}.", state=cutover.state)
    return cutover
