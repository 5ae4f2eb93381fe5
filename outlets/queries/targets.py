"""Which targets and schedules there are, and which copies are late."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db.models import QuerySet

from outlets.errors import ScheduleNotFound, TargetNotFound
from outlets.models import Schedule, Target
from registry.actors import Actor
from registry.models import Role

SEEING: Final = (Role.SECURITY, Role.PLATFORM, Role.AUDITOR)
# How long a copy may take before it is called late.
GRACE: Final = {"day": timedelta(hours=6), "month": timedelta(hours=24)}


def targets_for(actor: Actor) -> QuerySet[Target]:
    """Return the targets, for those who oversee. Raises: RoleMissing."""
    actor.require(*SEEING)
    return Target.objects.filter(removed_at__isnull=True)


def target_for(actor: Actor, public_id: str) -> Target:
    """Return one target. Raises: RoleMissing, TargetNotFound."""
    found = targets_for(actor).filter(public_id=public_id.replace("\x00", "")).first()
    if found is None:
        raise TargetNotFound
    return found


def schedules_for(actor: Actor) -> QuerySet[Schedule]:
    """Return the schedules, for those who oversee. Raises: RoleMissing."""
    actor.require(*SEEING)
    return Schedule.objects.filter(ended_at__isnull=True).select_related("target")


def schedule_for(actor: Actor, public_id: str) -> Schedule:
    """Return one schedule. Raises: RoleMissing, ScheduleNotFound."""
    found = schedules_for(actor).filter(public_id=public_id.replace("\x00", "")).first()
    if found is None:
        raise ScheduleNotFound
    return found


def next_after(every: str, moment: datetime) -> datetime:
    """Return the next midnight, UTC, that ends a day or a month."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if every == Schedule.Every.DAY:
        return midnight + timedelta(days=1)
    return (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)
