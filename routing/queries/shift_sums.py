"""What the arms of shifts came to: lately, and since their share was last changed.

Beside what is counted it reads the calls that are not: a transaction that runs for long holds
up the counting, and must not hold up whoever decides on the figures.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from django.db import connection
from django.db.models import Q

from routing.arm_sums import CALLS, COUNTED, NAMES, Sums
from routing.models import ShiftMinute, ShiftStep, UsageMark
from routing.models.shift import ARM_SUMS

Arms = dict[tuple[str, str], Sums]  # by shift and arm
_MARK: Final = "shift_calls"
_TAIL: Final = f"""
    SELECT shift, arm, {COUNTED} FROM (
        {CALLS} AND (xid, id) > (%(xid)s::text::xid8, %(call_id)s) AND shift = ANY(%(shifts)s)
    ) AS tail WHERE started_at >= %(since)s GROUP BY 1, 2
"""  # noqa: S608  names are code

_STEPS: Final = f"""
    SELECT began_at, arm, {", ".join(f"sum({name})::bigint" for name in ARM_SUMS)}
    FROM routing_shiftstep WHERE shift_id = ANY(%(shifts)s) GROUP BY 1, 2
"""  # noqa: S608  names are code
_STEP_TIMES: Final = """
    SELECT began_at, arm, place, sum(u.took)::bigint
    FROM routing_shiftstep, unnest(latencies) WITH ORDINALITY AS u(took, place)
    WHERE shift_id = ANY(%(shifts)s) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""


def sums_lately(shifts: Collection[str], since: datetime) -> Arms:
    """Return the sums of the minutes from a moment on."""
    minute = since.replace(second=0, microsecond=0)
    rows = ShiftMinute.objects.filter(shift_id__in=list(shifts), minute__gte=minute)
    return _whole(shifts, rows.values_list("shift_id", "arm", *NAMES), minute)


def sums_of_step(shifts: dict[str, datetime]) -> Arms:
    """Return the sums since each shift's share was last changed, by the shift's id."""
    wanted = Q(pk__in=[])
    moments = sorted(set(shifts.values()))
    for began in moments:
        wanted |= Q(
            shift_id__in=[name for name, at in shifts.items() if at == began], began_at=began
        )
    rows = ShiftStep.objects.filter(wanted).values_list("shift_id", "arm", *NAMES)
    return _whole(shifts, rows, moments[0]) if moments else {}


def sums_ever(shifts: Collection[str]) -> Arms:
    """Return all that was counted of shifts."""
    rows = ShiftStep.objects.filter(shift_id__in=list(shifts))
    return _whole(shifts, rows.values_list("shift_id", "arm", *NAMES), None)


def sums_by_step(shifts: Collection[str]) -> dict[datetime, dict[str, Sums]]:
    """Return what is counted of shifts together, by when their share was changed and by arm.

    Two statements and a few rows, however many shifts there are.
    """
    found: dict[datetime, dict[str, Sums]] = {}
    names = list(shifts)
    with connection.cursor() as cursor:
        cursor.execute(_STEPS, {"shifts": names})
        for began, arm, *values in cursor.fetchall():
            found.setdefault(began, {})[arm] = Sums(**dict(zip(ARM_SUMS, values, strict=True)))
        cursor.execute(_STEP_TIMES, {"shifts": names})
        for began, arm, _, count in cursor.fetchall():
            found[began][arm].latencies.append(int(count))
    return dict(sorted(found.items()))


def _whole(shifts: Collection[str], rows: Any, since: datetime | None) -> Arms:
    found: Arms = {}
    for shift, arm, *values in rows:
        found.setdefault((shift, arm), Sums()).add(values)
    if since is None or not shifts:
        return found
    mark = UsageMark.objects.filter(name=_MARK).values_list("xid", "call_id").first() or (0, 0)
    values = {"xid": mark[0], "call_id": mark[1], "shifts": list(shifts), "since": since}
    with connection.cursor() as cursor:
        cursor.execute(_TAIL, values)
        for shift, arm, *sums in cursor.fetchall():
            found.setdefault((shift, arm), Sums()).add(sums)
    return found
