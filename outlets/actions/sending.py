"""Taking a finished file to its target, in parts that are kept once they are acknowledged."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings

from kernel.errors import DomainError
from outlets.models import Export, Target
from outlets.queries.secrets import secret_of_holder
from outlets.targets.s3 import Bucket, StorageRefused, lock_until, part_bytes

Keep = Callable[..., None]


def send_part(export: Export, until: float, *, keep: Keep) -> None:
    """Send as much as the time allows; ``place`` says when all of it is there.

    Records: nothing; the file's making is on record, and its target with it.
    Raises: StorageRefused, AddressRefused, FetchFailed, CannotOpen, and OSError.
    """
    target = export.target
    assert target is not None  # noqa: S101  only what has one comes here
    path = settings.EXPORT_DIR / "working" / export.filename
    if target.kind == Target.Kind.DIRECTORY:
        keep(place=str(_copied(path, target, export.filename)))
        return
    _upload(export, target, path, until, keep)


def _copied(path: Path, target: Target, name: str) -> str:
    folder = settings.EXPORT_DIR / "kept" / target.prefix
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    under_way, final = folder / f".{name}.part", folder / name
    shutil.copyfile(path, under_way)
    with under_way.open("rb") as copied:
        os.fsync(copied.fileno())
    under_way.rename(final)
    _keep_name(folder)
    _keep_name(folder.parent)
    return str(final.relative_to(settings.EXPORT_DIR))


def _keep_name(folder: Path) -> None:
    """Have the disk know the file by its name before anybody is told that it is there."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def bucket_of(target: Target) -> Bucket:
    """Return a target's bucket with its secret opened, in memory only."""
    return Bucket(
        endpoint=target.endpoint,
        bucket=target.bucket,
        region=target.region or "us-east-1",
        access_key=target.access_key,
        secret=secret_of_holder(target.ref),
        allow_private=target.allow_private,
    )


def drop_upload(export: Export) -> None:
    """Abort what a cancelled or failed export had begun to upload.

    Records: nothing; that it was cancelled or failed is on record.
    """
    if export.target is None or not export.sent or export.place:
        return
    with suppress(DomainError):  # storage drops what is left of uploads by its own rules, too
        bucket_of(export.target).abort(export.sent["key"], export.sent["upload"])
    Export.objects.filter(pk=export.pk).update(sent=None)


def _upload(export: Export, target: Target, path: Path, until: float, keep: Keep) -> None:
    bucket = bucket_of(target)
    state: dict[str, Any] = export.sent or {}
    if not state:
        key = f"{target.prefix}{export.filename}"
        upload = bucket.begin(key, lock_until=lock_until(target.lock_days))
        state = {"key": key, "upload": upload, "tags": []}
        keep(sent=state)
    size = path.stat().st_size
    step = part_bytes(size)
    try:
        is_whole = _parts(bucket, state, path, step, until, keep)
        if is_whole:
            bucket.complete(state["key"], state["upload"], state["tags"])
    except StorageRefused as error:
        if error.facts.get("storage_code") == "NoSuchUpload":
            keep(sent=None)  # it was cleaned away there: begin anew
        raise
    if is_whole:
        keep(place=f"s3://{target.bucket}/{state['key']}")


def _parts(
    bucket: Bucket, state: dict[str, Any], path: Path, step: int, until: float, keep: Keep
) -> bool:
    with path.open("rb") as file:
        file.seek(len(state["tags"]) * step)
        while body := file.read(step):
            number = len(state["tags"]) + 1
            tag = bucket.put_part(state["key"], state["upload"], number, body)
            state["tags"] = [*state["tags"], tag]
            keep(sent=state)
            if time.monotonic() >= until:
                return file.tell() == path.stat().st_size
    return True
