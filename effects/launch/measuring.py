"""Reading what people decided on an agent's actions, in a stretch of time or the newest so many.

People decided where a review was put to them: what policy or a check let pass or refused
says nothing of agreement, and is counted apart. No payload is opened.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Count, F, Q, QuerySet

from effects.launch.figures import Figures, Judged, Share, figures_of
from effects.models import Proposal
from kernel import clock
from registry.models import Agent

DAYS: Final = 30
NEWEST: Final = 50
# What one page adds up; an agent with more decisions in a month is judged by its newest.
MOST: Final = 5000
ALL: Final = ""  # how the sum of all operations is named

State = Proposal.State
# An edit is on the row before the answer is: who decided tells, not what was edited.
_BY_PEOPLE: Final = Q(decided_how=Proposal.Decided.PEOPLE)
_BY_TIME: Final = Q(decided_how=Proposal.Decided.TIME)
_BY_RULE: Final = Q(decided_how__in=(Proposal.Decided.POLICY, Proposal.Decided.CHECK))
_COUNTS: Final = ("expired", "refused", "waiting", "ended", "failed")
_ENDED: Final = (State.SUCCEEDED, State.FAILED, State.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Launch:
    """The figures of one agent: of each operation, and of all."""

    operations: tuple[Figures, ...]
    total: Figures
    since: datetime | None
    newest: int | None = None

    @property
    def is_empty(self) -> bool:
        return not self.operations


def has_acted(agent: Agent) -> bool:
    """Say whether an agent ever proposed anything: without, there is nothing to measure."""
    return Proposal.objects.filter(agent=agent).exists()


def measure_days(agent: Agent, days: int = DAYS) -> Launch:
    """Return the figures of the last so many days."""
    since = clock.now() - timedelta(days=days)
    proposals = Proposal.objects.filter(agent=agent, created_at__gte=since)
    return _launch(proposals, _judged(proposals, MOST), since=since)


def measure_newest(agent: Agent, newest: int = NEWEST, since: datetime | None = None) -> Launch:
    """Return the figures of the newest decisions, of those since a moment where one is given."""
    proposals = Proposal.objects.filter(agent=agent)
    if since is not None:
        proposals = proposals.filter(created_at__gte=since)
    return _launch(proposals, _judged(proposals, newest), since=since, newest=newest)


def measure_stage(agent: Agent) -> Launch:
    """Return the figures that count now: the newest decisions since the agent is in its stage."""
    return measure_newest(agent, since=agent.stage_changed_at)


def newest_effects(agent: Agent, since: datetime, newest: int) -> Share:
    """Return how many of the newest effects failed, or are not known."""
    ended = Proposal.objects.filter(agent=agent, created_at__gte=since, state__in=_ENDED)
    states = list(ended.order_by("-created_at", "-id").values_list("state", flat=True)[:newest])
    return Share(sum(state != State.SUCCEEDED for state in states), len(states))


def _judged(proposals: QuerySet[Proposal], most: int) -> list[Judged]:
    rows = (
        proposals.filter(_BY_PEOPLE, decided_at__isnull=False)
        .order_by("-decided_at", "-id")
        .values(
            "state", "action_digest", "decided_digest", "created_at", "decided_at",
            "correction__paths", "correction__paths_changed", "correction__words",
            "correction__words_changed",
            name=F("operation__name"), place=F("operation__connection__name"),
        )
    )  # fmt: skip
    return [_one(dict(row)) for row in rows[:most]]


def _one(row: dict[str, Any]) -> Judged:
    if row["state"] == State.DENIED:
        answer = "rejected"
    else:
        answer = "approved" if row["decided_digest"] == row["action_digest"] else "edited"
    is_measured = answer == "edited" and row["correction__paths"] is not None
    return Judged(
        operation=f"{row['place']}.{row['name']}",
        answer=answer,
        seconds=max((row["decided_at"] - row["created_at"]).total_seconds(), 0.0),
        paths=Share(row["correction__paths_changed"], row["correction__paths"])
        if is_measured
        else None,
        words=Share(row["correction__words_changed"], row["correction__words"])
        if is_measured
        else None,
    )


def _launch(
    proposals: QuerySet[Proposal],
    judged: Sequence[Judged],
    *,
    since: datetime | None,
    newest: int | None = None,
) -> Launch:
    rows = (
        proposals.values_list("operation__connection__name", "operation__name")
        .order_by("operation__connection__name", "operation__name")
        .annotate(
            expired=Count("id", filter=_BY_TIME & Q(state=State.EXPIRED)),
            refused=Count("id", filter=_BY_RULE & Q(state=State.DENIED)),
            waiting=Count("id", filter=Q(state=State.PROPOSED)),
            ended=Count("id", filter=Q(state__in=_ENDED)),
            failed=Count("id", filter=Q(state__in=(State.FAILED, State.UNKNOWN))),
        )
    )
    counted = {
        f"{place}.{name}": dict(zip(_COUNTS, counts, strict=True)) for place, name, *counts in rows
    }
    operations = tuple(
        figures_of(name, [one for one in judged if one.operation == name], counts)
        for name, counts in counted.items()
    )
    return Launch(operations, _total(judged, operations), since, newest)


def _total(judged: Sequence[Judged], operations: Iterable[Figures]) -> Figures:
    total = figures_of(ALL, judged)
    for each in operations:
        total = replace(
            total,
            expired=total.expired + each.expired,
            refused=total.refused + each.refused,
            waiting=total.waiting + each.waiting,
            ended=total.ended + each.ended,
            failed=total.failed + each.failed,
        )
    return total
