"""Summing runs: every call and every entry once, in the order that commits became visible.

Two cursors of (xid, id) follow the calls and the entries, as `routing.actions.usage` does:
only what lies below the oldest running transaction is taken. The rows that are summed and
the cursors move in one transaction under the lock of the cursors.
"""

from __future__ import annotations

import logging
from typing import Final

from django.db import connection, transaction

from kernel import clock
from registry.actors import Actor
from registry.models import Role
from routing.models import RunSummary, RunWord, UsageMark
from routing.queries.run_sums import CALLS, ENTRIES, Fresh, after, deltas_of, summed

logger = logging.getLogger("unsprawl.runs")

BATCH: Final = 2000
_WRITTEN: Final = [
    field.attname for field in RunSummary._meta.concrete_fields if not field.primary_key
]


def sum_runs(*, actor: Actor, batch: int = BATCH) -> int:
    """Sum every call and entry that has become final since the last time; return how many.

    Each batch is a transaction of its own, so a long backlog can be stopped anywhere.
    Records: nothing; a summary is an index of what is on the record already.
    Raises: RoleMissing.
    """
    actor.require(Role.PLATFORM)
    UsageMark.objects.bulk_create(
        [UsageMark(name=name, counted_at=clock.now()) for name in (CALLS, ENTRIES)],
        ignore_conflicts=True,
    )
    counted = 0
    while (taken := _sum_batch(batch)) > 0:
        counted += taken
    return counted


@transaction.atomic
def _sum_batch(batch: int) -> int:
    # The lock comes first and the rows in a later statement: its snapshot then sees all
    # that the holder before us has summed.
    rows = UsageMark.objects.select_for_update().filter(name__in=(CALLS, ENTRIES))
    marks = {mark.name: mark for mark in rows.order_by("name")}
    if any(_is_ahead(mark) for mark in marks.values()):
        # A dump restored into a new cluster begins its transaction ids anew.
        logger.error("runs.mark_ahead: entries are newer than this database's transactions")
        return 0
    fresh = after(marks, limit=batch, is_final=True)
    deltas = deltas_of(fresh)
    summaries, words = summed(deltas)
    RunSummary.objects.bulk_create(
        sorted(summaries, key=lambda row: row.run_id),
        update_conflicts=True, update_fields=_WRITTEN, unique_fields=["run_id"],
    )  # fmt: skip
    RunWord.objects.bulk_create(
        [RunWord(run_id=run_id, word=word) for run_id, word in sorted(words)],
        ignore_conflicts=True,
    )
    _move(marks, fresh)
    return len(fresh)


def _move(marks: dict[str, UsageMark], fresh: Fresh) -> None:
    now = clock.now()
    for name, last in ((CALLS, fresh.last_call), (ENTRIES, fresh.last_entry)):
        mark = marks[name]
        mark.counted_at = now
        if last is not None:
            mark.xid, mark.call_id = last
        mark.save(update_fields=["xid", "call_id", "counted_at"])


def _is_ahead(mark: UsageMark) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT %s > pg_snapshot_xmax(pg_current_snapshot())::text::bigint", [mark.xid]
        )
        return bool(cursor.fetchone()[0])
