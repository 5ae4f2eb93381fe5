"""Reading runs, calls and what the ledger says of them.

What an agent sent and what it cost is for those who answer for it and those who govern.
To everybody else its runs do not exist: the same answer as for a run that never was.
"""

from __future__ import annotations

from typing import TypeVar

from django.db.models import Count, Max, OuterRef, Q, QuerySet, Subquery, Sum

from ledger.models import Entry
from registry.actors import Actor
from registry.models import Agent, Role
from registry.queries.agents import GOVERNING, agent_for, sees_inside
from routing.errors import CallsNotFound, RunNotFound
from routing.models import Call, Run

_Row = TypeVar("_Row", Run, Call)
FAILED = (Call.Status.ERROR, Call.Status.INCOMPLETE, Call.Status.UNKNOWN)
# Of rows, each of which is one attempt: an attempt after the first followed one that failed,
# so a call failed when one more of its attempts failed than were followed.
CALLS = Count("id", filter=Q(attempt=1))
ATTEMPTS = Count("id", filter=~Q(status=Call.Status.DENIED) & Q(is_shadow=False))
SHADOWS = Count("id", filter=Q(is_shadow=True))
SUBSTITUTED = Count("id", filter=Q(is_substituted=True))
FAILED_CALLS = Count("id", filter=Q(status__in=FAILED, is_shadow=False)) - Count(
    "id", filter=Q(attempt__gt=1)
)


def seen_agents(actor: Actor) -> QuerySet[Agent] | None:
    """Return the agents whose inside this viewer sees; None stands for all of them."""
    if actor.has(*GOVERNING):
        return None
    if actor.ref.kind == "agent":
        return Agent.objects.filter(public_id=actor.ref.id)
    if actor.person is None or not actor.has(Role.EMPLOYEE):
        return Agent.objects.none()
    return Agent.objects.filter(Q(owner=actor.person) | Q(backup_owner=actor.person))


def agents_of_seen_runs(actor: Actor) -> QuerySet[Agent] | None:
    """Return the agents whose runs this viewer sees: also those of the viewer's team.

    What was said in a run is for those who see an agent's inside; how it went, for the team.
    """
    seen = seen_agents(actor)
    person = actor.person
    if seen is None or person is None or person.team_id is None or not actor.has(Role.EMPLOYEE):
        return seen
    mine = Q(owner=person) | Q(backup_owner=person) | Q(team_id=person.team_id)
    return Agent.objects.filter(mine)


def agent_of_runs(actor: Actor, name: str) -> Agent:
    """Return one agent whose runs the viewer sees. Raises: AgentNotFound, CallsNotFound."""
    agent, seen = agent_for(actor, name), agents_of_seen_runs(actor)
    if seen is not None and not seen.filter(pk=agent.pk).exists():
        raise CallsNotFound
    return agent


def seen_agent(actor: Actor, name: str) -> Agent:
    """Return one agent whose inside the viewer sees. Raises: AgentNotFound, CallsNotFound."""
    agent = agent_for(actor, name)
    if not sees_inside(actor, agent):
        raise CallsNotFound
    return agent


def runs_for(actor: Actor, agent: Agent | None = None) -> QuerySet[Run]:
    """Return the runs this viewer may see, the newest first, each with its sums."""
    runs = _of_seen(Run.objects.all(), actor, agent)
    calls = Call.objects.filter(run_id=OuterRef("run_id")).values("run_id").order_by()
    return runs.annotate(
        agent_name=_agent_name(),
        call_count=Subquery(calls.annotate(value=CALLS).values("value")),
        failed_count=Subquery(calls.annotate(value=FAILED_CALLS).values("value")),
        attempt_count=Subquery(calls.annotate(value=ATTEMPTS).values("value")),
        shadow_count=Subquery(calls.annotate(value=SHADOWS).values("value")),
        substituted_count=Subquery(calls.annotate(value=SUBSTITUTED).values("value")),
        cost_micros=Subquery(calls.annotate(value=Sum("cost_micros")).values("value")),
        last_call_at=Subquery(calls.annotate(value=Max("started_at")).values("value")),
    ).order_by("-started_at", "-run_id")


def run_for(actor: Actor, name: str) -> Run:
    """Return a run by its id, or the newest that has this label. Raises: RunNotFound."""
    said = "" if "\x00" in name else name
    runs = runs_for(actor)
    found = runs.filter(run_id=said).first() or runs.filter(label=said).first()
    if found is None:
        raise RunNotFound(f"There is no run {name[:80]!r}, or you may not see it.")
    return found


def run_shown_to(actor: Actor, name: str) -> Run:
    """Return a run whose course this viewer may see, by id or label. Raises: RunNotFound.

    A wider circle than `run_for`: the agent's team is in it. What was said is not shown.
    """
    said = "" if "\x00" in name else name
    seen = agents_of_seen_runs(actor)
    runs = Run.objects.annotate(agent_name=_agent_name()).order_by("-started_at", "-run_id")
    if seen is not None:
        runs = runs.filter(agent_id__in=seen.values("public_id"))
    found = runs.filter(run_id=said).first() or runs.filter(label=said).first()
    if found is None:
        raise RunNotFound(f"There is no run {name[:80]!r}, or you may not see it.")
    return found


def can_read(actor: Actor, run: Run) -> bool:
    """Say whether the viewer may read what was said in a run, and not only how it went."""
    seen = seen_agents(actor)
    return seen is None or seen.filter(public_id=run.agent_id).exists()


def calls_for(actor: Actor, agent: Agent | None = None) -> QuerySet[Call]:
    """Return the calls this viewer may see, the newest first."""
    calls = _of_seen(Call.objects.all(), actor, agent)
    return calls.annotate(agent_name=_agent_name()).order_by("-started_at", "-id")


def calls_of(run: Run) -> QuerySet[Call]:
    """Return the calls of one run in the order they began."""
    return (
        Call.objects.filter(run_id=run.run_id)
        .annotate(agent_name=_agent_name())
        .order_by("started_at", "id")
    )


def entries_of(run: Run) -> QuerySet[Entry]:
    """Return what the ledger holds of one run, as it is committed at this moment."""
    return Entry.objects.filter(stream=run.run_id).order_by("id")


def _of_seen(rows: QuerySet[_Row], actor: Actor, agent: Agent | None) -> QuerySet[_Row]:
    if agent is not None:
        return rows.filter(agent_id=agent.public_id) if sees_inside(actor, agent) else rows.none()
    seen = seen_agents(actor)
    return rows if seen is None else rows.filter(agent_id__in=seen.values("public_id"))


def _agent_name() -> Subquery:
    return Subquery(Agent.objects.filter(public_id=OuterRef("agent_id")).values("name")[:1])
