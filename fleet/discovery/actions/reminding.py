"""Reminding whom a finding waits for, and telling others when its day has passed."""

from __future__ import annotations

from typing import Final

from django.db import transaction
from django.db.models import Q

from fleet.discovery.models import Finding
from kernel import clock
from registry.actors import Actor

DAYS: Final = (7, 3, 1, 0, -1)  # before the deadline; the last one is past it
_AT_ONCE: Final = 500


def remind(*, actor: Actor) -> int:
    """Tell the owners of assigned findings that a deadline nears, once for each step.

    Records: nothing of its own; what is sent is recorded where it is sent.
    """
    today, sent = clock.now().date(), 0
    waiting = Finding.objects.filter(state=Finding.State.ASSIGNED).select_related("owner__team")
    for finding in waiting.order_by("due_on", "pk")[:_AT_ONCE]:
        if finding.due_on is None:
            continue
        left = (finding.due_on - today).days
        step = next((days for days in reversed(DAYS) if left <= days), None)
        if step is None:
            continue
        sent += _once(finding, step)
    return sent


@transaction.atomic
def _once(finding: Finding, step: int) -> int:
    fresh = Q(reminded__isnull=True) | Q(reminded__gt=step)
    return Finding.objects.filter(fresh, pk=finding.pk, state=Finding.State.ASSIGNED).update(
        reminded=step
    )
