"""Changed rate limits and what they would have refused, as far as the viewer sees the agents."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Count, Q, QuerySet, Sum

from fleet.drift.errors import LimitChangeNotFound
from fleet.drift.models import LimitEffect, LimitEffectOnAgent
from registry.actors import Actor
from routing.models import LifecycleChange
from routing.queries.calls import seen_agents


def limit_effects_of(changes: Iterable[LifecycleChange]) -> dict[int, LimitEffect]:
    """Return what changed limits come to for everybody, by the key of the change, where counted."""
    rows = LimitEffect.objects.filter(change__in=[change.pk for change in changes])
    return {row.change_id: row for row in rows}


def limit_effects_for(actor: Actor) -> QuerySet[LimitEffect]:
    """Return changed limits with what they come to for the agents that the viewer sees."""
    seen = seen_agents(actor)
    of_seen = Q() if seen is None else Q(agents__agent__in=seen)
    rows = LimitEffect.objects.select_related("change__model__vendor", "change__vendor").annotate(
        agent_count=Count("agents", filter=of_seen),
        seen_calls=Sum("agents__calls", filter=of_seen, default=0),
        seen_refused=Sum("agents__refused_calls", filter=of_seen, default=0),
    )
    return rows if seen is None else rows.filter(agent_count__gt=0)


def limit_effect_for(actor: Actor, change: str) -> LimitEffect:
    """Return one. Raises: LimitChangeNotFound."""
    said = "" if "\x00" in change else change
    found = limit_effects_for(actor).filter(public_id=said).first()
    if found is None:
        raise LimitChangeNotFound(f"There is no changed limit {said[:60]!r} that concerns you.")
    return found


def limit_parts_of(actor: Actor, effect: LimitEffect) -> QuerySet[LimitEffectOnAgent]:
    """Return the agents that it concerns, those first of whose calls most would be refused."""
    rows = LimitEffectOnAgent.objects.filter(effect=effect).select_related("agent__team")
    seen = seen_agents(actor)
    rows = rows if seen is None else rows.filter(agent__in=seen)
    return rows.order_by("-refused_calls", "-calls", "id")
