"""The months that payloads lie in: made ahead, looked after, and dropped when nothing is left.

Dropping frees room and ends nothing: the database drops a month once the floor is behind it
and every key of it is destroyed, so nothing that could be read, or is held, ever goes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from django.db import OperationalError, connection, transaction

from kernel import clock
from kernel.clock import stamp
from kernel.db import refused_as
from kernel.refs import Ref, new_id
from ledger.entries import Fields
from ledger.errors import MonthKept
from ledger.models import DroppedMonth
from ledger.record import append
from ledger.retention.ages import floor_days
from ledger.retention.shredding import is_busy
from ledger.verbs import Verb

_PREFIX: Final = "ledger_payload_"
RULE: Final = "past the floor, and every key destroyed"


@dataclass(frozen=True, slots=True)
class Month:
    """One month of payloads, or of what is left of it."""

    name: str  # YYYY-MM
    starts_at: datetime
    ends_at: datetime
    bytes: int = 0
    payloads: int = 0  # about, as the database last counted; exact once dropped
    keys: int = 0
    alive: int = 0  # keys that open something
    may_go_at: datetime | None = None
    dropped_at: datetime | None = None
    entry: str = ""

    @property
    def is_past(self) -> bool:
        return self.ends_at <= clock.now()

    @property
    def is_due(self) -> bool:
        """Say whether nothing of it can be read any more, and the floor is behind it."""
        goes = self.may_go_at
        return self.dropped_at is None and not self.alive and bool(goes and goes <= clock.now())


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with the months, in words; empty when nothing is."""

    missing: bool
    in_default: bool

    @property
    def sentences(self) -> list[str]:
        said = []
        if self.missing:
            said.append("Next month has no partition: payloads will lie in the default one.")
        if self.in_default:
            said.append("Payloads lie in the default partition, which is never dropped.")
        return said


def keep_months_ahead() -> int:
    """Make the partitions of this month and the next twelve; return how many are new."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT ledger_keep_months_ahead()")
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def trouble() -> Trouble:
    """Look whether the next month is there, and whether anything lies in the default one."""
    now = clock.now()
    following = (now.replace(day=1) + timedelta(days=32)).strftime("%Y_%m")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT to_regclass(%s) IS NULL, pg_relation_size('ledger_payload_default') > 0",
            [f"{_PREFIX}{following}"],
        )
        missing, in_default = cursor.fetchone() or (True, False)
    return Trouble(missing, in_default)


def months() -> list[Month]:
    """Return every month that is kept or was dropped, the newest first."""
    floor = timedelta(days=floor_days())
    kept = {month.name: replace(month, may_go_at=month.ends_at + floor) for month in _kept()}
    dropped = {
        row.month: Month(
            row.month, row.starts_at, row.ends_at, row.bytes, row.payloads,
            dropped_at=row.dropped_at, entry=row.entry,
        )
        for row in DroppedMonth.objects.all()
    }  # fmt: skip
    return sorted((kept | dropped).values(), key=lambda month: month.name, reverse=True)


@transaction.atomic
def drop_month(name: str, *, actor: Ref) -> DroppedMonth:
    """Drop the payloads of a month that is due; the database says whether it is.

    Records: payloads.dropped. Raises: MonthKept; OperationalError when writers kept it
    waiting, after which it is tried again.
    """
    entry_id, floor = new_id("ent"), floor_days()
    kept = MonthKept(f"Payloads of {name} are kept: {RULE} is what it takes.", month=name)
    names = ("ledger_month_unknown", "ledger_month_readable", "ledger_retention_floor")
    with refused_as(dict.fromkeys(names, kept)), connection.cursor() as cursor:
        cursor.execute("SELECT * FROM ledger_drop_month(%s, %s)", [name, entry_id])
    row = DroppedMonth.objects.get(month=name)
    subject = Ref("payloads", name)
    append(
        Fields(
            kind="change",
            verb=Verb.PAYLOADS_DROPPED.value,
            actor=actor,
            subject=subject,
            recorded_at=clock.now(),
            facts={
                "from": _second(row.starts_at),
                "until": _second(row.ends_at),
                "payloads": row.payloads,
                "bytes": row.bytes,
                "floor": floor,
                "rule": RULE,
            },
            entry_id=entry_id,
        ),
        stream=str(subject),
    )
    return row


def drop_due_months(*, actor: Ref) -> list[str]:
    """Drop what is due, the oldest first; what is busy waits for the next time.

    Records: payloads.dropped for each.
    """
    dropped = []
    for month in reversed(months()):
        if not month.is_due:
            continue
        try:
            drop_month(month.name, actor=actor)
        except MonthKept:
            continue  # a key of the month before was still in use when it began
        except OperationalError as error:
            if not is_busy(error):
                raise
            break
        dropped.append(month.name)
    return dropped


def _kept() -> list[Month]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, pg_total_relation_size(c.oid), greatest(c.reltuples, 0)::bigint"
            " FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = 'ledger_payload'::regclass AND c.relname ~ %s",
            [rf"^{_PREFIX}\d{{4}}_\d{{2}}$"],
        )
        found = cursor.fetchall()
        cursor.execute(
            "SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM'), count(*),"
            " count(*) FILTER (WHERE state = 'active') FROM ledger_datakey"
            " WHERE scope <> '' GROUP BY 1"
        )
        keys = {row[0]: (row[1], row[2]) for row in cursor.fetchall()}
    return [
        _month(relation, size, rows, keys.get(_name(relation), (0, 0)))
        for relation, size, rows in found
    ]


def _month(relation: str, size: int, rows: int, keys: tuple[int, int]) -> Month:
    name = _name(relation)
    starts = datetime.strptime(name, "%Y-%m").replace(tzinfo=UTC)
    ends = (starts + timedelta(days=32)).replace(day=1)
    return Month(name, starts, ends, size, rows, *keys)


def _name(relation: str) -> str:
    return relation.removeprefix(_PREFIX).replace("_", "-")


def _second(moment: datetime) -> str:
    return stamp(moment)[:19] + "Z"
