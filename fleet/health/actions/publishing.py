"""Links to the status page without an account: made and revoked by platform and security."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from fleet.health.errors import StatusLinkNotUsable
from fleet.health.models import StatusLink
from kernel import clock, keys
from kernel.refs import new_id
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from registry.actions.naming import clean_name
from registry.actors import Actor
from registry.models import Role, Team
from registry.pepper import pepper_ring

PREFIX: Final = "usl"
LONGEST_DAYS: Final = 365
MOST_LIVE: Final = 100
NOTED_EVERY: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class MadeLink:
    """A fresh link and the one copy of its address."""

    row: StatusLink
    url: str = field(repr=False)


@transaction.atomic
def make_status_link(
    name: str, *, actor: Actor, team: Team | None, shows_agents: bool, days: int | None
) -> MadeLink:
    """Make a link that shows the fleet's or one team's status to whoever has it.

    Records: status_link.made, with the name in the payload.
    Raises: RoleMissing, StatusLinkNotUsable, NameNotUsable, PepperMissing.
    """
    actor.require(Role.PLATFORM, Role.SECURITY)
    name, now = clean_name(name), clock.now()
    if days is not None and not 1 <= days <= LONGEST_DAYS:
        raise StatusLinkNotUsable(f"Choose 1 to {LONGEST_DAYS} days, or no end.")
    live = StatusLink.objects.filter(
        Q(expires_at__isnull=True) | Q(expires_at__gt=now), revoked_at__isnull=True
    )
    if live.count() >= MOST_LIVE:
        raise StatusLinkNotUsable(f"There are {MOST_LIVE} links already; revoke some first.")
    credential, ring = keys.issue(PREFIX), pepper_ring()
    row = StatusLink.objects.create(
        public_id=new_id("stl"), name=name, pepper_id=ring.active,
        digest=ring.hash(credential.text), team=team, shows_agents=shows_agents,
        scope=StatusLink.Scope.FLEET if team is None else StatusLink.Scope.TEAM,
        made_by=str(actor.ref), created_at=now,
        expires_at=now + timedelta(days=days) if days is not None else None,
    )  # fmt: skip
    facts: dict[str, Fact] = {
        "team": team.slug if team is not None else "", "shows_agents": shows_agents,
        "expires_at": clock.stamp(row.expires_at) if row.expires_at is not None else "",
    }  # fmt: skip
    record(Verb.STATUS_LINK_MADE, row.ref, actor=actor.ref, facts=facts, payload=name.encode())
    return MadeLink(row, f"{settings.PUBLIC_URL}/status/{credential.text}/")


@transaction.atomic
def revoke_status_link(link: StatusLink, *, actor: Actor) -> None:
    """End a link at once; doing it twice changes nothing more.

    Records: status_link.revoked. Raises: RoleMissing.
    """
    actor.require(Role.PLATFORM, Role.SECURITY)
    live = StatusLink.objects.filter(pk=link.pk, revoked_at__isnull=True)
    if live.update(revoked_at=clock.now(), revoked_by=str(actor.ref)):
        record(Verb.STATUS_LINK_REVOKED, link.ref, actor=actor.ref)


def note_use(link: StatusLink) -> None:
    """Note that a link was looked at, once a minute at most. Records: nothing; it is a look."""
    now = clock.now()
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - NOTED_EVERY)
    StatusLink.objects.filter(stale, pk=link.pk).update(last_used_at=now)
