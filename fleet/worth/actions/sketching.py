"""Keeping sketches of recorded system prompts, and dropping them with what they were made of.

The worker opens a few of an agent's newest requests, keeps 64 numbers, and forgets the rest;
nobody is shown anything. A sketch names the data keys of its payloads: when one is destroyed,
by an erasure or by age, the sketch is dropped.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Final

import orjson
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from fleet.worth.models import PromptSketch
from fleet.worth.sketches import LEAST, shingles_of, sketch_of, system_prompt_of
from kernel import clock
from kernel.errors import DomainError
from ledger.errors import PayloadsClosed
from ledger.models import Entry, Payload
from ledger.payloads import open_recorded
from registry.actors import Actor
from registry.models import Agent, Role
from routing.models import UsageRecent

BATCH: Final = 50
READ: Final = 5  # of an agent's newest requests
AGAIN: Final = timedelta(days=7)
_DROP: Final = """
DELETE FROM worth_promptsketch AS sketch WHERE EXISTS (
    SELECT FROM ledger_datakey AS known
    WHERE known.dek_id = ANY (sketch.data_keys) AND known.state = 'shredded')
"""


def sketch_prompts(*, actor: Actor, batch: int = BATCH) -> int:
    """Sketch the prompts of agents that called lately and have no sketch, or an old one.

    Records: nothing; nobody is shown what was said. Raises: RoleMissing.
    """
    actor.require(Role.PLATFORM)
    fresh = PromptSketch.objects.filter(agent=OuterRef("pk"), made_at__gt=clock.now() - AGAIN)
    called = UsageRecent.objects.filter(agent_id=OuterRef("public_id"), calls_week__gt=0)
    due = Agent.objects.filter(~Exists(fresh), Exists(called), stage__in=Agent.CALLABLE)
    made = 0
    for agent in due.order_by("pk")[:batch]:
        try:
            made += sketch_prompt(agent, actor=actor)
        except PayloadsClosed:
            return made  # this process may not open anything; the worker may
    return made


@transaction.atomic
def sketch_prompt(agent: Agent, *, actor: Actor) -> bool:
    """Make one agent's sketch from its newest requests; say whether there is one.

    Records: nothing; nobody is shown what was said. Raises: RoleMissing, PayloadsClosed.
    """
    actor.require(Role.PLATFORM)
    entries = Entry.objects.filter(
        agent_id=agent.public_id, kind=Entry.Kind.INTENT, verb="call.intended"
    ).order_by("-id")
    ids = list(entries.values_list("entry_id", flat=True)[:READ])
    shingles: set[str] = set()
    opened: list[str] = []
    for entry_id in ids:
        found = _shingles(entry_id)
        if found:
            shingles |= found
            opened.append(entry_id)
    keys = set(Payload.objects.filter(entry_id__in=opened).values_list("dek_id", flat=True))
    enough = len(shingles) >= LEAST and bool(keys)
    PromptSketch.objects.update_or_create(
        agent=agent,
        defaults={
            "sketch": sketch_of(shingles, _key()) if enough else [],
            "shingles": len(shingles) if enough else 0,
            "data_keys": sorted(keys) if enough else [],
            "newest_entry": ids[0] if ids else "",
            "made_at": clock.now(),
        },
    )
    return enough


def drop_sketches(*, actor: Actor) -> int:
    """Drop every sketch one of whose data keys is destroyed; return how many.

    Records: nothing; the destruction is on record. Raises: RoleMissing.
    """
    actor.require(Role.PLATFORM)
    with connection.cursor() as cursor:
        cursor.execute(_DROP)
        return int(cursor.rowcount)


def _shingles(entry_id: str) -> set[str]:
    try:
        body = orjson.loads(open_recorded(entry_id))
    except PayloadsClosed:
        raise
    except (DomainError, orjson.JSONDecodeError):
        return set()  # dropped, destroyed or no document: nothing to compare
    return shingles_of(system_prompt_of(body)) if isinstance(body, dict) else set()


def _key() -> bytes:
    return hashlib.sha256(b"unsprawl/prompt-sketch/1|" + settings.SECRET_KEY.encode()).digest()
