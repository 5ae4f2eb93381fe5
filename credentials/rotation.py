"""Rotating a ring: a new key, every row sealed anew to it, the old keys destroyed.

Each step is committed before the next and safe to repeat, so a rotation that was cut off
is resumed by asking for it again. A key is retired in the database before it is destroyed
on the disk: whoever still seals to it is refused, and nothing can be left unopenable.
Ciphertexts are never touched, only the small keys that open them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet

from credentials import broker
from credentials.broker import RingKeeper
from credentials.errors import RotationUnderWay
from credentials.models import RingRotation, Secret
from kernel import clock
from kernel.refs import Ref
from kernel.sealing import CannotOpen, PublicRing, add_ring_key, drop_ring_keys, next_ring_key
from ledger import datakeys
from ledger.models import DataKey, RetiredRingKey
from ledger.record import record
from ledger.verbs import Verb

BATCH = 200

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Rotated:
    """What a rotation did. While some rows could not be opened, it is not finished."""

    ring: str
    ring_key_id: str
    rows: int
    dropped: tuple[str, ...]
    unopened: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    """The rows whose data keys a ring seals: secrets and payload keys rotate alike."""

    rows: QuerySet[Any]
    name: str
    identity: Callable[[Any], bytes]


def rotate_ring(
    ring: str,
    *,
    actor: Ref,
    keep_old: bool = False,
    settle_seconds: float = 0.0,
    progress: Progress = lambda _: None,
) -> Rotated:
    """Give a ring a new key and bring every row to it, or go on where that was cut off.

    Old keys are destroyed at the end, once nothing is sealed to them; ``settle_seconds``
    gives other processes time to notice the new key before that.

    Records: ring.rotated. Raises: RotationUnderWay, RingUnreadable.
    """
    with _alone(ring):
        return _Rotation(ring, settings.KEYS_DIR, actor, progress).run(
            keep_old=keep_old, settle_seconds=settle_seconds
        )


class _Rotation:
    def __init__(self, ring: str, directory: Path, actor: Ref, progress: Progress) -> None:
        self.ring, self.directory, self.actor, self.say = ring, directory, actor, progress
        self.kept = _kept_by(ring)
        self.unopened: list[str] = []

    def run(self, *, keep_old: bool, settle_seconds: float) -> Rotated:
        rotation = self._begin()
        target = rotation.ring_key_id
        if PublicRing.load(self.directory, self.ring).active != target:
            add_ring_key(self.directory, self.ring, target)
        self.say(f"key {target} is active")
        keeper = RingKeeper(self.directory, self.ring)
        self._rewrap(keeper, target)
        old: tuple[str, ...] = ()
        if not (self.unopened or keep_old):
            time.sleep(settle_seconds)
            old = self._retire(keeper, target)
            drop_ring_keys(self.directory, self.ring, set(old))
            self.say(f"old keys destroyed: {', '.join(old) or 'none'}")
        if not self.unopened:
            self._finish(rotation, old)
        rows = self.kept.rows.filter(ring_key_id=target).count()
        return Rotated(self.ring, target, rows, old, tuple(self.unopened))

    def _begin(self) -> RingRotation:
        unfinished = RingRotation.objects.filter(ring=self.ring, finished_at__isnull=True).first()
        if unfinished is not None:
            self.say(f"going on with the rotation to {unfinished.ring_key_id}")
            return unfinished
        target = next_ring_key(self.directory, self.ring)
        begun = RingRotation.objects.create(
            ring=self.ring,
            ring_key_id=target,
            started_by=str(self.actor),
            started_at=clock.now(),
        )
        self.say(f"rotation to {target} begun")
        return begun

    def _rewrap(self, keeper: RingKeeper, target: str) -> None:
        """Bring every row to the target; those that do not open are noted and left alone."""
        done, last = 0, ""
        while True:
            left = self.kept.rows.exclude(ring_key_id=target)
            after = left.filter(**{f"{self.kept.name}__gt": last}).order_by(self.kept.name)
            batch = list(after[:BATCH])
            if not batch:
                return
            with transaction.atomic():
                done += sum(self._rewrap_one(keeper, row) for row in batch)
            last = getattr(batch[-1], self.kept.name)
            self.say(f"{done} rows sealed to {target}")

    def _rewrap_one(self, keeper: RingKeeper, row: Any) -> bool:
        try:
            ring_key_id, wrapped = keeper.rewrap(
                row.ring_key_id, bytes(row.wrapped_key), self.kept.identity(row)
            )
        except CannotOpen:
            self.unopened.append(getattr(row, self.kept.name))
            return False
        # Compare and set: a row that somebody shredded or sealed anew meanwhile is theirs.
        unchanged = self.kept.rows.filter(
            pk=row.pk, ring_key_id=row.ring_key_id, wrapped_key=row.wrapped_key
        )
        return bool(unchanged.update(ring_key_id=ring_key_id, wrapped_key=wrapped))

    def _retire(self, keeper: RingKeeper, target: str) -> tuple[str, ...]:
        """Close the old keys for good, after a last look under the lock that writers share."""
        old = tuple(sorted(set(PublicRing.load(self.directory, self.ring).keys) - {target}))
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(hashtext('unsprawl.ring'), hashtext(%s))", [self.ring]
            )
            self._rewrap(keeper, target)
            if self.unopened:
                return ()
            RetiredRingKey.objects.bulk_create(
                [
                    RetiredRingKey(ring=self.ring, ring_key_id=key, retired_at=clock.now())
                    for key in old
                ],
                ignore_conflicts=True,
            )
        self.say(f"old keys retired: {', '.join(old) or 'none'}")
        return old

    @transaction.atomic
    def _finish(self, rotation: RingRotation, old: tuple[str, ...]) -> None:
        rotation.finished_at = clock.now()
        rotation.save(update_fields=["finished_at"])
        target = rotation.ring_key_id
        rows = self.kept.rows.filter(ring_key_id=target).count()
        record(
            Verb.RING_ROTATED,
            Ref("ring", self.ring),
            actor=self.actor,
            facts={"ring": self.ring, "key": target, "rows": rows, "destroyed": list(old)},
        )


def _kept_by(ring: str) -> _Kept:
    if ring == RingRotation.Ring.PAYLOAD:
        return _Kept(
            DataKey.objects.filter(state=DataKey.State.ACTIVE),
            "dek_id",
            lambda row: datakeys.identity(row.dek_id, row.scope, row.data_class),
        )
    return _Kept(
        Secret.objects.filter(ring=ring),
        "public_id",
        lambda row: broker.identity(row.public_id, row.ring, row.holder, row.version),
    )


@contextmanager
def _alone(ring: str) -> Iterator[None]:
    """Hold a session lock, so that two operators do not rotate one ring at a time."""
    place = ["unsprawl.rotation", ring]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtext(%s), hashtext(%s))", place)
        row = cursor.fetchone()
        if not (row and row[0]):
            raise RotationUnderWay(f"The ring {ring} is being rotated already.", ring=ring)
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(hashtext(%s), hashtext(%s))", place)
