"""What one person was told, and how much of it is unread."""

from __future__ import annotations

from typing import Final

from django.db.models import QuerySet

from fleet.telling.models import Copy
from registry.actors import Actor
from registry.models import Person

MOST_COUNTED: Final = 100  # beyond it nobody needs the number


def copies_for(actor: Actor) -> QuerySet[Copy]:
    """Return what an actor was told; each person sees their own and nobody else's."""
    if actor.person is None:
        return Copy.objects.none()
    return Copy.objects.filter(person=actor.person).select_related("message")


def copy_for(actor: Actor, public_id: str) -> Copy | None:
    """Return one message of one's own."""
    return copies_for(actor).filter(public_id=public_id.replace("\x00", "")).first()


def unread_count(person: Person) -> int:
    """Count what a person has not read, up to a hundred."""
    rows = Copy.objects.filter(person=person, read_at__isnull=True)
    return len(rows.values_list("pk")[:MOST_COUNTED])
