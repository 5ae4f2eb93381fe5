"""How an agent's actions were judged by people, and what that leads to."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from approvals.models import Review
from approvals.queries import open_review_of
from effects.launch.evidence import last_demotion
from effects.launch.figures import Figures, Share
from effects.launch.measuring import (
    DAYS,
    NEWEST,
    has_acted,
    measure_days,
    measure_newest,
    measure_stage,
)
from effects.launch.minimum import Minimum, minimum_for, missing_of
from fleet.views.frame import agent_page
from registry.actors import Actor
from registry.models import Agent
from registry.portal import signed_in
from registry.queries import agent_inside_for


@signed_in
@require_GET
def launch(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Show the figures of an agent's actions, and what live asks of them."""
    return launch_of(request, actor, agent_inside_for(actor, name))


def launch_of(
    request: HttpRequest, actor: Actor, agent: Agent, *, status: int = 200, **given: Any
) -> HttpResponse:
    """Render the page, with what was written and refused where there is something."""
    minimum = minimum_for(agent.risk_tier)
    context: dict[str, Any] = {"minimum": minimum, "has_acted": has_acted(agent)}
    if context["has_acted"]:
        days, newest, now = measure_days(agent), measure_newest(agent), measure_stage(agent)
        latest = {one.operation: one for one in newest.operations}
        context |= {
            "days": DAYS,
            "newest": NEWEST,
            "total": days.total,
            "total_newest": newest.total,
            "rows": [(one, latest.get(one.operation)) for one in days.operations],
            "chart": [
                _drawn("All together", now.total, minimum),
                *(_drawn(one.operation, one, minimum) for one in now.operations),
            ],
            "missing": missing_of(now, minimum),
        }
    if agent.stage == Agent.Stage.SOFT_LAUNCH:
        context["demotion"] = last_demotion(agent)
        context["asked"] = open_review_of(str(agent.ref), Review.Kind.PROMOTION)
    return agent_page(request, actor, agent, "launch", context | given, status=status)


def _drawn(label: str, figures: Figures, minimum: Minimum) -> dict[str, Any]:
    """Lay an agreement and its interval out on a line from 0 to 100 %."""
    share = figures.agreement
    lower, upper = 100 * share.lower, 100 * share.upper
    return {
        "label": label,
        "share": share,
        "lower": round(lower, 2),
        "width": round(upper - lower, 2),
        "at": None if share.value is None else round(100 * share.value, 2),
        "asked": minimum.agreement,
        "tone": _tone(share, minimum),
        "said": _said(share),
    }


def _tone(share: Share, minimum: Minimum) -> str:
    if share.value is None:
        return "neutral"
    return "success" if share.value * 100 >= minimum.agreement else "warning"


def _said(share: Share) -> str:
    if share.value is None:
        return "nothing decided yet"
    return (
        f"{share.part} of {share.whole} approved unchanged;"
        f" 95 % sure: {int(100 * share.lower)} to {-int(-100 * share.upper // 1)} %"
    )
