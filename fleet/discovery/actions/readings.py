"""Asking for a file to be read, and reading it: the worker's turn, with a lease.

A file lies under the export directory until it was read, and is removed then, whatever came
of it. A worker that dies leaves a lease behind; the next one begins anew, and since a file's
digest names its evidence, nothing is counted twice.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q

from fleet.discovery.actions.noting import Noted, note_sightings
from fleet.discovery.errors import (
    ReadingOver,
    UploadNotUsable,
    UploadTooLarge,
)
from fleet.discovery.models import Reading
from fleet.discovery.models.intake import UNDER_WAY
from fleet.discovery.queries.findings import DECIDING
from fleet.discovery.queries.own import own_traffic
from fleet.discovery.readers.formats import READERS
from fleet.discovery.readers.tally import NotReadable, Tally, TooLargeUnpacked
from fleet.discovery.scanning.repositories import read_archive
from fleet.discovery.scanning.scan_repository import redacted
from fleet.discovery.signs import FORMATS
from kernel import clock
from kernel.db import ring
from kernel.errors import DomainError
from kernel.refs import new_id
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor

logger = logging.getLogger("unsprawl.discovery")
MAX_UPLOAD: Final = 2 * 1024**3
LEASE: Final = timedelta(minutes=2)
SAVE_SECONDS: Final = 2.0
MOST_ATTEMPTS: Final = 3
PIECE: Final = 1024 * 1024


class Lost(Exception):
    """The reading was cancelled, or somebody else reads by now."""


def take_upload(pieces: Iterable[bytes], *, kind: str, title: str, actor: Actor) -> Reading:
    """Keep a file until the worker has read it.

    Records: reading.asked. Raises: RoleMissing, UploadNotUsable, UploadTooLarge.
    """
    actor.require(*DECIDING)
    if kind not in FORMATS:
        raise UploadNotUsable(f"The format is one of: {', '.join(FORMATS)}.")
    public_id = new_id("rdg")
    path = place_of(public_id)
    try:
        size, digest = _written(path, pieces)
        if not size:
            raise UploadNotUsable("The file is empty.")
        return _asked(public_id, kind, title, size, digest, actor)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _written(path: Path, pieces: Iterable[bytes]) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        for piece in pieces:
            size += len(piece)
            if size > MAX_UPLOAD:
                raise UploadTooLarge(f"A file has at most {MAX_UPLOAD // 2**30} GiB; split it.")
            digest.update(piece)
            file.write(piece)
    return size, digest.hexdigest()


@transaction.atomic
def _asked(public_id: str, kind: str, title: str, size: int, digest: str, actor: Actor) -> Reading:
    row = new_reading(public_id, kind, title, size, actor=actor, sha256=digest)
    waits_for(row, actor=actor)
    return row


def new_reading(  # noqa: PLR0913  the row, named
    public_id: str,
    kind: str,
    title: str,
    size: int,
    *,
    actor: Actor,
    sha256: str = "",
    received: int | None = None,
) -> Reading:
    """Make the row of a file. Records: nothing."""
    name = redacted("".join(each for each in title if each.isprintable()).strip()[:200])
    return Reading.objects.create(
        public_id=public_id,
        kind=kind,
        title=name.replace("\\", "/").rpartition("/")[2] or FORMATS[kind],
        size=size,
        sha256=sha256,
        received=received,
        asked_by=str(actor.ref),
        asked_at=clock.now(),
    )


def waits_for(row: Reading, *, actor: Actor) -> None:
    """Have a file that is here be read. Records: reading.asked."""
    facts: dict[str, Fact] = {"kind": row.kind, "size": row.size, "sha256": row.sha256}
    record(Verb.READING_ASKED, row.ref, actor=actor.ref, facts=facts, stream="discovery:readings")
    ring("discovery.carry_out_readings")


@transaction.atomic
def cancel_reading(reading: Reading, *, actor: Actor) -> Reading:
    """Stop a reading; what it found so far is not kept.

    Records: reading.cancelled. Raises: RoleMissing, ReadingOver.
    """
    actor.require(*DECIDING)
    moved = Reading.objects.filter(pk=reading.pk, state__in=UNDER_WAY).update(
        state=Reading.State.CANCELLED, finished_at=clock.now(), leased_until=None
    )
    if not moved:
        raise ReadingOver
    record(Verb.READING_CANCELLED, reading.ref, actor=actor.ref, stream="discovery:readings")
    place_of(reading.public_id).unlink(missing_ok=True)
    reading.refresh_from_db()
    return reading


def carry_out_readings(*, actor: Actor, most: int = 5) -> int:
    """Read files that wait, one after the other.

    Records: reading.done, reading.failed, as it applies.
    """
    done = 0
    while done < most and (reading := _claim()) is not None:
        done += 1
        try:
            _read(reading, actor)
        except Lost:
            place_of(reading.public_id).unlink(missing_ok=True)
        except (NotReadable, TooLargeUnpacked, DomainError, OSError) as error:
            end_reading(reading, why=_words(error), actor=actor)
    return done


@transaction.atomic
def _claim() -> Reading | None:
    now = clock.now()
    free = Q(leased_until__isnull=True) | Q(leased_until__lt=now)
    whole = Q(received__isnull=True) | Q(received=F("size"), sha256__gt="")
    rows = Reading.objects.select_for_update(skip_locked=True).filter(
        free, whole, state__in=UNDER_WAY, source__isnull=True
    )
    found = rows.order_by("asked_at", "pk").first()
    if found is not None:
        found.state = Reading.State.READING
        found.leased_until = now + LEASE
        found.attempts += 1
        found.save(update_fields=["state", "leased_until", "attempts"])
    return found


def _read(reading: Reading, actor: Actor) -> None:
    if reading.attempts > MOST_ATTEMPTS:
        raise NotReadable("The worker ended three times while it read this file.")
    lease = Lease(reading)
    tally = Tally(beat=lease.beat, own=own_traffic())
    with _opened(reading) as file:
        sightings = (
            read_archive(file, reading.title, tally)
            if reading.kind == "repository"
            else READERS[reading.kind](file, tally)
        )
        noted = note_sightings(lease.watched(sightings), source=reading.kind, batch=reading.sha256)
    conclude(reading, tally, noted, actor=actor)
    place_of(reading.public_id).unlink(missing_ok=True)


def _opened(reading: Reading) -> Any:
    try:
        return place_of(reading.public_id).open("rb")
    except FileNotFoundError:
        raise NotReadable(
            "The file is not on this machine. Give web and worker one UNSPRAWL_EXPORT_DIR."
        ) from None


@dataclass(slots=True)
class Lease:
    """The hold of this worker on a reading, prolonged while it goes on."""

    reading: Reading
    _at: float = field(default_factory=time.monotonic)

    def beat(self, tally: Tally) -> None:
        """Say how far it is, now and then. Raises Lost."""
        if time.monotonic() - self._at < SAVE_SECONDS:
            return
        self._at = time.monotonic()
        self.keep(reached=tally.reached, **_counts(tally))

    def keep(self, **changes: Any) -> None:
        until = clock.now() + LEASE
        held = Reading.objects.filter(
            pk=self.reading.pk, state=Reading.State.READING, leased_until=self.reading.leased_until
        )
        if not held.update(leased_until=until, **changes):
            raise Lost
        self.reading.leased_until = until

    def watched(self, sightings: Iterable[Any]) -> Iterable[Any]:
        """Pass sightings on, while the lease holds."""
        for each in sightings:
            if time.monotonic() - self._at >= SAVE_SECONDS:
                self._at = time.monotonic()
                self.keep()
            yield each


@transaction.atomic
def conclude(reading: Reading, tally: Tally, noted: Noted, *, actor: Actor) -> None:
    """Say what a reading came to.

    Records: reading.done.
    """
    counts = _counts(tally)
    moved = Reading.objects.filter(pk=reading.pk, state=Reading.State.READING).update(
        state=Reading.State.DONE,
        finished_at=clock.now(),
        leased_until=None,
        reached=reading.size or tally.reached,
        found=len(noted.found),
        seen_again=len(noted.again),
        known=noted.known,
        **counts,
    )
    if not moved:
        raise Lost
    facts: dict[str, Fact] = {
        "kind": reading.kind,
        "found": len(noted.found),
        "seen_again": len(noted.again),
        "understood": tally.understood,
        "malformed": tally.malformed,
        "overflow": tally.overflow,
    }
    record(Verb.READING_DONE, reading.ref, actor=actor.ref, facts=facts,
           stream="discovery:readings")  # fmt: skip


@transaction.atomic
def end_reading(reading: Reading, *, why: str, actor: Actor) -> None:
    """Say that a file could not be read; it is removed.

    Records: reading.failed.
    """
    moved = Reading.objects.filter(pk=reading.pk, state__in=UNDER_WAY).update(
        state=Reading.State.FAILED, failure=why, finished_at=clock.now(), leased_until=None
    )
    if moved:
        facts: dict[str, Fact] = {"kind": reading.kind, "why": why}
        record(Verb.READING_FAILED, reading.ref, actor=actor.ref, facts=facts,
               stream="discovery:readings")  # fmt: skip
    place_of(reading.public_id).unlink(missing_ok=True)


def _counts(tally: Tally) -> dict[str, Any]:
    return {
        "lines": tally.lines,
        "understood": tally.understood,
        "passed": tally.passed,
        "malformed": tally.malformed,
        "overflow": tally.overflow,
        "ours": tally.ours,
        "samples": list(tally.samples),
    }


def _words(error: Exception) -> str:
    if isinstance(error, TooLargeUnpacked):
        return "It unpacks to far more than anything honest does."
    if isinstance(error, DomainError):
        return error.detail
    return str(error) if isinstance(error, NotReadable) else f"The disk: {type(error).__name__}."


def place_of(public_id: str) -> Path:
    """Return where a file lies until it was read."""
    folder: Path = settings.EXPORT_DIR / "readings"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / public_id
