"""How long payloads are kept: ages by data class, the floor, and what would go when.

An age ends payloads by destroying their keys, so each class can have its own although all
lie in the same month. Without an age a class is kept without end. What ends at an age is
never less than the floor, and a shorter age takes effect after seven days: the database
sees to both.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import connection, transaction

from kernel import clock
from kernel.db import refused_as
from kernel.refs import Ref, new_id
from ledger.entries import Fields
from ledger.errors import AgeTooShort
from ledger.models import DataKey, RetentionAge, RetentionFloor
from ledger.record import append
from ledger.retention.models import LEAST_DAYS
from ledger.retention.shredding import BATCH, Shredded, shred
from ledger.verbs import Verb

OTHERS: Final = ""
NOTICE: Final = timedelta(days=7)
LONGEST_DAYS: Final = 36_500
# A key is used for an hour at most; the database takes as much and the same again.
IN_USE: Final = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class ClassAge:
    """How one class is kept now, and what comes."""

    data_class: str
    days: int | None
    is_own: bool
    next_days: int | None = None
    next_at: datetime | None = None
    keys: int = 0
    due: int = 0  # keys that are old enough now
    oldest_at: datetime | None = None

    @property
    def first_ends_at(self) -> datetime | None:
        """When the oldest payloads of the class end; None while they do not."""
        if self.days is None or self.oldest_at is None:
            return None
        return self.oldest_at + timedelta(days=self.days) + IN_USE


def floor_days() -> int:
    """Return the least number of days, as the database enforces it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_floor_days()")
        row = cursor.fetchone()
    return int(row[0]) if row else LEAST_DAYS


@transaction.atomic
def raise_floor(days: int) -> bool:
    """Raise the floor to what this installation is told; say whether it rose."""
    if days <= floor_days():
        return False
    RetentionFloor.objects.create(days=days, set_at=clock.now())
    return True


@transaction.atomic
def set_age(data_class: str, days: int | None, *, actor: Ref, reason: str) -> RetentionAge:
    """Say how long payloads of a class are kept; empty means every class without its own.

    Records: retention.set. Raises: AgeTooShort.
    """
    floor = floor_days()
    if days is not None and not floor <= days <= LONGEST_DAYS:
        raise AgeTooShort(
            f"An age has {floor} to {LONGEST_DAYS} days; payloads are kept for {floor} at least.",
            field="days",
        )
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_age_days(%s), now()", [data_class])
        before, now = cursor.fetchone() or (None, clock.now())
    is_shorter = days is not None and (before is None or days < before)
    effective_at = now + NOTICE if is_shorter else now
    entry_id = new_id("ent")
    refused = AgeTooShort("The database does not take this age.", field="days")
    with refused_as({"ledger_retention_floor": refused, "ledger_retention_notice": refused}):
        row = RetentionAge.objects.create(
            data_class=data_class,
            days=days,
            set_by=str(actor),
            set_at=now,
            effective_at=effective_at,
            entry=entry_id,
        )
    subject = Ref("retention", data_class or "others")
    append(
        Fields(
            kind="change",
            verb=Verb.RETENTION_SET.value,
            actor=actor,
            subject=subject,
            recorded_at=clock.now(),
            facts={
                "data_class": data_class or "others",
                "days": days,
                "before": before,
                "effective_at": effective_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "reason": reason,
            },
            entry_id=entry_id,
        ),
        stream=str(subject),
    )
    return row


def ages(classes: tuple[str, ...]) -> list[ClassAge]:
    """Return how each class is kept, with what is due; classes that have keys come along."""
    found = _keys_by_class()
    named = [*classes, *sorted(found.keys() - {*classes, OTHERS})]
    rows = list(RetentionAge.objects.order_by("id"))
    now = clock.now()
    return [_age(name, rows, found.get(name, (0, 0, None)), now) for name in [*named, OTHERS]]


def expire_keys(*, actor: Ref, most: int = 20 * BATCH) -> list[Shredded]:
    """Destroy the keys whose age has come, so many at most; held ones stay. Safe to repeat.

    Records: datakey.shredded for each batch. Raises: ShredJournalUnusable.
    """
    done: list[Shredded] = []
    for data_class in _classes_with_age():
        last: _Place = ("", None)
        while sum(one.keys for one in done) < most and (keys := _due(data_class, last)):
            with transaction.atomic():
                one = shred(
                    [dek for dek, _ in keys],
                    why="age",
                    subject=Ref("retention", data_class),
                    actor=actor,
                    facts={"data_class": data_class},
                )
            if one.keys:
                done.append(one)
            last = keys[-1]  # what is held stays behind
    return done


_Place = tuple[str, datetime | None]


def _classes_with_age() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT data_class FROM ledger_datakey WHERE state = 'active' GROUP BY 1"
            " HAVING ledger_age_days(data_class) IS NOT NULL ORDER BY 1"
        )
        return [row[0] for row in cursor.fetchall()]


def _due(data_class: str, after: _Place) -> list[_Place]:
    dek, at = after
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT dek_id, created_at FROM ledger_datakey"
            " WHERE state = 'active' AND data_class = %s"
            " AND created_at <= now() - interval '2 hours'"
            " - make_interval(days => ledger_age_days(%s))"
            " AND (%s::timestamptz IS NULL OR (created_at, dek_id) > (%s, %s))"
            " ORDER BY created_at, dek_id LIMIT %s",
            [data_class, data_class, at, at, dek, BATCH],
        )
        return list(cursor.fetchall())


def _keys_by_class() -> dict[str, tuple[int, int, datetime | None]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT data_class, count(*), count(*) FILTER (WHERE created_at <= now()"
            " - interval '2 hours' - make_interval(days => told.days)), min(created_at)"
            " FROM ledger_datakey JOIN LATERAL (SELECT ledger_age_days(data_class) AS days) told"
            " ON true WHERE state = %s GROUP BY data_class",
            [DataKey.State.ACTIVE],
        )
        return {row[0]: (row[1], row[2], row[3]) for row in cursor.fetchall()}


def _age(
    name: str,
    rows: list[RetentionAge],
    found: tuple[int, int, datetime | None],
    now: datetime,
) -> ClassAge:
    own = [row for row in rows if row.data_class == name]
    in_force = [row for row in own if row.effective_at <= now]
    is_own = bool(in_force) or name == OTHERS
    told = in_force or [row for row in rows if row.data_class == OTHERS and row.effective_at <= now]
    coming = [row for row in own if row.effective_at > now]
    newest = max([row.pk for row in in_force], default=0)
    waits = coming[-1] if coming and coming[-1].pk > newest else None
    days = told[-1].days if told else None
    return ClassAge(
        name,
        None if days is None else max(days, floor_days()),
        is_own,
        waits.days if waits else None,
        waits.effective_at if waits else None,
        *found,
    )
