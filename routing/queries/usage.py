"""Reading what was used: per day, and by agent, team, route or model.

Reads the days that calls have been counted into, so a page costs the same however many
calls there were. Sums are in micro-units of the currency; unpriced calls are said, never
taken as free.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any, Final

from django.db.models import F, OuterRef, QuerySet, Subquery, Sum

from kernel import clock
from registry.actors import Actor
from registry.models import Agent
from routing.models import UsageDay, UsageMark, UsageMonth, UsageRoute, UsageTotal
from routing.models.usage import SUMS
from routing.queries.calls import seen_agents

LONGEST_DAYS: Final = 400
GROUPS: Final = ("day", "agent", "team", "route", "model", "vendor")


@dataclass(frozen=True, slots=True)
class Used:
    """Sums of calls: of a day, an agent, whatever was asked for."""

    calls: int = 0
    errors: int = 0
    denied: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_micros: int = 0
    unpriced_calls: int = 0
    duration_ms: int = 0

    @property
    def error_rate(self) -> float:
        return self.errors / self.calls if self.calls else 0.0

    @property
    def mean_ms(self) -> int:
        return self.duration_ms // self.calls if self.calls else 0


@dataclass(frozen=True, slots=True)
class UsedBy:
    """Sums under the name they belong to: a day in ISO form, an agent's or a route's name."""

    name: str
    used: Used


def usage_by_day(actor: Actor, *, days: int, agent: Agent | None = None) -> list[UsedBy]:
    """Return one sum for each of the last days, today included; a quiet day is all zeros."""
    first = first_day(days)
    if agent is None and seen_agents(actor) is None:
        every_call = UsageTotal.objects.filter(day__gte=first)
        found = {row["day"]: _used(row) for row in every_call.values()}
    else:
        rows = _seen(actor, agent).filter(day__gte=first).values("day")
        found = {row["day"]: _used(row) for row in _summed(rows)}
    every = (first + timedelta(days=number) for number in range((_today() - first).days + 1))
    return [UsedBy(day.isoformat(), found.get(day, Used())) for day in every]


def usage_by(
    actor: Actor, group: str, *, days: int, agent: Agent | None = None, limit: int = 100
) -> list[UsedBy]:
    """Return sums of the last days by agent, team, route, model or vendor, the dearest first."""
    if group == "day":
        return usage_by_day(actor, days=days, agent=agent)
    rows: QuerySet[UsageDay] | QuerySet[UsageRoute]
    rows = _seen(actor, agent).filter(day__gte=first_day(days))
    if group in {"agent", "team"}:
        # Summed by agent first: the names are looked up once for each, not for each day.
        by_agent = {row["agent_id"]: _used(row) for row in _summed(rows.values("agent_id"))}
        return _named(by_agent, group)[:limit]
    if agent is None and seen_agents(actor) is None:
        # The same sums without the agents: a thousandth of the rows.
        rows = UsageRoute.objects.filter(day__gte=first_day(days))
    if group == "model":
        summed = _summed(rows.values("vendor", "model"))
        named = [UsedBy(f"{row['vendor']}/{row['model']}", _used(row)) for row in summed]
    else:
        named = [UsedBy(row[group], _used(row)) for row in _summed(rows.values(group))]
    return sorted(named, key=_dearest)[:limit]


def dearest_agents(actor: Actor, *, limit: int = 10) -> list[UsedBy]:
    """Return the agents that cost most in this calendar month so far."""
    seen = seen_agents(actor)
    rows = UsageMonth.objects.filter(month=_today().replace(day=1)).exclude(agent_id="")
    if seen is not None:
        rows = rows.filter(agent_id__in=seen.values("public_id"))
    name = Agent.objects.filter(public_id=OuterRef("agent_id")).values("name")[:1]
    top = rows.order_by("-cost_micros", "-calls", "agent_id")[:limit].annotate(
        agent_name=Subquery(name)
    )
    return [UsedBy(row["agent_name"] or row["agent_id"], _used(row)) for row in top.values()]


def total(parts: Iterable[Used]) -> Used:
    """Add sums up."""
    listed = [asdict(part) for part in parts]
    return Used(**{name: sum(part[name] for part in listed) for name in SUMS})


def counted_at() -> Any:
    """Return when calls were last counted; None before the first time."""
    return UsageMark.objects.values_list("counted_at", flat=True).first()


def is_recent_summed() -> bool:
    """Say whether `UsageRecent` sums the last days as of today; between days it may not yet."""
    return UsageMark.objects.filter(recent_on=_today()).exists()


def first_day(days: int) -> date:
    """Return the first of the last so many days, today being the last."""
    return _today() - timedelta(days=max(1, min(days, LONGEST_DAYS)) - 1)


def _today() -> date:
    return clock.now().date()


def _seen(actor: Actor, agent: Agent | None) -> QuerySet[UsageDay]:
    if agent is not None:
        return UsageDay.objects.filter(agent_id=agent.public_id)
    seen = seen_agents(actor)
    rows = UsageDay.objects.all()
    return rows if seen is None else rows.filter(agent_id__in=seen.values("public_id"))


def _summed(rows: Any) -> Any:
    return rows.annotate(**{name: Sum(F(name)) for name in SUMS})


def _used(row: Mapping[str, Any]) -> Used:
    return Used(**{name: int(row[name] or 0) for name in SUMS})


def _named(by_agent: dict[str, Used], group: str) -> list[UsedBy]:
    field = "name" if group == "agent" else "team__name"
    names = dict(Agent.objects.filter(public_id__in=by_agent).values_list("public_id", field))
    grouped: dict[str, list[Used]] = {}
    for agent_id, used in by_agent.items():
        fallback = agent_id or "automation" if group == "agent" else "no team"
        grouped.setdefault(names.get(agent_id) or fallback, []).append(used)
    return sorted((UsedBy(name, total(parts)) for name, parts in grouped.items()), key=_dearest)


def _dearest(one: UsedBy) -> tuple[int, int, str]:
    return -one.used.cost_micros, -one.used.calls, one.name
