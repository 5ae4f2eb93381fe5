"""Making the list of a quarter: every agent with its evidence of that day, kept as it is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta

from django.conf import settings
from django.db import transaction

from fleet.telling.actions.telling import tell
from fleet.worth import rules
from fleet.worth.actions.standing import alike, standing_agents, standing_of
from fleet.worth.errors import AlreadyListed
from fleet.worth.models import Listed, Quarter
from fleet.worth.models.standing import Suggestion
from fleet.worth.queries.figures import Figures, figures_between
from kernel import clock
from kernel.db import refused_as
from kernel.refs import new_id
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Agent, Person, Role


def list_ended_quarter(*, actor: Actor) -> Quarter | None:
    """Make the list of the quarter that ended last, once; none where nothing ran before its end.

    Records: worth.listed. Raises: RoleMissing.
    """
    actor.require(Role.PLATFORM)
    since, until = quarter_before(clock.now().date())
    if Quarter.objects.filter(name=name_of(since), is_final=True).exists():
        return None
    if not standing_agents().filter(created_at__date__lt=until).exists():
        return None
    try:
        return _make(since, until, is_final=True, actor=actor)
    except AlreadyListed:
        return None  # another worker was first


def list_quarter_now(*, actor: Actor) -> Quarter:
    """Make a list of the quarter so far, to decide on before it ends.

    Records: worth.listed. Raises: RoleMissing, AlreadyListed.
    """
    actor.require(Role.PLATFORM)
    since, until = quarter_of(clock.now().date())
    return _make(since, until, is_final=False, actor=actor)


@transaction.atomic
def _make(since: date, until: date, *, is_final: bool, actor: Actor) -> Quarter:
    now, name = clock.now(), name_of(since)
    with refused_as({"worth_quarter_one_each": AlreadyListed(f"The list {name} is made.")}):
        quarter = Quarter.objects.create(
            public_id=new_id("qtr"), name=name, since=since, until=until, is_final=is_final,
            rules=_rules(), made_by=str(actor.ref), made_at=now,
        )  # fmt: skip
    agents = [agent for agent in standing_agents() if agent.created_at.date() < until]
    figures, like = figures_between(since, until), alike(agents)
    rows = []
    for agent in agents:
        found = figures.get(agent.public_id) or Figures(agent.public_id)
        standing = standing_of(agent, found, like, now)
        rows.append(
            Listed(
                public_id=new_id("lst"), quarter=quarter, agent_id=agent.public_id,
                agent_name=agent.name, title=agent.title, owner=agent.owner.email,
                team=agent.team.name if agent.team else "", suggestion=standing.suggestion,
                reasons=standing.reasons, cost_micros=standing.cost_micros,
                figures=standing.figures,
            )
        )  # fmt: skip
    Listed.objects.bulk_create(rows, batch_size=1000)
    record(
        Verb.WORTH_LISTED,
        quarter.ref,
        actor=actor.ref,
        facts={"quarter": name, "is_final": is_final, "agents": len(rows)},
    )
    _tell(quarter, agents, rows)
    return quarter


def _tell(quarter: Quarter, agents: Sequence[Agent], rows: Sequence[Listed]) -> None:
    """Tell each owner how many of their agents something is suggested for."""
    asked: dict[Person, list[str]] = defaultdict(list)
    for agent, row in zip(agents, rows, strict=True):
        if row.suggestion != Suggestion.KEEP:
            asked[agent.owner].append(f"{agent.name}: {row.suggestion}")
    for owner, lines in asked.items():
        tell(
            key=f"worth:{quarter.public_id}:{owner.public_id}",
            kind="worth",
            subject=quarter.ref,
            title=f"{quarter.name}: something is suggested for {len(lines)} of your agents",
            lines=sorted(lines),
            path=f"/worth/lists/{quarter.public_id}/",
            people=[owner],
        )


def quarter_of(day: date) -> tuple[date, date]:
    """Return the quarter a day lies in: its first day, and the first that is not in it."""
    month = 3 * ((day.month - 1) // 3) + 1
    since = day.replace(month=month, day=1)
    following = (since.year + 1, 1) if month == 10 else (since.year, month + 3)
    return since, date(*following, 1)


def quarter_before(day: date) -> tuple[date, date]:
    """Return the quarter before the one a day lies in."""
    since, _ = quarter_of(day)
    return quarter_of(since - timedelta(days=1))[0], since


def name_of(since: date) -> str:
    """Return how people call a quarter: 2026-Q4."""
    return f"{since.year}-Q{(since.month - 1) // 3 + 1}"


def _rules() -> dict[str, int]:
    return {
        **rules.facts(),
        "reviewer_minute_cents": settings.REVIEWER_MINUTE_CENTS,
        "review_minutes_cap": settings.REVIEW_MINUTES_CAP,
    }
