"""Watching what gateways saw: an hour at a time, compared with the week before, told when it rose.

No probe is sent and nothing is paid: every figure is of calls that agents made anyway. One
hour is counted once, when it is over; the newest 24 hours are compared with the seven days
before them. A change is told once, and is over when its figure is as it was.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction

from fleet.drift.actions.telling import end_change, say_change
from fleet.drift.detecting import Share, Verdict, compared
from fleet.drift.models import Change, Hour, Watch
from kernel import clock
from kernel.refs import new_id
from registry.actors import Actor

RECENT: Final = timedelta(hours=24)
REFERENCE: Final = timedelta(days=7)
KEPT: Final = timedelta(days=90)
_HOUR: Final = timedelta(hours=1)

# A call is counted once, by its last attempt; what was refused or never left says nothing, and
# what we ask ourselves is not what agents meet.
_COUNTED: Final = """
    SELECT route, vendor, model, count(*), count(*) FILTER (WHERE status <> 'ok'),
           count(*) FILTER (WHERE is_substituted),
           coalesce(percentile_disc(0.5) WITHIN GROUP (ORDER BY duration_ms), 0),
           coalesce(percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_ms), 0),
           sum(input_tokens + output_tokens), coalesce(sum(cost_micros), 0)
    FROM routing_call
    WHERE started_at >= %(since)s AND started_at < %(until)s AND NOT is_shadow
      AND vendor <> '' AND made_for = '' AND status NOT IN ('denied', 'cancelled')
    GROUP BY 1, 2, 3
"""
# What counts as slow or dear is what 5 of 100 calls of the reference were.
_SHARES: Final = """
    WITH seen AS MATERIALIZED (
        SELECT started_at >= %(turn)s AS is_recent, status, is_substituted, duration_ms, cost_micros
        FROM routing_call
        WHERE route = %(route)s AND vendor = %(vendor)s AND model = %(model)s AND NOT is_shadow
          AND started_at >= %(since)s AND started_at < %(until)s
          AND made_for = '' AND status NOT IN ('denied', 'cancelled')
    ), bounds AS (
        SELECT percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_ms) AS slow,
               percentile_disc(0.95) WITHIN GROUP (ORDER BY cost_micros) AS dear
        FROM seen WHERE NOT is_recent AND status = 'ok'
    )
    SELECT is_recent, count(*), count(*) FILTER (WHERE status <> 'ok'),
           count(*) FILTER (WHERE is_substituted),
           count(*) FILTER (WHERE duration_ms > slow), count(*) FILTER (WHERE cost_micros > dear)
    FROM seen CROSS JOIN bounds GROUP BY 1
"""
_FIGURES: Final = (
    Change.Figure.ERRORS, Change.Figure.SUBSTITUTED, Change.Figure.SLOW, Change.Figure.DEAR,
)  # fmt: skip


def watch_calls(*, actor: Actor) -> int:
    """Count the hours that are over, and look whether a figure rose; return how many rose.

    Records: drift.seen and drift.over for each change.
    """
    now = clock.now()
    if not count_hours(now):
        return 0
    Hour.objects.filter(starts_at__lt=now - KEPT).delete()
    recent = Watch.objects.filter(last_at__gte=now - RECENT - _HOUR).order_by("id")
    return sum(_look(watch, now, actor) for watch in recent)


def count_hours(now: datetime) -> int:
    """Count each hour that is over and was not counted yet; return how many."""
    this = now.replace(minute=0, second=0, microsecond=0)
    last = Hour.objects.order_by("-starts_at").values_list("starts_at", flat=True).first()
    earliest = this - REFERENCE - RECENT
    first = earliest if last is None else max(last + _HOUR, earliest)
    hours = 0
    while first < this:
        _count(first)
        first, hours = first + _HOUR, hours + 1
    return hours


@transaction.atomic
def _count(hour: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_COUNTED, {"since": hour, "until": hour + _HOUR})
        rows = cursor.fetchall()
    for route, vendor, model, *figures in rows:
        watch, _ = Watch.objects.get_or_create(
            route=route,
            vendor=vendor,
            model=model,
            defaults={"public_id": new_id("wat"), "first_at": hour, "last_at": hour},
        )
        Watch.objects.filter(pk=watch.pk, last_at__lt=hour).update(last_at=hour)
        calls, failed, substituted, median, late, tokens, cost = (int(each) for each in figures)
        Hour.objects.get_or_create(
            watch=watch,
            starts_at=hour,
            defaults={
                "calls": calls,
                "failed": failed,
                "substituted": substituted,
                "median_ms": median,
                "late_ms": late,
                "tokens": tokens,
                "cost_micros": cost,
            },
        )


@transaction.atomic
def _look(watch: Watch, now: datetime, actor: Actor) -> int:
    shares = _shares(watch, now)
    rose = 0
    for place, figure in enumerate(_FIGURES):
        reference, recent = shares[False][place], shares[True][place]
        verdict = compared(reference, recent)
        rows = Change.objects.filter(watch=watch, figure=figure, over_at__isnull=True)
        standing = rows.filter(plan__isnull=True).select_related("watch").first()
        if standing is not None:
            _end_if_over(standing, verdict, recent, actor)
        elif verdict.is_alarm:
            _say(watch, figure, reference, recent, verdict, actor)
            rose += 1
    return rose


def _shares(watch: Watch, now: datetime) -> dict[bool, list[Share]]:
    found = {side: [Share(0, 0)] * len(_FIGURES) for side in (False, True)}
    asked: dict[str, Any] = {
        "route": watch.route, "vendor": watch.vendor, "model": watch.model, "until": now,
        "turn": now - RECENT, "since": now - RECENT - REFERENCE,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_SHARES, asked)
        for is_recent, whole, *parts in cursor.fetchall():
            found[is_recent] = [Share(part, whole) for part in parts]
    return found


def _end_if_over(standing: Change, verdict: Verdict, recent: Share, actor: Actor) -> None:
    # Half the way back is back: at the very bound it would begin and end by turns.
    half = (standing.before + standing.after) / 2
    if verdict.is_enough and recent.value <= half:
        end_change(standing, why="The figure is half the way back.", actor=actor)


def _say(
    watch: Watch, figure: Change.Figure, reference: Share, recent: Share, verdict: Verdict,
    actor: Actor,
) -> None:  # fmt: skip
    change = Change(
        public_id=new_id("chg"),
        watch=watch,
        figure=figure,
        before=reference.value,
        after=recent.value,
        calls=recent.whole,
        score=verdict.score,
        seen_at=clock.now(),
        said=f"{_percent(recent.value)} of {recent.whole} calls in 24 hours, after"
        f" {_percent(reference.value)} of {reference.whole} in the seven days before.",
    )
    say_change(change, actor=actor)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
