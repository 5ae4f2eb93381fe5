"""Asking for exports, making small ones at once, cancelling, handing a file out.

Nothing leaves before it is on record that it does: a file is made whole, its hash and
counts are recorded with who wanted it and why, and only then are its bytes sent.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, Final

from django.conf import settings
from django.db import transaction

from kernel import clock
from kernel.db import ring
from kernel.refs import Ref, new_id
from ledger.entries import Fact
from ledger.exports.planning import make_plan, period_between
from ledger.exports.scope import OneAgent, Period, Scope
from ledger.exports.signing import ExportSigner
from ledger.exports.snapshot import snapshot
from ledger.exports.tally import Tally
from ledger.exports.writing import export
from ledger.models import Entry
from ledger.record import record
from ledger.verbs import Verb
from outlets.errors import (
    ExportNotReady,
    ExportNotWritable,
    ExportOver,
    ExportsBusy,
    ExportTooLarge,
    ReasonMissing,
    TargetNotFound,
)
from outlets.models import Export, Target
from outlets.queries.exports import OVERSEEING, may_fetch
from registry.actors import Actor
from registry.models import Role

AT_ONCE: Final = threading.BoundedSemaphore(4)
NOW_ENTRIES: Final = 50_000
NOW_BYTES: Final = 256 * 1024 * 1024
LONGEST_REASON: Final = 1000


@dataclass(frozen=True, slots=True)
class MadeFile:
    """A finished export in a file without a name: closed, it is gone."""

    file: IO[bytes]
    size: int
    sha256: str
    entries: int


def make_now(scope: Scope, *, actor: Actor, payloads: bool, reason: str = "") -> MadeFile:
    """Make a small export while its reader waits; whoever calls closes the file.

    Records: export.made. Raises: ExportTooLarge, ExportsBusy, ExportKeyMissing,
    ExportUnreadable, ExportNotWritable.
    """
    signer = ExportSigner(settings.KEYS_DIR, settings.PUBLIC_URL)
    with _one_of_few():
        file = _unnamed()
        try:
            with _said_by_the_disk():
                tally = _write(scope, signer, file, payloads=payloads)
                file.flush()
            made = MadeFile(file, tally.bytes, tally.sha256, tally.counts["entries"])
            with transaction.atomic():
                record_made(scope, tally.counts, made.sha256, actor=actor.ref, reason=reason)
        except BaseException:
            file.close()
            raise
    file.seek(0)
    return made


def _write(scope: Scope, signer: ExportSigner, file: IO[bytes], *, payloads: bool) -> Tally:
    tally = Tally(scope)
    with snapshot() as database:
        if isinstance(scope, Period) and not scope.ranges:
            scope = period_between(database, scope.begins_at, scope.ends_at)
        plan = make_plan(database, scope, payloads=payloads)
        for line in export(database, plan, signer, tally=tally):
            file.write(line)
            if tally.counts["entries"] > NOW_ENTRIES or tally.bytes > NOW_BYTES:
                raise ExportTooLarge(
                    f"It has more than {NOW_ENTRIES} entries or {NOW_BYTES // 2**20} MiB. "
                    "Ask for it under Exports (POST /api/v1/exports): it is made there in parts."
                )
    return tally


@contextmanager
def _one_of_few() -> Iterator[None]:
    if not AT_ONCE.acquire(blocking=False):
        raise ExportsBusy(retry_after_seconds=5)
    try:
        yield
    finally:
        AT_ONCE.release()


def _unnamed() -> IO[bytes]:
    folder = settings.EXPORT_DIR / "working"
    with _said_by_the_disk():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return tempfile.TemporaryFile(dir=folder)


@contextmanager
def _said_by_the_disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ExportNotWritable(
            f"UNSPRAWL_EXPORT_DIR does not take it: {error.strerror or type(error).__name__}."
        ) from error


def record_made(
    scope: Scope,
    counts: dict[str, int],
    sha256: str,
    *,
    actor: Ref,
    reason: str,
    more: dict[str, Fact] | None = None,
) -> None:
    """Record that a file of the record was made. Records: export.made."""
    ((kind, named),) = scope.document().items()
    facts: dict[str, Fact] = {
        "scope": kind,
        "entries": counts["entries"],
        "payloads": counts["payloads"],
        "sha256": sha256,
        "reason": reason,
        **(more or {}),
    }
    if isinstance(scope, Period):
        facts["from"], facts["to"] = named["from"], named["to"]
        facts["ranges"] = [f"{each.epoch}:{each.start}-{each.end}" for each in scope.ranges]
    else:
        facts["of"] = named
    record(
        Verb.EXPORT_MADE,
        Ref("ledger", "record") if isinstance(scope, Period) else Ref(kind, named),
        actor=actor,
        kind=Entry.Kind.ACCESS,
        facts=facts,
        agent_id=scope.agent if isinstance(scope, OneAgent) else "",
        stream="" if isinstance(scope, OneAgent) else "ledger:exports",
    )


@transaction.atomic
def ask_export(
    scope: Scope,
    title: str,
    *,
    actor: Actor,
    payloads: bool,
    reason: str,
    target: str = "",
) -> Export:
    """Ask the worker for a file; what may be asked for is the caller's to have checked.

    Records: export.asked. Raises: ReasonMissing, TargetNotFound, RoleMissing.
    """
    why = reason.replace("\x00", "").strip()[:LONGEST_REASON]
    if not why:
        raise ReasonMissing
    row = Export.objects.create(
        public_id=new_id("exp"),
        scope=scope.document(),
        title=title,
        with_payloads=payloads,
        reason=why,
        asked_by=str(actor.ref),
        asked_at=clock.now(),
        target=_target(target, actor) if target else None,
    )
    record(
        Verb.EXPORT_ASKED,
        row.ref,
        actor=actor.ref,
        facts={
            "title": title,
            "payloads": payloads,
            "reason": why,
            "target": row.target.public_id if row.target else None,
        },
        stream="ledger:exports",
    )
    ring("outlets.make_exports")
    return row


def _target(name: str, actor: Actor) -> Target:
    actor.require(*OVERSEEING, Role.PLATFORM)
    said = name.replace("\x00", "")
    found = Target.objects.filter(removed_at__isnull=True, public_id=said).first()
    if found is None:
        raise TargetNotFound
    return found


@transaction.atomic
def cancel_export(export: Export, *, actor: Actor) -> Export:
    """Stop an export that is under way; the worker removes what it wrote.

    Records: export.cancelled. Raises: ExportOver.
    """
    if export.asked_by != str(actor.ref):
        actor.require(Role.SECURITY)
    moved = Export.objects.filter(pk=export.pk, finished_at__isnull=True).update(
        state=Export.State.CANCELLED, finished_at=clock.now(), leased_until=None
    )
    if not moved:
        raise ExportOver
    record(Verb.EXPORT_CANCELLED, export.ref, actor=actor.ref, stream="ledger:exports")
    ring("outlets.make_exports")
    export.refresh_from_db()
    return export


@transaction.atomic
def hand_out(export: Export, *, actor: Actor) -> Any:
    """Open the file of a finished export for somebody who may have it.

    Records: export.fetched. Raises: RoleMissing, ExportNotReady.
    """
    if not may_fetch(actor, export):
        actor.require(*OVERSEEING)
    path = finished_path(export)
    if export.state != Export.State.READY or not path.exists():
        raise ExportNotReady(_why_not(export))
    record(
        Verb.EXPORT_FETCHED,
        export.ref,
        actor=actor.ref,
        kind=Entry.Kind.ACCESS,
        facts={"sha256": export.sha256},
        stream="ledger:exports",
    )
    return path.open("rb")


def finished_path(export: Export) -> Any:
    """Return where the finished file of an export lies."""
    return settings.EXPORT_DIR / "working" / export.filename


def _why_not(export: Export) -> str:
    if export.is_under_way:
        return f"It is being made: {export.entries} of {export.expected or '?'} entries."
    if export.state == Export.State.READY:
        return "Its file is not on this machine. Give web and worker one UNSPRAWL_EXPORT_DIR."
    return f"It is {export.state}; ask for it again."
