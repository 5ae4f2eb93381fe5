"""Reminding whom a finding waits for, and telling others when its day has passed."""

from __future__ import annotations

from typing import Final

from django.db import transaction
from django.db.models import Q

from fleet.discovery.models import Finding
from fleet.telling.actions.telling import tell
from kernel import clock
from registry.actors import Actor
from registry.models import Role

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
    moved = Finding.objects.filter(fresh, pk=finding.pk, state=Finding.State.ASSIGNED).update(
        reminded=step
    )
    if moved:
        tell_owner(finding, step=step)
    return moved


def tell_owner(finding: Finding, *, step: int | None = None) -> None:
    """Tell whom a finding waits for, and past its day the team and security as well.

    Titles name no repository, key or host: others chose those names.
    """
    owner, due = finding.owner, finding.due_on
    if owner is None or due is None:
        return
    is_late = step == DAYS[-1]
    what = finding.get_kind_display()
    asked = "is past its day" if is_late else f"waits for you until {due:%-d %B %Y}"
    mark = finding.assigned_at.isoformat() if finding.assigned_at else ""
    tell(
        key=f"finding:{finding.public_id}:{mark}:{step}",
        kind="finding",
        subject=finding.ref,
        title=f"Unregistered: {what} {asked}",
        lines=[
            f"Its risk is {finding.risk} of 100.",
            "Claim it, say which registered agent it is, or hand it back.",
        ],
        path=f"/unregistered/{finding.public_id}/",
        people=[owner],
        teams=[owner.team] if is_late and owner.team is not None else (),
        roles=[Role.SECURITY] if is_late else (),
        urgent=is_late,
    )
