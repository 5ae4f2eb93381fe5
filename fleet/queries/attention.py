"""Agents that need somebody: stopped, about to lose a key, failing, or not used at all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.db.models import Count, Exists, F, Min, OuterRef, QuerySet, Window

from fleet.campaigns.queries.campaigns import left_to_do
from fleet.cutovers.queries.cutovers import to_sign
from fleet.drift.queries.watches import standing_of
from kernel import clock
from registry.actors import Actor
from registry.models import Agent, AgentKey
from routing.models import ModelUse, UsageRecent
from routing.queries.calls import seen_agents

SHOWN: Final = 5
EXPIRES_DAYS: Final = 14
UNUSED_DAYS: Final = 30
FAILING_PERCENT: Final = 10
FAILING_CALLS: Final = 20


@dataclass(frozen=True, slots=True)
class Concerned:
    """One agent that is concerned, and the detail of it in a few words."""

    name: str
    title: str
    detail: str


@dataclass(frozen=True, slots=True)
class Concern:
    """One reason to look, how many agents it holds for, and the first of them."""

    kind: str  # suspended, unwell, key_expiring, failing, unused, drifting, to_retire
    count: int
    agents: list[Concerned]


def concerns_for(actor: Actor) -> list[Concern]:
    """Return what concerns the agents this viewer sees; what concerns none is left out."""
    seen = seen_agents(actor)
    agents = (Agent.objects.all() if seen is None else seen).exclude(stage=Agent.Stage.RETIRED)
    found = (
        _suspended(agents),
        _unwell(agents),
        _key_expiring(agents),
        _failing(agents),
        _ending(agents),
        _must_move(actor),
        _to_sign(actor),
        _drifting(agents),
        _unused(agents),
        _to_retire(agents),
    )
    return [concern for concern in found if concern.count]


def _must_move(actor: Actor) -> Concern:
    rows = (
        left_to_do(actor)
        .values("agent__name", "agent__title", "campaign__due_on", "campaign__model__name")
        .annotate(count=Window(Count("*")))
        .order_by("campaign__due_on", "agent__name")
    )
    listed = [
        row | {"name": row["agent__name"], "title": row["agent__title"]} for row in rows[:SHOWN]
    ]
    return _concern(
        "must_move",
        listed,
        lambda row: f"from {row['campaign__model__name']} by {row['campaign__due_on']:%Y-%m-%d}",
    )


def _to_sign(actor: Actor) -> Concern:
    rows = (
        to_sign(actor)
        .values("agent__name", "agent__title", "cutover__source__name", "cutover__target__name")
        .annotate(count=Window(Count("*")))
        .order_by("agent__name")
    )
    listed = [
        row | {"name": row["agent__name"], "title": row["agent__title"]} for row in rows[:SHOWN]
    ]
    return _concern(
        "to_sign",
        listed,
        lambda row: f"from {row['cutover__source__name']} to {row['cutover__target__name']}",
    )


def _suspended(agents: QuerySet[Agent]) -> Concern:
    rows = agents.filter(suspended_at__isnull=False).order_by("-suspended_at", "name")
    listed = _first(rows, "suspended_reason")
    return _concern("suspended", listed, lambda row: row["suspended_reason"] or "no reason given")


def _unwell(agents: QuerySet[Agent]) -> Concern:
    rows = agents.filter(health__rank__gte=2, health__is_watched=True)
    rows = rows.order_by("-health__rank", "health__since", "name")
    return _concern("unwell", _first(rows, "health__reason"), lambda row: row["health__reason"])


def _key_expiring(agents: QuerySet[Agent]) -> Concern:
    now = clock.now()
    keys = AgentKey.objects.filter(
        revoked_at__isnull=True,
        rotated_to__isnull=True,
        expires_at__gt=now,
        expires_at__lte=now + timedelta(days=EXPIRES_DAYS),
    )
    rows = (
        keys.filter(agent__in=agents.filter(stage__in=Agent.CALLABLE))
        .values("agent__name", "agent__title")
        .annotate(ends=Min("expires_at"), count=Window(Count("*")))
        .order_by("ends", "agent__name")
    )
    listed = [
        row | {"name": row["agent__name"], "title": row["agent__title"]} for row in rows[:SHOWN]
    ]
    return _concern(
        "key_expiring",
        listed,
        lambda row: f"a key expires on {row['ends']:%Y-%m-%d}",
    )


def _ending(agents: QuerySet[Agent]) -> Concern:
    until = clock.now() + timedelta(days=EXPIRES_DAYS)
    rows = agents.filter(stage=Agent.Stage.DEPRECATED, ends_at__lte=until).order_by("ends_at")
    listed = _first(rows, "ends_at")
    return _concern(
        "ending", listed, lambda row: f"new runs refused from {row['ends_at']:%Y-%m-%d}"
    )


def _failing(agents: QuerySet[Agent]) -> Concern:
    made, failed = F("recent__calls_week"), F("recent__errors_week")
    rows = (
        agents.filter(recent__calls_week__gte=FAILING_CALLS, recent__errors_week__gt=0)
        .annotate(percent=100 * failed / made)  # of whole numbers, rounded down
        .filter(percent__gte=FAILING_PERCENT)
        .order_by("-percent", "name")
    )
    return _concern(
        "failing",
        _first(rows, "percent"),
        lambda row: f"{row['percent']} % of calls failed in {UsageRecent.CALLS_DAYS} days",
    )


def _drifting(agents: QuerySet[Agent]) -> Concern:
    rows = standing_of(agents).values("plan__agent__name", "plan__agent__title", "said")
    counted = rows.annotate(count=Window(Count("*"))).order_by("-seen_at", "-id")
    listed = [
        row | {"name": row["plan__agent__name"], "title": row["plan__agent__title"]}
        for row in counted[:SHOWN]
    ]
    return _concern("drifting", listed, lambda row: row["said"])


def _to_retire(agents: QuerySet[Agent]) -> Concern:
    rows = agents.filter(standing__suggestion="retire").order_by("-standing__cost_micros", "name")
    listed = _first(rows, "standing__reasons")
    return _concern("to_retire", listed, lambda row: " ".join(row["standing__reasons"]))


def _unused(agents: QuerySet[Agent]) -> Concern:
    since = clock.now() - timedelta(days=UNUSED_DAYS)
    used = ModelUse.objects.filter(agent_id=OuterRef("public_id"), last_called_at__gte=since)
    rows = agents.filter(
        ~Exists(used),
        stage__in=Agent.CALLABLE,
        suspended_at__isnull=True,
        stage_changed_at__lt=since,
    ).order_by("stage_changed_at", "name")
    return _concern("unused", _first(rows, "stage"), lambda _: f"no call in {UNUSED_DAYS} days")


def _first(rows: QuerySet[Agent], *fields: str) -> list[dict[str, Any]]:
    """The first of some agents, each with the number of all of them beside it."""
    counted = rows.values("name", "title", *fields).annotate(count=Window(Count("*")))
    return list(counted[:SHOWN])


def _concern(kind: str, listed: Iterable[dict[str, Any]], detail: Any) -> Concern:
    rows = list(listed)
    agents = [Concerned(row["name"], row["title"], detail(row)) for row in rows]
    return Concern(kind, rows[0]["count"] if rows else 0, agents)
