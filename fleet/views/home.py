"""The home page: what needs a decision today, then how the fleet is doing.

Those who govern see the whole fleet; everybody else sees the agents they answer for, first.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from fleet.discovery.queries.figures import waiting_for
from fleet.queries.attention import Concern
from fleet.queries.home import PERIODS, Home, home_for
from fleet.queries.inventory import Figures, figures_of
from fleet.queries.record import record_notices
from fleet.queries.retiring import Retiring
from fleet.queries.trends import Change, Trend, dearest_teams, never_called, team_days, trend_for
from fleet.templatetags.calendars import tone_of
from fleet.templatetags.figures import compact, count, money, money_short, percent
from fleet.templatetags.states import look_of
from fleet.views.acting import acting_shown
from kernel.pages import asked, chosen
from registry.actors import Actor
from registry.models import Agent, Role, Team
from registry.portal import signed_in
from registry.queries import GOVERNING, teams_for
from registry.queries.directory import agents_of
from routing.budgeting import words
from routing.queries.budgets import nearing_for
from routing.queries.stops import in_force
from routing.queries.usage import UsedBy, usage_by_day

WINDOW_DAYS: Final = 180
LISTED: Final = 6
OWNED: Final = 12
SHOWN_STOPS: Final = 5
_CONCERNS: Final = {
    "suspended": ("Suspended", "pause", "error", "stage=suspended"),
    "unwell": ("Down or degraded", "heart-pulse", "error", ""),
    "failing": ("More than one call in ten fails", "triangle-alert", "error", ""),
    "key_expiring": ("A key expires within 14 days", "key-round", "warning", ""),
    "must_move": ("Must move off a model", "calendar-clock", "warning", "/campaigns/"),
    "to_sign": ("A cutover asks you to agree", "check", "warning", "/cutovers/?state=signing"),
    "ending": ("Ends within 14 days", "calendar-clock", "warning", ""),
    "unused": ("No call for 30 days", "clock", "neutral", ""),
    "drifting": ("Its model changed", "trending-down", "warning", "/drift/"),
    "to_retire": ("Suggested to retire", "scale", "neutral", "/worth/?suggestion=retire"),
    "never_called": ("May call, and has not yet", "hourglass", "neutral", ""),
}


@signed_in
@require_GET
def home(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show what needs somebody today."""
    shown = home_for(actor, days=_period(request), within_days=WINDOW_DAYS)
    trend = trend_for(actor)
    context = {
        "home": shown,
        "owned": _owned(actor),
        "record": record_notices(actor),
        "stops": list(in_force()[:SHOWN_STOPS]),
        "nearing": [(each, words(each.budget)) for each in nearing_for(actor)],
        "acting": acting_shown(actor),
        "unregistered": waiting_for(actor),
        "concerns": _concerns([*shown.concerns, never_called(actor)]),
        "retiring": [_ending(each) for each in shown.retiring],
        "tiles": _tiles(shown, trend),
        "stages": _stages(shown),
        "teams": _teams(shown),
        "dearest": _dearest(shown),
        "dearest_teams": _dearest_teams(actor),
        "month": trend.month,
        "may_register": actor.has(Role.EMPLOYEE, Role.PLATFORM),
        "may_connect": actor.has(Role.PLATFORM),
        "window_days": WINDOW_DAYS,
    }
    return render(request, "fleet/home.html", context | _use(request, actor, shown.days))


@signed_in
@require_GET
def use(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Answer the charts alone, for another period or team."""
    return render(request, "fleet/_home_use.html", _use(request, actor, None))


def _period(request: HttpRequest) -> int:
    return int(chosen(request, "days", [str(days) for days in PERIODS]) or 30)


def _use(request: HttpRequest, actor: Actor, known: list[UsedBy] | None) -> dict[str, Any]:
    teams = list(teams_for(actor).order_by("name")) if actor.has(*GOVERNING) else []
    team = next((each for each in teams if each.slug == asked(request, "team")), None)
    period = _period(request)
    days = known if known is not None and team is None else _days(actor, team, period)
    choice = f"&team={team.slug}" if team else ""
    return {
        "period": period,
        "periods": [(each, f"?days={each}{choice}") for each in PERIODS],
        "team": team,
        "team_options": teams,
        "calls_chart": _calls_chart(days),
        "cost_chart": _chart(days, "Spend", [day.used.cost_micros for day in days]),
        "error_chart": _chart(
            days, "Failed", [round(day.used.error_rate, 5) for day in days], "error"
        ),
    }


def _days(actor: Actor, team: Team | None, period: int) -> list[UsedBy]:
    if team is None:
        return usage_by_day(actor, days=period)
    return team_days(actor, team, days=period)


def _owned(actor: Actor) -> list[tuple[Agent, Figures | None, str]]:
    if actor.person is None:
        return []
    agents = list(agents_of(actor.person).filter(retired_at__isnull=True)[:OWNED])
    figures = figures_of(actor, agents)
    return [
        (
            agent,
            figures.get(agent.public_id),
            "owner" if agent.owner_id == actor.person.pk else "backup",
        )
        for agent in agents
    ]


def _concerns(concerns: list[Concern]) -> list[dict[str, Any]]:
    shown = []
    for concern in concerns:
        if not concern.count:
            continue
        title, icon, tone, query = _CONCERNS[concern.kind]
        url = f"{reverse('registry:agents')}?{query}" if query else ""
        if query.startswith("/"):
            url = query
        shown.append(
            {
                "title": title, "icon": icon, "tone": tone, "url": url,
                "count": concern.count, "agents": concern.agents,
                "others": concern.count - len(concern.agents),
            }
        )  # fmt: skip
    return sorted(shown, key=lambda one: list(_TONES).index(one["tone"]))


_TONES: Final = ("error", "warning", "neutral")


def _ending(model: Retiring) -> dict[str, Any]:
    when = f"{model.days_left} days left"
    if model.days_left < 0:
        when = f"ended {-model.days_left} days ago"
    elif model.days_left < 2:
        when = ("ends today", "1 day left")[model.days_left]
    return {
        "model": model,
        "label": model.model,
        "on": model.retires_on,
        "note": f"{when}, {model.agents} agent{'' if model.agents == 1 else 's'}",
        "when": when,
        "tone": tone_of(model.days_left),
        "url": reverse("routing:model", args=[model.model_id]),
    }


def _tiles(shown: Home, trend: Trend) -> list[dict[str, Any]]:
    used = [day.used for day in trend.days]
    live = shown.stages[Agent.Stage.LIVE]
    soft = shown.stages[Agent.Stage.SOFT_LAUNCH]
    tiles: list[dict[str, Any]] = [
        {
            "label": "Live agents" if shown.is_whole_fleet else "Your live agents",
            "value": count(live),
            "note": f"{count(soft)} in soft launch, {count(shown.agents)} in all",
            "url": f"{reverse('registry:agents')}?stage=live",
        },
        {
            "label": "Calls today",
            "value": compact(trend.today.calls),
            **_compared(
                trend.calls_week, "the week before", f"{compact(trend.yesterday.calls)} yesterday"
            ),
            "series": [day.calls for day in used],
            "spark_label": "Calls a day, last two weeks",
        },
        {
            "label": "Failed calls, 7 days",
            "value": percent(trend.error_rate_week.now),
            **_compared(
                trend.error_rate_week,
                "the week before",
                f"{count(trend.today.errors)} today",
                rising="error",
                falling="success",
            ),
            "series": [day.errors for day in used],
            "spark_label": "Failed calls a day, last two weeks",
            "tone": "error",
        },
        {
            "label": f"Spend in {trend.month:%B}",
            "value": money_short(int(trend.cost_month.now)),
            **_compared(trend.cost_month, "the same days of the month before"),
            "series": [day.cost_micros for day in used],
            "spark_label": "Spend a day, last two weeks",
            "tone": "accent",
        },
    ]
    return tiles


def _compared(
    change: Change, what: str, more: str = "", *, rising: str = "neutral", falling: str = "neutral"
) -> dict[str, str]:
    ratio = change.ratio
    if ratio is None:
        return {"delta": "", "delta_tone": "", "note": more or "nothing to compare with yet"}
    sign, tone = ("+", rising) if ratio > 0 else ("\u2212", falling)
    delta = "unchanged" if abs(ratio) < 0.0005 else f"{sign}{percent(abs(ratio), 0)}"
    note = f"against {what}; {more}" if more else f"against {what}"
    return {"delta": delta, "delta_tone": tone if delta != "unchanged" else "neutral", "note": note}


def _stages(shown: Home) -> list[dict[str, Any]]:
    agents = reverse("registry:agents")
    return [
        {
            "label": look_of(stage).label,
            "value": number,
            "url": f"{agents}?stage={stage}",
            "tone": look_of(stage).tone,
        }
        for stage, number in shown.stages.items()
        if number
    ]


def _teams(shown: Home) -> list[dict[str, Any]]:
    agents = reverse("registry:agents")
    return [
        {
            "label": team.name,
            "value": team.agents,
            "note": f"{team.stages[Agent.Stage.LIVE]} live",
            "url": f"{agents}?team={team.slug}" if team.slug else "",
        }
        for team in shown.teams[:LISTED]
    ]


def _dearest(shown: Home) -> list[dict[str, Any]]:
    return [
        {
            "label": each.name,
            "value": each.used.cost_micros,
            "display": money(each.used.cost_micros),
            "note": f"{compact(each.used.calls)} call{'' if each.used.calls == 1 else 's'}",
            "url": reverse("registry:agent", args=[each.name]) if "_" not in each.name else "",
        }
        for each in shown.dearest
        if each.used.cost_micros or each.used.calls
    ]


def _dearest_teams(actor: Actor) -> list[dict[str, Any]]:
    agents = reverse("registry:agents")
    return [
        {
            "label": name,
            "value": cost,
            "display": money(cost),
            "url": f"{agents}?team={slug}" if slug else "",
        }
        for name, slug, cost in dearest_teams(actor)
    ]


def _calls_chart(days: list[UsedBy]) -> dict[str, Any]:
    good = [max(day.used.calls - day.used.errors, 0) for day in days]
    return {
        "times": _times(days),
        "series": [
            {"label": "Answered", "values": good, "tone": "success"},
            {"label": "Failed", "values": [day.used.errors for day in days], "tone": "error"},
            {"label": "Denied", "values": [day.used.denied for day in days], "tone": "warning"},
        ],
    }


def _chart(days: list[UsedBy], label: str, values: list[Any], tone: str = "") -> dict[str, Any]:
    series = {"label": label, "values": values} | ({"tone": tone} if tone else {})
    return {"times": _times(days), "series": [series]}


def _times(days: list[UsedBy]) -> list[int]:
    return [int(datetime.fromisoformat(day.name).replace(tzinfo=UTC).timestamp()) for day in days]
