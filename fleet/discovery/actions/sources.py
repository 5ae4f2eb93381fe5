"""Accounts whose inventory is read by the clock: connected, read now, removed.

The admin key is sealed at once, to a ring that only the worker opens, and is sent to the
address it was given for and to no other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from django.db import IntegrityError, transaction

from credentials.actions import retire_secret, seal_secret
from credentials.egress import GuardedClient
from credentials.queries import secret_of
from fleet.discovery.errors import DiscoverySourceNotUsable, SourceIsRead
from fleet.discovery.models import Reading, Source
from fleet.discovery.models.intake import UNDER_WAY
from fleet.discovery.queries.findings import DECIDING
from kernel import clock
from kernel.db import refused_as, ring
from kernel.refs import new_id
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from outlets.queries.secrets import RING
from registry.actors import Actor
from registry.models import Role

USUAL: Final = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com/v1",
    "litellm": "",
}
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,62}")


@dataclass(frozen=True, slots=True)
class WantedSource:
    """What somebody asks of a source."""

    name: str
    kind: str
    secret: str = field(repr=False)
    base_url: str = ""
    every_hours: int = 24


@transaction.atomic
def add_source(wanted: WantedSource, *, actor: Actor) -> Source:
    """Connect an account; it is read at once, and then by the clock.

    Records: discovery_source.added, secret.sealed, reading.asked. Raises: RoleMissing,
    DiscoverySourceNotUsable, AddressRefused, SecretNotUsable.
    """
    actor.require(Role.PLATFORM)
    address = (wanted.base_url or USUAL.get(wanted.kind, "")).rstrip("/")
    _check(wanted, address)
    taken = DiscoverySourceNotUsable(f"There is a source named {wanted.name!r} already.")
    now = clock.now()
    with refused_as({"discovery_source_name_key": taken}):
        source = Source.objects.create(
            public_id=new_id("src"),
            name=wanted.name,
            kind=wanted.kind,
            base_url=address,
            allow_private=address != USUAL.get(wanted.kind),
            every_hours=wanted.every_hours,
            next_at=now,
            added_by=str(actor.ref),
            added_at=now,
        )
    seal_secret(source.ref, wanted.secret, ring=RING, actor=actor.ref)
    facts: dict[str, Fact] = {"name": source.name, "kind": source.kind, "address": address}
    record(Verb.DISCOVERY_SOURCE_ADDED, source.ref, actor=actor.ref, facts=facts)
    ask_source(source, actor=actor)
    return source


@transaction.atomic
def ask_source(source: Source, *, actor: Actor) -> Reading:
    """Have a source read now.

    Records: reading.asked. Raises: RoleMissing, SourceIsRead.
    """
    actor.require(*DECIDING)
    with refused_as({"discovery_reading_one_under_way": SourceIsRead()}):
        row = Reading.objects.create(
            public_id=new_id("rdg"),
            kind=source.kind,
            source=source,
            title=source.name,
            asked_by=str(actor.ref),
            asked_at=clock.now(),
        )
    facts: dict[str, Fact] = {"kind": source.kind, "source": source.public_id}
    record(Verb.READING_ASKED, row.ref, actor=actor.ref, facts=facts, stream="discovery:readings")
    ring("discovery.pull_sources")
    return row


@transaction.atomic
def remove_source(source: Source, *, actor: Actor) -> None:
    """Read it no more; its key is retired, and what was found stays.

    Records: discovery_source.removed, secret.retired, reading.cancelled. Raises: RoleMissing.
    """
    actor.require(Role.PLATFORM)
    now = clock.now()
    moved = Source.objects.filter(pk=source.pk, removed_at__isnull=True).update(
        removed_at=now, name=f"{source.name} ({source.public_id})"
    )
    if not moved:
        return
    Reading.objects.filter(source=source, state__in=UNDER_WAY).update(
        state=Reading.State.CANCELLED, finished_at=now, leased_until=None
    )
    if secret_of(source.ref) is not None:
        retire_secret(source.ref, actor=actor.ref, reason="the source was removed")
    record(Verb.DISCOVERY_SOURCE_REMOVED, source.ref, actor=actor.ref)


def follow_schedules(*, actor: Actor) -> int:
    """Ask for the sources that are due; one that is being read is due again later.

    Records: reading.asked.
    """
    asked = 0
    due = Source.objects.filter(removed_at__isnull=True, next_at__lte=clock.now())
    for source in due.order_by("next_at")[:50]:
        try:
            ask_source(source, actor=actor)
            asked += 1
        except (SourceIsRead, IntegrityError):
            continue
    return asked


def _check(wanted: WantedSource, address: str) -> None:
    if not _NAME.fullmatch(wanted.name):
        raise DiscoverySourceNotUsable("Its name has lower-case letters, digits and hyphens.")
    if wanted.kind not in USUAL:
        raise DiscoverySourceNotUsable(f"The kind is one of: {', '.join(USUAL)}.")
    if not 1 <= wanted.every_hours <= 720:
        raise DiscoverySourceNotUsable("It is read every 1 to 720 hours.")
    if not wanted.secret:
        raise DiscoverySourceNotUsable("Give the admin key it is read with.")
    if not address:
        raise DiscoverySourceNotUsable("Give the proxy's address, such as https://llm.acme.test.")
    GuardedClient(allow_private=True).check(address)
