"""How long it takes until what was found has an owner: the median, and the age of the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any, Final

from django.db.models import Count, Q

from fleet.discovery.models import Finding
from fleet.discovery.models.finding import OPEN
from fleet.discovery.queries.findings import findings_for
from kernel import clock
from registry.actors import Actor

WEEKS: Final = 12
_ANSWERED: Final = (Finding.State.CLAIMED, Finding.State.MERGED, Finding.State.BLOCKED)
_AGES: Final = ((7, "up to a week"), (14, "up to two weeks"), (30, "up to a month"))
_OLDER: Final = "longer"
_MOST: Final = 50_000


@dataclass(frozen=True, slots=True)
class Figures:
    """The state of discovery, for one viewer."""

    open: int
    overdue: int
    answered: int
    median_days: float | None
    claims: dict[str, Any]
    ages: list[dict[str, Any]]
    chart: dict[str, Any]
    sources: list[dict[str, Any]]


def waiting_for(actor: Actor) -> dict[str, int]:
    """Count what is open, and what is past its day, in one question."""
    rows = findings_for(actor).select_related(None).order_by().filter(state__in=OPEN)
    late = Q(state=Finding.State.ASSIGNED, due_on__lt=clock.now().date())
    counted: dict[str, int] = rows.aggregate(open=Count("pk"), overdue=Count("pk", filter=late))
    return counted


def figures_for(actor: Actor) -> Figures:
    """Count what this viewer may see."""
    now = clock.now()
    rows = findings_for(actor).select_related(None).order_by()
    waiting = rows.filter(state__in=OPEN)
    answered = rows.filter(state__in=_ANSWERED).exclude(settled_by="system:discovery")
    pairs = answered.order_by("-settled_at").values_list("found_at", "settled_at")[:_MOST]
    answers = [(found, settled) for found, settled in pairs if settled is not None]
    taken = [(settled - found) / timedelta(days=1) for found, settled in answers]
    ages: Counter[str] = Counter()
    for found in waiting.values_list("found_at", flat=True)[:_MOST]:
        days = (now - found).days
        ages[next((word for most, word in _AGES if days <= most), _OLDER)] += 1
    return Figures(
        open=waiting.count(),
        overdue=waiting.filter(state=Finding.State.ASSIGNED, due_on__lt=now.date()).count(),
        answered=len(taken),
        median_days=round(median(taken), 1) if taken else None,
        claims=_claims(answers),
        ages=[
            {"label": word, "value": ages[word]}
            for word in (*(word for _, word in _AGES), _OLDER)
            if ages[word]
        ],
        chart=_chart(rows),
        sources=_by_source(waiting),
    )


def _weeks() -> list[datetime]:
    now = clock.now()
    monday = (now - timedelta(days=now.weekday())).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    return [monday - timedelta(weeks=week) for week in reversed(range(WEEKS))]


def _claims(answers: list[tuple[datetime, datetime]]) -> dict[str, Any]:
    """Draw the median and the slowest, in days, of what people answered in each week."""
    starts, weeks = _weeks(), [list[float]() for _ in range(WEEKS)]
    for found, settled in answers:
        if settled >= starts[0]:
            place = min((settled - starts[0]).days // 7, WEEKS - 1)
            weeks[place].append((settled - found) / timedelta(days=1))
    return {
        "times": [int(start.timestamp()) for start in starts],
        "series": [
            {"label": "Slowest", "values": [_days(max, week) for week in weeks]},
            {"label": "Median", "values": [_days(median, week) for week in weeks]},
        ],
    }


def _days(measure: Callable[[list[float]], float], week: list[float]) -> float | None:
    return round(measure(week), 1) if week else None


def _chart(rows: Any) -> dict[str, Any]:
    starts = _weeks()
    found, settled = [0] * WEEKS, [0] * WEEKS
    recent = rows.filter(found_at__gte=starts[0]).values_list("found_at", flat=True)
    for at in recent[:_MOST]:
        found[(at - starts[0]).days // 7] += 1
    ended = rows.filter(settled_at__gte=starts[0]).values_list("settled_at", flat=True)
    for at in ended[:_MOST]:
        settled[(at - starts[0]).days // 7] += 1
    return {
        "times": [int(start.timestamp()) for start in starts],
        "series": [
            {"label": "Found", "values": found},
            {"label": "Settled", "values": settled},
        ],
    }


def _by_source(waiting: Any) -> list[dict[str, Any]]:
    counted: Counter[str] = Counter()
    for sources, number in waiting.values_list("sources").annotate(Count("pk")):
        for source in sources:
            counted[source] += number
    return [{"label": name, "value": number} for name, number in counted.most_common(8)]
