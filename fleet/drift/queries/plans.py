"""Plans of probes as they are listed and found: for those who see the agent's runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from django.db.models import F, QuerySet, Sum
from django.db.models.functions import Coalesce

from fleet.drift.errors import PlanNotFound, WatchNotFound
from fleet.drift.models import Change, Probe, ProbePlan, Round, Watch
from fleet.drift.queries.watches import watches_for
from fleet.evaluations.models import GoldenCase
from fleet.evaluations.queries.evaluations import may_evaluate
from registry.actors import Actor
from registry.models import Agent
from routing.errors import ModelNotFound
from routing.models import Model
from routing.queries.calls import agents_of_seen_runs

MOST_CASES: Final = 20


def plans_for(actor: Actor, *, ended: bool = False) -> QuerySet[ProbePlan]:
    """Return the plans that a viewer may see."""
    rows = ProbePlan.objects.select_related(
        "watch", "agent", "agent__owner", "agent__backup_owner", "agent__team", "model__vendor"
    )
    if not ended:
        rows = rows.filter(ended_at__isnull=True)
    seen = agents_of_seen_runs(actor)
    return rows if seen is None else rows.filter(agent__in=seen)


def plan_for(actor: Actor, public_id: str) -> ProbePlan:
    """Return one plan. Raises: PlanNotFound."""
    said = "" if "\x00" in public_id else public_id
    found = plans_for(actor, ended=True).filter(public_id=said).first()
    if found is None:
        raise PlanNotFound(f"There is no plan {said[:60]!r}, or you may not see it.")
    return found


def watch_for(actor: Actor, public_id: str) -> Watch:
    """Return one watch. Raises: WatchNotFound."""
    said = "" if "\x00" in public_id else public_id
    found = watches_for(actor).filter(public_id=said).first()
    if found is None:
        raise WatchNotFound(f"There is no watch {said[:60]!r}.")
    return found


def watched_model(watch: Watch) -> Model:
    """Return the model that a watch names. Raises: ModelNotFound."""
    rows = Model.objects.filter(vendor__name=watch.vendor, name=watch.model)
    found = rows.select_related("vendor").first()
    if found is None:
        raise ModelNotFound(f"{watch.vendor}/{watch.model} is not connected any more.")
    return found


def planners_of(actor: Actor, watch: Watch) -> list[Agent]:
    """Return the agents on a watch's route that the viewer may have asked, with cases to ask."""
    live = GoldenCase.objects.filter(route=watch.route, state=GoldenCase.State.LIVE)
    taken = ProbePlan.objects.filter(watch=watch, ended_at__isnull=True)
    rows = Agent.objects.filter(
        routes__contains=[watch.route], pk__in=live.values("agent")
    ).exclude(pk__in=taken.values("agent"))
    rows = rows.exclude(stage="retired").select_related("owner", "backup_owner").order_by("name")
    return [agent for agent in rows[:200] if may_evaluate(actor, agent)]


def askable_cases(agent: Agent, route: str) -> QuerySet[GoldenCase]:
    """Return the cases in use that can be judged without a judge model, on one route."""
    live = GoldenCase.objects.filter(agent=agent, route=route, state=GoldenCase.State.LIVE)
    return live.exclude(expects=GoldenCase.Expects.RUBRIC).select_related("agent").order_by("name")


def cases_of(plan: ProbePlan) -> list[GoldenCase]:
    """Return the cases that the next round asks: those named, as they read now, or all."""
    rows = askable_cases(plan.agent, plan.watch.route)
    if plan.cases:
        rows = rows.filter(name__in=plan.cases)
    return list(rows[:MOST_CASES])


def month_of(plan: ProbePlan, now: datetime) -> datetime:
    """Return when the plan's month began, in its own zone."""
    here = now.astimezone(ZoneInfo(plan.zone))
    return here.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def spent_of(plan: ProbePlan, now: datetime) -> int:
    """Return what a plan has used of its cap this month; what is not known counts as held."""
    rows = Probe.objects.filter(round__plan=plan, asked_at__gte=month_of(plan, now))
    found = rows.exclude(status=Probe.Status.REFUSED).aggregate(
        sum=Sum(Coalesce(F("cost_micros"), F("held_micros")))
    )
    return int(found["sum"] or 0)


def rounds_of(plan: ProbePlan, limit: int) -> list[Round]:
    """Return the newest rounds of a plan, the newest first, each with its probes."""
    rows = plan.rounds.order_by("-began_at").prefetch_related("probes")
    return list(rows[:limit])


def probes_of(plan: ProbePlan) -> QuerySet[Probe]:
    """Return what was asked."""
    return Probe.objects.filter(round__plan=plan).select_related("golden", "round")


def changes_of(plans: Sequence[ProbePlan], limit: int = 100) -> list[Change]:
    """Return what changed in the golden cases of some plans, the newest first."""
    rows = Change.objects.filter(plan__in=plans).select_related("watch", "plan")
    return list(rows.order_by("-seen_at", "-id")[:limit])
