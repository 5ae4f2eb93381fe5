"""How the log stands: sizes, lag, who signed and witnessed what, and what is wrong with it.

Every read here is of the tree's own tables and bounded, however many entries there are.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from django.db import connection

from kernel import clock
from ledger.models import Checkpoint, CheckpointSignature, Epoch, SequencerReport, Suspension

_MOST_WAITING: Final = 10_000
_LINES: Final = 1_000
_RECENT: Final = 200_000  # checkpoints looked at for the picture: at the fastest pace half a day
HOURS: Final = 24
# A sequencer that is alive signs within a second; a minute is the alarm.
LATE: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Signer:
    """What one key has signed last."""

    name: str
    size: int
    at: datetime


@dataclass(frozen=True, slots=True)
class KnownEpoch:
    """An epoch with the size its tree has."""

    epoch: Epoch
    size: int

    @property
    def public_key(self) -> str:
        return base64.b64encode(bytes(self.epoch.public_key)).decode()


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of the log at one moment."""

    epochs: tuple[KnownEpoch, ...]
    suspension: Suspension | None
    checkpoint: Checkpoint | None
    signed: Signer | None
    witnesses: tuple[Signer, ...]
    waiting: int
    oldest_waiting_at: datetime | None
    reports: dict[str, SequencerReport]
    seen_at: datetime

    @property
    def newest(self) -> KnownEpoch | None:
        return self.epochs[0] if self.epochs else None

    @property
    def lag(self) -> timedelta:
        """Return for how long the oldest entry without a place has waited."""
        if self.oldest_waiting_at is None:
            return timedelta(0)
        return max(timedelta(0), self.seen_at - self.oldest_waiting_at)

    @property
    def is_late(self) -> bool:
        return self.lag > LATE

    @property
    def has_most_waiting(self) -> bool:
        return self.waiting >= _MOST_WAITING

    @property
    def unwitnessed(self) -> int:
        """Return how many entries of the newest tree no witness has covered yet."""
        size = self.checkpoint.size if self.checkpoint else 0
        return size - max((one.size for one in self.witnesses), default=0)


def suspension_now() -> Suspension | None:
    """Return why nothing may be recorded, while that is so."""
    newest = Epoch.objects.order_by("-number").values("number")[:1]
    return Suspension.objects.filter(epoch=newest).first()


def standing_now() -> Standing:
    """Look at the log."""
    epochs = tuple(
        KnownEpoch(epoch, _size_of(epoch.number)) for epoch in Epoch.objects.order_by("-number")
    )
    number = epochs[0].epoch.number if epochs else 0
    checkpoint = Checkpoint.objects.filter(epoch=number).order_by("-size").first()
    waiting, oldest = _waiting(checkpoint)
    reports = SequencerReport.objects.order_by("about", "-id").distinct("about")
    return Standing(
        epochs=epochs,
        suspension=suspension_now(),
        checkpoint=checkpoint,
        signed=next(iter(_signers(number, is_witness=False)), None),
        witnesses=tuple(_signers(number, is_witness=True)),
        waiting=waiting,
        oldest_waiting_at=oldest,
        reports={report.about: report for report in reports},
        seen_at=clock.now(),
    )


def growth_by_hour(epoch: int) -> list[tuple[datetime, int]]:
    """Return how many entries got their place in each of the last hours, oldest first."""
    first = clock.now().astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    first -= timedelta(hours=HOURS - 1)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT date_trunc('hour', sequenced_at, 'UTC'), min(size), max(size) FROM ("
            " SELECT size, sequenced_at FROM ledger_checkpoint WHERE epoch = %s"
            " ORDER BY size DESC LIMIT %s) recent GROUP BY 1 ORDER BY 1",
            [epoch, _RECENT],
        )
        rows = cursor.fetchall()
    # What lies before what was looked at belongs to no hour that is shown.
    earliest = rows[0][1] if rows else 0
    earlier = Checkpoint.objects.filter(epoch=epoch, size__lt=earliest).exists()
    grown, before = dict[datetime, int](), earliest if earlier else 0
    for hour, _, largest in rows:
        grown[hour], before = largest - before, largest
    hours = [first + timedelta(hours=each) for each in range(HOURS)]
    return [(hour, grown.get(hour, 0)) for hour in hours]


def _size_of(epoch: int) -> int:
    sizes = Checkpoint.objects.filter(epoch=epoch).order_by("-size").values_list("size", flat=True)
    return sizes.first() or 0


def _signers(epoch: int, *, is_witness: bool) -> list[Signer]:
    """Return what each key has signed last, among the newest lines."""
    lines = CheckpointSignature.objects.filter(epoch=epoch, is_witness=is_witness)
    found = dict[str, Signer]()
    for line in lines.order_by("-size")[:_LINES]:
        found.setdefault(line.signer, Signer(line.signer, line.size, line.signed_at))
    return list(found.values())


def _waiting(checkpoint: Checkpoint | None) -> tuple[int, datetime | None]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), min(recorded_at) FROM (SELECT recorded_at FROM ledger_entry e"
            " WHERE id > %(after)s"
            " AND NOT EXISTS (SELECT FROM ledger_leaf l WHERE l.entry = e.id)"
            " ORDER BY id LIMIT %(most)s) waiting",
            {
                # Ids commit out of order, so a little below the newest is looked at too.
                "after": checkpoint.entry - _MOST_WAITING if checkpoint else 0,
                "most": _MOST_WAITING,
            },
        )
        count, oldest = cursor.fetchone() or (0, None)
    return count, oldest
