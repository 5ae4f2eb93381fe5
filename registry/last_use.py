"""When a credential was last seen: a hint for people who clean up, never evidence.

Written at most once a minute, by compare-and-set, so a busy credential costs no writes.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.db.models import Q

from kernel import clock
from registry.models import AgentKey, PersonToken

NOTED_EVERY: Final = timedelta(minutes=1)


def note_use(credential: PersonToken | AgentKey) -> None:
    """Stamp a token or key as used now, unless it was stamped within the minute."""
    now = clock.now()
    if credential.last_used_at is not None and credential.last_used_at > now - NOTED_EVERY:
        return
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lte=now - NOTED_EVERY)
    type(credential)._default_manager.filter(stale, pk=credential.pk).update(last_used_at=now)
