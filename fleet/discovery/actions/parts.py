"""A file that comes in parts: each is put where it belongs, once, and a break loses nothing.

How much of the file lies there is what counts, so whoever was cut off asks, and goes on from
there. A part that begins anywhere else is refused with the place where it should, so no line
is there twice. One sender writes at a time. With the last byte the file is as one that came
whole: its digest names its evidence.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

from django.db import transaction
from django.db.models import F

from fleet.discovery.actions.readings import (
    MAX_UPLOAD,
    PIECE,
    end_reading,
    new_reading,
    place_of,
    waits_for,
)
from fleet.discovery.errors import (
    PartElsewhere,
    ReadingOver,
    UploadNotUsable,
    UploadTooLarge,
)
from fleet.discovery.models import Reading
from fleet.discovery.models.intake import UNDER_WAY
from fleet.discovery.queries.findings import DECIDING
from fleet.discovery.signs import FORMATS
from kernel import clock
from kernel.refs import new_id
from registry.actors import Actor

KEPT: Final = timedelta(days=2)


def open_upload(*, kind: str, title: str, size: int, actor: Actor) -> Reading:
    """Say that a file of so many bytes comes in parts.

    Records: nothing; that it is to be read is on record once it is here.
    Raises: RoleMissing, UploadNotUsable, UploadTooLarge.
    """
    actor.require(*DECIDING)
    if kind not in FORMATS:
        raise UploadNotUsable(f"The format is one of: {', '.join(FORMATS)}.")
    if size < 1:
        raise UploadNotUsable("The file is empty.")
    if size > MAX_UPLOAD:
        raise UploadTooLarge(f"A file has at most {MAX_UPLOAD // 2**30} GiB; split it.")
    public_id = new_id("rdg")
    os.close(os.open(place_of(public_id), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    return new_reading(public_id, kind, title, size, received=0, actor=actor)


def take_part(reading: Reading, pieces: Iterable[bytes], *, offset: int, actor: Actor) -> Reading:
    """Put a part of a file where it belongs; with the last one the file waits to be read.

    Records: reading.asked, with the last part. Raises: RoleMissing, ReadingOver, PartElsewhere,
    UploadTooLarge.
    """
    actor.require(*DECIDING)
    if not reading.is_coming:
        raise ReadingOver("Nothing of this file is missing, or it is not read any more.")
    with _held(place_of(reading.public_id)) as descriptor:
        there = os.fstat(descriptor).st_size
        if offset != there:
            raise PartElsewhere(f"The next part begins at byte {there}.", offset=there)
        try:
            _append(descriptor, pieces, room=reading.size - there)
        finally:
            # Also where the sender was cut off: what came is there, and is asked for no more.
            there = os.fstat(descriptor).st_size
            waiting = Reading.objects.filter(pk=reading.pk, state__in=UNDER_WAY)
            waiting.update(received=there)
        if there == reading.size:
            _complete(reading, descriptor, actor=actor)
    reading.refresh_from_db()
    return reading


def end_forgotten(*, actor: Actor) -> int:
    """End uploads whose rest did not come within two days. Records: reading.failed."""
    old = Reading.objects.filter(
        state__in=UNDER_WAY, received__lt=F("size"), asked_at__lt=clock.now() - KEPT
    )
    found = list(old[:100])
    for reading in found:
        end_reading(reading, why="The rest of the file did not come.", actor=actor)
    return len(found)


@transaction.atomic
def _complete(reading: Reading, descriptor: int, *, actor: Actor) -> None:
    """Have it read. Records: reading.asked."""
    digest = _digest(descriptor)
    waiting = Reading.objects.filter(pk=reading.pk, state=Reading.State.WAITING, sha256="")
    if waiting.update(sha256=digest):
        reading.sha256 = digest
        waits_for(reading, actor=actor)


@contextmanager
def _held(path: Path) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND)
    except FileNotFoundError:
        raise ReadingOver("The file is not on this machine any more. Begin anew.") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise PartElsewhere(
            "Another sender is writing this file. Wait, then ask how far it is."
        ) from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)  # and the lock with it, as when the process dies


def _append(descriptor: int, pieces: Iterable[bytes], *, room: int) -> None:
    for piece in pieces:
        if len(piece) > room:
            raise UploadTooLarge("This part has more bytes than the file was said to have.")
        room -= len(piece)
        view = memoryview(piece)
        while view:
            view = view[os.write(descriptor, view) :]
    os.fsync(descriptor)


def _digest(descriptor: int) -> str:
    digest, at = hashlib.sha256(), 0
    while piece := os.pread(descriptor, PIECE, at):
        digest.update(piece)
        at += len(piece)
    return digest.hexdigest()
