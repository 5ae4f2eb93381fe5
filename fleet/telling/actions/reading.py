"""Noting what somebody has read in their list."""

from __future__ import annotations

from django.db import transaction

from fleet.telling.models import Copy
from kernel import clock
from registry.actors import Actor


@transaction.atomic
def note_read(*, actor: Actor, copy: str = "") -> int:
    """Note that one's own message, or every one, was read; return how many were not yet.

    Records: nothing; whether somebody has read a message is theirs to know.
    """
    if actor.person is None:
        return 0
    rows = Copy.objects.filter(person=actor.person, read_at__isnull=True)
    if copy:
        rows = rows.filter(public_id=copy.replace("\x00", ""))
    return rows.update(read_at=clock.now())
