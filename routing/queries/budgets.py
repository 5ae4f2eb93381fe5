"""Reading budgets: how each stands, where it is heading, and what it has stopped.

Those who govern see all; everybody else those of the agents they answer for, and of their
own team.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Q, QuerySet, Sum

from kernel import clock
from ledger.models import Entry
from ledger.queries import entries_of_subject
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Agent, Team
from registry.queries import GOVERNING
from routing.budgeting import BudgetDraft
from routing.errors import BudgetNotFound
from routing.gateway.windows import EVER_SINCE, Span, span_of
from routing.models import Budget, BudgetNotice, BudgetWindow, UsageDay, UsageOwn, Vendor
from routing.queries.calls import seen_agents

PREVIEW_DAYS: Final = 30
NEAR: Final = 80  # percent
_PREVIEWED: Final = 500_000
_EARLY: Final = timedelta(hours=1)  # before that a forecast says nothing


@dataclass(frozen=True, slots=True)
class Standing:
    """How a budget stands now, in its present window."""

    budget: Budget
    name: str  # of its subject, for people
    span: Span
    spent: int
    held: int
    forecast: int | None

    @property
    def left(self) -> int:
        return max(self.budget.cap - self.spent - self.held, 0)

    @property
    def ratio(self) -> float:
        """The share of the cap that is taken; 1 where the cap is nothing."""
        taken = self.spent + self.held
        return min(taken / self.budget.cap, 1.0) if self.budget.cap else 1.0

    @property
    def percent(self) -> int:
        return int(self.ratio * 100)

    @property
    def tone(self) -> str:
        if self.ratio >= 0.95:
            return "error"
        return "warning" if self.ratio >= 0.8 else "primary"

    @property
    def is_money(self) -> bool:
        return self.budget.measure == Budget.Measure.COST


def budgets_for(actor: Actor) -> QuerySet[Budget]:
    """Return the open budgets this viewer may see."""
    budgets = Budget.objects.filter(ended_at=None).order_by("subject_kind", "subject", "id")
    if actor.has(*GOVERNING):
        return budgets
    agents = seen_agents(actor)
    seen = Q(subject_kind="agent", subject__in=agents.values("public_id")) if agents else Q(pk=None)
    team = actor.person.team if actor.person is not None else None
    if team is not None:
        seen |= Q(subject_kind="team", subject=team.slug)
    return budgets.filter(seen)


def budget_for(actor: Actor, budget_id: str) -> Budget:
    """Return one open budget. Raises: BudgetNotFound."""
    said = "" if "\x00" in budget_id else budget_id
    found = budgets_for(actor).filter(public_id=said).first()
    if found is None:
        raise BudgetNotFound(f"There is no budget {budget_id[:80]!r}, or you may not see it.")
    return found


def budgets_of(actor: Actor, agent: Agent) -> QuerySet[Budget]:
    """Return the budgets that name an agent, as far as the viewer sees them."""
    return budgets_for(actor).filter(subject_kind="agent", subject=agent.public_id)


def standings(budgets: Iterable[Budget]) -> list[Standing]:
    """Return how budgets stand now. Two questions, however many there are."""
    now, listed = clock.now(), list(budgets)
    spans = {budget.pk: _span(budget, now) for budget in listed}
    wanted = Q(pk=None)
    for budget in listed:
        wanted |= Q(budget=budget.pk, starts_at=spans[budget.pk].starts_at)
    windows = {each.budget_id: each for each in BudgetWindow.objects.filter(wanted)}
    names = _names(listed)
    return [
        _standing(budget, names, spans[budget.pk], windows.get(budget.pk), now) for budget in listed
    ]


def nearing_for(actor: Actor, *, limit: int = 5) -> list[Standing]:
    """Return the budgets near their caps that people were told of, the fullest first."""
    noticed = BudgetNotice.objects.filter(
        percent__gte=NEAR, noticed_at__gte=clock.now() - timedelta(days=PREVIEW_DAYS + 1)
    )
    listed = list(budgets_for(actor).filter(pk__in=noticed.values("budget"))[: limit * 4])
    near = [each for each in standings(listed) if each.ratio * 100 >= NEAR] if listed else []
    return sorted(near, key=lambda each: -each.ratio)[:limit]


def standing(budget: Budget) -> Standing:
    """Return how one budget stands now."""
    return standings([budget])[0]


def by_day(budget: Budget, *, days: int = PREVIEW_DAYS) -> list[tuple[date, int]]:
    """Return what a budget's subject used on each of the last days (UTC)."""
    today = clock.now().date()
    first = today - timedelta(days=days - 1)
    column = {
        "cost": "cost_micros", "requests": "calls", "tokens": "tokens", "open_calls": "calls",
    }[budget.measure]  # fmt: skip
    found: Counter[date] = Counter()
    for rows in _uses_of(budget):
        sums = rows.filter(day__gte=first).values("day").annotate(
            cost=Sum("cost_micros"), made=Sum("calls"),
            given=Sum("input_tokens"), said=Sum("output_tokens"),
        )  # fmt: skip
        for row in sums:
            found[row["day"]] += {
                "cost_micros": row["cost"],
                "calls": row["made"],
                "tokens": row["given"] + row["said"],
            }[column]
    return [(day, found.get(day, 0)) for day in (first + timedelta(n) for n in range(days))]


def used_since(budget: Budget, first: date) -> int:
    """Return what calls of a budget's subject cost from a day (UTC) on, as far as counted."""
    found = [
        rows.filter(day__gte=first).aggregate(used=Sum("cost_micros"))["used"]
        for rows in _uses_of(budget)
    ]
    return sum(int(used or 0) for used in found)


def window_now(budget: Budget) -> Span:
    """Return the window that a budget is in."""
    return _span(budget, clock.now())


def refused_by(budget: Budget, *, limit: int = 20) -> list[Entry]:
    """Return the calls that a budget refused lately, the newest first."""
    entries = entries_of_subject(budget.ref).filter(verb=Verb.CALL_OVER_BUDGET.value)
    return list(entries.order_by("-id")[:limit])


def would_have_stopped(draft: BudgetDraft, zone: str) -> int | None:
    """Say how many calls of the last 30 days a budget like this would have stopped.

    By what calls cost in the end, one after the other; None for open calls, of which no
    history is kept. The draft is one that `checked` returned.
    """
    if draft.measure == "open_calls":
        return None
    used = {
        "cost": "coalesce(cost_micros, 0)",
        "tokens": "input_tokens + output_tokens",
        "requests": "1",
    }[draft.measure]
    where, values = _whose(draft)
    statement = (
        "SELECT count(*) FROM (SELECT sum(used) OVER (PARTITION BY"  # noqa: S608  names of code
        " date_trunc(%s, started_at AT TIME ZONE %s) ORDER BY started_at, id) AS running"
        f" FROM (SELECT id, started_at, {used} AS used FROM routing_call"
        f" WHERE started_at >= %s AND status <> 'denied'{where}"
        " ORDER BY started_at DESC LIMIT %s) AS calls) AS sums WHERE running > %s"
    )
    since = clock.now() - timedelta(days=PREVIEW_DAYS)
    given = [draft.period, zone, since, *values, _PREVIEWED, draft.cap]
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        return int(cursor.fetchone()[0])


def name_of(budget: Budget) -> str:
    """Return what people call a budget's subject."""
    return _names([budget])[budget.pk]


def _whose(draft: BudgetDraft) -> tuple[str, list[Any]]:
    where, values = {
        "organisation": ("", []),
        "agent": (" AND agent_id = %s", [draft.subject]),
        "route": (" AND route = %s", [draft.subject]),
        "vendor": (
            " AND vendor = (SELECT name FROM routing_vendor WHERE public_id = %s)",
            [draft.subject],
        ),
        "team": (
            " AND agent_id IN (SELECT a.public_id FROM registry_agent a JOIN registry_team t"
            " ON t.id = a.team_id WHERE t.slug = %s)",
            [draft.subject],
        ),
    }[draft.subject_kind]
    if draft.model:
        return f"{where} AND model = %s", [*values, draft.model]
    return where, values


def _uses_of(budget: Budget) -> list[QuerySet[Any]]:
    """Return the sums that a budget counts: of the agents' calls, and of ours in their place."""
    named = budget.subject_kind, budget.subject, budget.model
    return [_use_of(sums.objects.all(), *named) for sums in (UsageDay, UsageOwn)]


def _use_of(rows: QuerySet[Any], kind: str, subject: str, model: str) -> QuerySet[Any]:
    match kind:
        case "agent":
            rows = rows.filter(agent_id=subject)
        case "team":
            agents = Agent.objects.filter(team__slug=subject)
            rows = rows.filter(agent_id__in=agents.values("public_id"))
        case "route":
            rows = rows.filter(route=subject)
        case "vendor":
            named = Vendor.objects.filter(public_id=subject).values("name")
            rows = rows.filter(vendor__in=named)
        case _:  # the organisation: all of it
            pass
    return rows.filter(model=model) if model else rows


def _span(budget: Budget, now: datetime) -> Span:
    return span_of(budget.period, ZoneInfo(budget.time_zone), now)


def _standing(
    budget: Budget, names: dict[int, str], span: Span, window: BudgetWindow | None, now: datetime
) -> Standing:
    spent = window.spent if window is not None else 0
    held = window.held if window is not None else 0
    return Standing(budget, names[budget.pk], span, spent, held, _forecast(spent, span, now))


def _forecast(spent: int, span: Span, now: datetime) -> int | None:
    """Say what will be spent at the window's end if it goes on like this."""
    if span.ends_at is None or span.starts_at == EVER_SINCE or now - span.starts_at < _EARLY:
        return None
    whole = (span.ends_at - span.starts_at).total_seconds()
    return int(spent * whole / (now - span.starts_at).total_seconds())


def _names(budgets: list[Budget]) -> dict[int, str]:
    asked: dict[str, set[str]] = {}
    for budget in budgets:
        asked.setdefault(budget.subject_kind, set()).add(budget.subject)
    agents = Agent.objects.filter(public_id__in=asked.get("agent", ()))
    vendors = Vendor.objects.filter(public_id__in=asked.get("vendor", ()))
    teams = Team.objects.filter(slug__in=asked.get("team", ()))
    known = {
        "agent": dict(agents.values_list("public_id", "title")) if "agent" in asked else {},
        "vendor": dict(vendors.values_list("public_id", "name")) if "vendor" in asked else {},
        "team": dict(teams.values_list("slug", "name")) if "team" in asked else {},
    }
    return {
        budget.pk: "Everybody"
        if budget.subject_kind == Budget.SubjectKind.ORGANISATION
        else known.get(budget.subject_kind, {}).get(budget.subject, budget.subject)
        for budget in budgets
    }
