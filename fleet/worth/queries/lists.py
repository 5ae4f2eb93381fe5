"""Standings and lists, as far as a viewer sees the agents inside."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, F, QuerySet, Sum

from fleet.worth.errors import NotListed, QuarterNotFound
from fleet.worth.models import Answer, DeclaredValue, Listed, Quarter, Standing, WorthMark
from registry.actors import Actor
from registry.models import Agent
from routing.queries.calls import seen_agents

DRAWN = 300  # agents in the picture: those that cost most


@dataclass(frozen=True, slots=True)
class Sums:
    """What the standings of a viewer come to."""

    agents: int
    cost_micros: int
    accepted_milli: int
    by_suggestion: dict[str, int]
    valued: int  # agents with a declared value


def standings_for(actor: Actor) -> QuerySet[Standing]:
    """Return the standings of the agents whose inside the viewer sees."""
    rows = Standing.objects.select_related("agent", "agent__owner", "agent__team").annotate(
        public_id=F("agent__public_id")
    )
    seen = seen_agents(actor)
    return rows if seen is None else rows.filter(agent__in=seen)


def sums_for(actor: Actor) -> Sums:
    """Return the sums of what the viewer sees, in two statements."""
    rows = standings_for(actor).order_by()
    told = rows.values("suggestion").annotate(
        number=Count("agent"), cost=Sum("cost_micros"), accepted=Sum("accepted_milli")
    )
    found = list(told)
    valued = DeclaredValue.objects.filter(ended_at__isnull=True)
    if (seen := seen_agents(actor)) is not None:
        valued = valued.filter(agent__in=seen)
    return Sums(
        agents=sum(row["number"] for row in found),
        cost_micros=sum(row["cost"] for row in found),
        accepted_milli=sum(row["accepted"] for row in found),
        by_suggestion={row["suggestion"]: row["number"] for row in found},
        valued=valued.values("agent").distinct().count(),
    )


def made_at() -> WorthMark | None:
    """Return when standings were last made."""
    return WorthMark.objects.filter(name="standings").first()


def quarters() -> list[Quarter]:
    """Return every list, the newest first."""
    return list(Quarter.objects.order_by("-since", "is_final")[:40])


def quarters_made(actor: Actor) -> QuerySet[Quarter]:
    """Return every list, for whoever is a person here: its lines are narrowed to what they see."""
    return Quarter.objects.all() if actor.roles else Quarter.objects.none()


def quarter_named(public_id: str) -> Quarter:
    """Return one list. Raises: QuarterNotFound."""
    found = Quarter.objects.filter(public_id=public_id[:80].replace("\0", "")).first()
    if found is None:
        raise QuarterNotFound
    return found


def listed_in(actor: Actor, quarter: Quarter) -> QuerySet[Listed]:
    """Return the rows of a list that the viewer sees, each with what was answered."""
    rows = Listed.objects.filter(quarter=quarter).prefetch_related("answers")
    seen = seen_agents(actor)
    return rows if seen is None else rows.filter(agent_id__in=seen.values("public_id"))


def listed_for(actor: Actor, public_id: str) -> Listed:
    """Return one row of a list. Raises: NotListed."""
    rows = Listed.objects.select_related("quarter")
    seen = seen_agents(actor)
    if seen is not None:
        rows = rows.filter(agent_id__in=seen.values("public_id"))
    found = rows.filter(public_id=public_id[:80].replace("\0", "")).first()
    if found is None:
        raise NotListed
    return found


def standing_for(agent: Agent) -> Standing | None:
    """Return where one agent stands; None before it was counted."""
    return Standing.objects.filter(agent=agent).first()


def newest_listed(agent: Agent) -> Listed | None:
    """Return the newest row about an agent."""
    rows = Listed.objects.filter(agent_id=agent.public_id).select_related("quarter")
    return rows.order_by("-quarter__made_at").first()


def contested(rows: QuerySet[Listed]) -> QuerySet[Listed]:
    """Return the rows that somebody contests and nobody has decided on."""
    said = rows.filter(answers__said=Answer.Said.CONTESTED)
    return said.exclude(answers__is_decision=True)


def answers_of(listed: Listed) -> dict[str, Answer | None]:
    """Return the owner's word and the decision."""
    rows = list(listed.answers.all())
    return {
        "answer": next((row for row in rows if not row.is_decision), None),
        "decision": next((row for row in rows if row.is_decision), None),
    }


def values_of(agent: Agent) -> list[DeclaredValue]:
    """Return the values declared for an agent that hold now."""
    rows = DeclaredValue.objects.filter(agent=agent, ended_at__isnull=True)
    return list(rows.order_by("action"))
