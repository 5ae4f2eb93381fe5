"""Keeping how each team's days were, once they are over: a public page reads sums, no changes."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Final

from django.db import transaction

from fleet.health.models import Sweep, TeamDay
from fleet.health.queries.lasting import DAYS, lasted_by_team
from kernel import clock
from registry.actors import Actor
from registry.models import Role

NAME: Final = "team_days"
KEPT: Final = timedelta(days=400)


def sum_days(*, actor: Actor) -> int:
    """Sum up every day that is over and was not yet, at most ninety; return how many.

    Records: nothing; the sums follow from changes of statuses. Raises: RoleMissing.
    """
    actor.require(Role.PLATFORM)
    summed = 0
    while _sum_one():
        summed += 1
    return summed


@transaction.atomic
def _sum_one() -> bool:
    today = clock.now().astimezone(UTC).date()
    begins = datetime.combine(today - timedelta(days=DAYS), time(), UTC)
    Sweep.objects.bulk_create([Sweep(name=NAME, at=begins)], ignore_conflicts=True)
    mark = Sweep.objects.select_for_update().get(name=NAME)
    day = max(mark.at, begins).astimezone(UTC).date()
    if day >= today:
        return False
    rows = [
        TeamDay(team=team, day=day, healthy=bar.healthy, degraded=bar.degraded, down=bar.down)
        for (team, _), bar in lasted_by_team([day]).items()
    ]
    TeamDay.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["team", "day"],
        update_fields=["healthy", "degraded", "down"],
    )  # fmt: skip
    TeamDay.objects.filter(day__lt=today - KEPT).delete()
    mark.at = datetime.combine(day + timedelta(days=1), time(), UTC)
    mark.save(update_fields=["at"])
    return True
