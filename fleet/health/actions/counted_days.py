"""Counting what was heard and asked into days: one statement for however many agents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.db import connection

from kernel import clock

_COUNTS: Final = ("beats", "late", "probes", "failed")
_ADD: Final = """
INSERT INTO health_healthday AS kept (agent_id, day, beats, late, probes, failed)
SELECT agent_id, %s, beats, late, probes, failed
FROM unnest(%s::bigint[], %s::int[], %s::int[], %s::int[], %s::int[])
     AS added (agent_id, beats, late, probes, failed)
ORDER BY agent_id
ON CONFLICT (agent_id, day) DO UPDATE SET
    beats = kept.beats + excluded.beats, late = kept.late + excluded.late,
    probes = kept.probes + excluded.probes, failed = kept.failed + excluded.failed
"""


def count_days(counts: Mapping[int, Mapping[str, int]]) -> None:
    """Add to the sums of today, by agent. Records: nothing; they are sums."""
    if not counts:
        return
    columns = [[each.get(name, 0) for each in counts.values()] for name in _COUNTS]
    with connection.cursor() as cursor:
        cursor.execute(_ADD, [clock.now().date(), list(counts), *columns])
