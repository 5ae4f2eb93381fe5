"""Reading watches: everybody may know that a model changed; nothing here says who called."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from django.db.models import F, Q, QuerySet

from fleet.drift.models import Change, Hour, Watch
from kernel import clock
from registry.actors import Actor
from registry.models import Agent
from routing.models import Model

SHOWN: Final = timedelta(days=7)


@dataclass(slots=True)
class Watched:
    """One watch with its last seven days, a value an hour in which there were calls."""

    watch: Watch
    calls: list[int] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    late: list[int] = field(default_factory=list)
    cost: list[float] = field(default_factory=list)
    substituted: int = 0
    changes: list[Change] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(self.calls)


def watches_for(actor: Actor, *, words: str = "") -> QuerySet[Watch]:
    """Return what is watched, in whose route, vendor or model every word occurs."""
    rows = Watch.objects.all() if actor.ref.kind != "agent" else Watch.objects.none()
    for word in words.split()[:8]:
        rows = rows.filter(
            Q(route__icontains=word) | Q(vendor__icontains=word) | Q(model__icontains=word)
        )
    return rows


def changes_for(actor: Actor) -> QuerySet[Change]:
    """Return the changes that stand, the newest first."""
    rows = Change.objects.filter(over_at__isnull=True, watch__in=watches_for(actor))
    return rows.select_related("watch").order_by("-seen_at", "-id")


def every_change_for(actor: Actor) -> QuerySet[Change]:
    """Return every change of what the viewer may see, over or not."""
    return Change.objects.filter(watch__in=watches_for(actor)).select_related("watch")


def standing_of(agents: QuerySet[Agent]) -> QuerySet[Change]:
    """Return the changes that stand in the golden cases of some agents."""
    return Change.objects.filter(over_at__isnull=True, plan__agent__in=agents)


def changes_on(watch: Watch, limit: int = 20) -> list[Change]:
    """Return what changed of one watch, what stands first, then the newest."""
    rows = Change.objects.filter(watch=watch).select_related("watch")
    return list(rows.order_by(F("over_at").desc(nulls_first=True), "-seen_at", "-id")[:limit])


def alerts_for(model: Model) -> QuerySet[Change]:
    """Return the changes that stand for a model, on whatever route."""
    rows = Change.objects.filter(over_at__isnull=True)
    return rows.filter(watch__vendor=model.vendor.name, watch__model=model.name)


class WatchedDrift:
    """Answers cutovers: which of their agents a change of a model concerns, by their routes."""

    def since(self, agents: Collection[str], model: Model, moment: datetime) -> dict[str, int]:
        changes = alerts_for(model).filter(seen_at__gte=moment)
        seen = list(changes.values_list("watch__route", "plan__agent__public_id"))
        if not seen:
            return {}
        rows = Agent.objects.filter(
            public_id__in=list(agents), routes__overlap=[route for route, _ in seen]
        )
        # What one agent's golden cases say is said of that agent alone.
        found = {
            agent: sum(route in named and whose in {None, agent} for route, whose in seen)
            for agent, named in rows.values_list("public_id", "routes")
        }
        return {agent: alerts for agent, alerts in found.items() if alerts}


def seen_of(watches: Iterable[Watch]) -> list[Watched]:
    """Return the last seven days of some watches, in the same number of questions for all."""
    listed = list(watches)
    hours: dict[int, list[Hour]] = defaultdict(list)
    since = clock.now() - SHOWN
    for hour in Hour.objects.filter(watch__in=listed, starts_at__gte=since).order_by("starts_at"):
        hours[hour.watch_id].append(hour)
    changes: dict[int, list[Change]] = defaultdict(list)
    standing = Change.objects.filter(watch__in=listed, over_at__isnull=True)
    for change in standing.order_by("-seen_at"):
        changes[change.watch_id].append(change)
    return [
        Watched(
            watch,
            calls=[hour.calls for hour in hours[watch.pk]],
            errors=[100 * hour.failed / hour.calls for hour in hours[watch.pk]],
            late=[hour.late_ms for hour in hours[watch.pk]],
            cost=[hour.cost_micros / hour.calls for hour in hours[watch.pk]],
            substituted=sum(hour.substituted for hour in hours[watch.pk]),
            changes=changes[watch.pk],
        )
        for watch in listed
    ]
