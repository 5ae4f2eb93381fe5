"""Reading grants: one's own agents', and for those who govern everybody's."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from registry.actors import Actor
from registry.queries.agents import GOVERNING
from rules.errors import GrantNotFound
from rules.models import Grant


def grants_for(actor: Actor) -> QuerySet[Grant]:
    """Return the grants that this viewer may know of."""
    rows = Grant.objects.select_related("agent__owner")
    if actor.has(*GOVERNING):
        return rows
    if actor.person is None:
        return rows.none()
    mine = Q(agent__owner=actor.person) | Q(agent__backup_owner=actor.person)
    return rows.filter(mine)


def grant_for(actor: Actor, public_id: str) -> Grant:
    """Return one grant. Raises: GrantNotFound."""
    found = grants_for(actor).filter(public_id=public_id.replace("\x00", "")).first()
    if found is None:
        raise GrantNotFound(f"There is no grant {public_id[:60]!r}.")
    return found


def open_grant(actor: Actor, agent: str, vendor: str) -> Grant | None:
    """Return the grant of an agent for a vendor that waits for an answer."""
    rows = grants_for(actor).filter(agent__name=agent, vendor=vendor, state=Grant.State.ASKED)
    return rows.exclude(review_id="").first()
