"""How the worker makes an export: in parts, each of which is safe on the disk before it counts.

The row says how many bytes and which entry were reached; a worker that takes over cuts the
file to that and goes on behind that entry. What a part may do is bounded in time, so a
long export does not hold a worker.
"""

from __future__ import annotations

import base64
import logging
import os
import time
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, Final

import orjson
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from psycopg import OperationalError

from kernel import clock
from kernel.db import ring
from kernel.errors import DomainError
from kernel.refs import Ref
from ledger.exports import reading
from ledger.exports.planning import Database, make_plan, period_after, period_between
from ledger.exports.scope import Period, Plan, scope_from
from ledger.exports.signing import ExportSigner
from ledger.exports.snapshot import snapshot
from ledger.exports.tally import Tally
from ledger.exports.writing import beginning, ending, entry_line
from ledger.record import record
from ledger.verbs import Verb
from outlets.actions.exporting import finished_path, record_made
from outlets.actions.sending import drop_upload, send_part
from outlets.models import Export
from outlets.models.export import UNDER_WAY
from registry.actors import Actor

logger = logging.getLogger("unsprawl.exports")

PART_SECONDS: Final = 40.0
LEASE: Final = timedelta(minutes=2)
SAVE_BYTES: Final = 8 * 1024 * 1024
SAVE_SECONDS: Final = 2.0
MOST_ATTEMPTS: Final = 8
LONGEST_PAUSE_SECONDS: Final = 3600


class _Lost(Exception):
    """The export was cancelled, or somebody else makes it by now."""


def make_exports(*, actor: Actor) -> int:
    """Go on with exports that wait, one after the other, for one part's time.

    Records: export.made, export.failed, as it applies.
    """
    until, worked = time.monotonic() + PART_SECONDS, 0
    while time.monotonic() < until and (export := _claim()) is not None:
        worked += 1
        try:
            _go_on(export, until)
        except _Lost:
            _discard(export)
        except (DomainError, OperationalError, OSError) as error:
            _failed(export, error, actor)
    if _is_waiting():
        ring("outlets.make_exports")
    return worked


@transaction.atomic
def _claim() -> Export | None:
    now = clock.now()
    rows = Export.objects.select_for_update(skip_locked=True, of=("self",)).select_related(
        "target", "schedule"
    )
    found = rows.filter(_free(now)).order_by("asked_at", "pk").first()
    if found is not None:
        found.leased_until = now + LEASE
        found.save(update_fields=["leased_until"])
    return found


def _free(now: Any) -> Q:
    return (
        Q(state__in=UNDER_WAY)
        & (Q(leased_until__isnull=True) | Q(leased_until__lt=now))
        & (Q(again_at__isnull=True) | Q(again_at__lte=now))
    )


def _is_waiting() -> bool:
    return Export.objects.filter(_free(clock.now())).exists()


def _go_on(export: Export, until: float) -> None:
    if export.state in {Export.State.WAITING, Export.State.WRITING}:
        with snapshot(statement_seconds=600) as database:
            part = _Part(export, database, until)
            part.run()
    if export.state == Export.State.SENDING:
        send_part(export, until, keep=lambda **changes: _keep(export, **changes))
        if export.place:
            _conclude(export)
    if export.leased_until is not None:
        _keep(export, leased_until=None)


def _keep(export: Export, **changes: Any) -> None:
    """Save progress if this worker still has the export. Raises _Lost."""
    lease = changes.pop("leased_until", clock.now() + LEASE) if export.is_under_way else None
    kept = Export.objects.filter(
        pk=export.pk, state__in=UNDER_WAY, leased_until=export.leased_until
    ).update(leased_until=lease, **changes)
    if not kept:
        raise _Lost
    export.leased_until = lease
    for name, value in changes.items():
        setattr(export, name, value)


@dataclass(slots=True)
class _Part:
    """One stretch of work on the file itself."""

    export: Export
    database: Database
    until: float
    _saved_at: float = field(default_factory=time.monotonic)

    def run(self) -> None:
        plan = self._plan()
        path = working_path(self.export)
        with _opened(path) as file:
            if not self._cut_back(file):
                self._restart(file)
            if self.export.size == 0:
                self._write_all(file, beginning(self.database, plan))
                self._save(file, self.export.after)
            if self._entries(file, plan):
                self._finish(file, plan, path)

    def _plan(self) -> Plan:
        if self.export.plan is not None:
            return Plan.read(self.export.plan)
        scope = scope_from(self.export.scope)
        if isinstance(scope, Period):
            scope = (
                period_after(self.database, _reached(self.export))
                if self.export.schedule
                else period_between(self.database, scope.begins_at, scope.ends_at)
            )
        plan = make_plan(self.database, scope, payloads=self.export.with_payloads)
        _keep(
            self.export,
            plan=plan.document(),
            state=Export.State.WRITING,
            expected=reading.count_entries(self.database, plan),
        )
        return plan

    def _cut_back(self, file: IO[bytes]) -> bool:
        file.seek(0, os.SEEK_END)
        if file.tell() < self.export.size:
            return False  # another machine's disk, or one that lost what it had said was safe
        file.truncate(self.export.size)
        file.seek(self.export.size)
        return True

    def _restart(self, file: IO[bytes]) -> None:
        file.truncate(0)
        file.seek(0)
        _keep(self.export, size=0, entries=0, after=None)

    def _write_all(self, file: IO[bytes], lines: Any) -> None:
        for line in lines:
            file.write(line)

    def _entries(self, file: IO[bytes], plan: Plan) -> bool:
        """Write entries until they or the time are at an end; say whether they are."""
        after = self.export.after
        for found in reading.entries(self.database, plan, after or ()):
            file.write(entry_line(found))
            after = found.after
            self.export.entries += 1
            is_over = time.monotonic() >= self.until
            if is_over or self._is_due(file):
                self._save(file, after)
            if is_over:
                return False
        self._save(file, after)
        return True

    def _is_due(self, file: IO[bytes]) -> bool:
        return (
            time.monotonic() - self._saved_at >= SAVE_SECONDS
            or file.tell() - self.export.size >= SAVE_BYTES
        )

    def _save(self, file: IO[bytes], after: Any) -> None:
        file.flush()
        os.fsync(file.fileno())
        _keep(self.export, size=file.tell(), entries=self.export.entries, after=after)
        self._saved_at = time.monotonic()

    def _finish(self, file: IO[bytes], plan: Plan, path: Path) -> None:
        signer = ExportSigner(settings.KEYS_DIR, settings.PUBLIC_URL)
        tally = Tally(plan.scope)
        try:
            file.seek(0)
            for line in file:
                _count(tally, line)
                if time.monotonic() - self._saved_at >= SAVE_SECONDS:
                    _keep(self.export)
                    self._saved_at = time.monotonic()
            for line in ending(self.database, plan, signer, tally):
                file.write(line)
            file.flush()
            os.fsync(file.fileno())
            path.rename(finished_path(self.export))
            self._written(plan, tally)
        finally:
            tally.close()

    def _written(self, plan: Plan, tally: Tally) -> None:
        with transaction.atomic():
            _keep(self.export, sha256=tally.sha256, size=tally.bytes, state=Export.State.SENDING)
            record_made(
                plan.scope,
                tally.counts,
                tally.sha256,
                actor=Ref.parse(self.export.asked_by),
                reason=self.export.reason,
                more={"export": self.export.public_id},
            )
        if self.export.target is None:
            _conclude(self.export)


def _count(tally: Tally, line: bytes) -> None:
    tally.take(line)
    if line.startswith(b'{"entry":'):
        entry = orjson.loads(line)["entry"]
        tally.entry(base64.b64decode(entry["header"]), has_payload="payload" in entry)
    elif line.startswith(b'{"epoch":'):
        tally.counts["epochs"] += 1


@transaction.atomic
def _conclude(export: Export) -> None:
    now = clock.now()
    _keep(
        export,
        state=Export.State.READY,
        finished_at=now,
        expires_at=now + timedelta(days=settings.EXPORT_DAYS),
        leased_until=None,
        failure="",
    )
    if export.schedule is not None and export.plan is not None:
        plan = Plan.read(export.plan)
        assert isinstance(plan.scope, Period)  # noqa: S101  what a schedule asks for
        reached = {**_reached(export), **{each.epoch: each.end for each in plan.scope.ranges}}
        schedule = export.schedule
        schedule.reached = {str(epoch): size for epoch, size in reached.items()}
        schedule.late_since = None
        schedule.save(update_fields=["reached", "late_since"])


def _reached(export: Export) -> dict[int, int]:
    reached: dict[str, int] = export.schedule.reached if export.schedule else {}
    return {int(epoch): size for epoch, size in reached.items()}


def _failed(export: Export, error: Exception, actor: Actor) -> None:
    words = error.title if isinstance(error, DomainError) else type(error).__name__
    logger.warning("export %s: %s", export.public_id, words)
    export.attempts += 1
    is_over = export.attempts >= MOST_ATTEMPTS
    pause = min(5 * 4**export.attempts, LONGEST_PAUSE_SECONDS)
    changes: dict[str, Any] = {
        "attempts": export.attempts,
        "failure": words,
        "again_at": clock.now() + timedelta(seconds=pause),
        "leased_until": None,
    }
    if is_over:
        changes |= {"state": Export.State.FAILED, "finished_at": clock.now()}
    with transaction.atomic():
        moved = Export.objects.filter(pk=export.pk, state__in=UNDER_WAY).update(**changes)
        if moved and is_over:
            record(
                Verb.EXPORT_FAILED,
                export.ref,
                actor=actor.ref,
                facts={"failure": words},
                stream="ledger:exports",
            )


def expire_exports(*, actor: Actor) -> int:
    """Remove the files of exports whose time is over, and what cancelled ones left.

    Records: nothing; that a file existed stays on record.
    """
    due = Export.objects.filter(state=Export.State.READY, expires_at__lt=clock.now())
    removed = 0
    for export in due.order_by("expires_at")[:100]:
        finished_path(export).unlink(missing_ok=True)
        removed += Export.objects.filter(pk=export.pk, state=Export.State.READY).update(
            state=Export.State.EXPIRED
        )
    over = (Export.State.CANCELLED, Export.State.FAILED)
    recent = clock.now() - timedelta(days=1)
    left = Export.objects.filter(state__in=over, finished_at__gt=recent)
    for export in left.select_related("target"):
        _discard(export)
        drop_upload(export)
    return removed


def _discard(export: Export) -> None:
    export.refresh_from_db(fields=["state"])
    if not export.is_under_way:
        working_path(export).unlink(missing_ok=True)
        if export.state in {Export.State.CANCELLED, Export.State.FAILED}:
            finished_path(export).unlink(missing_ok=True)


def working_path(export: Export) -> Path:
    """Return where an export is written until it is whole."""
    folder: Path = settings.EXPORT_DIR / "working"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / f"{export.public_id}.part"


def _opened(path: Path) -> IO[bytes]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    return os.fdopen(descriptor, "r+b")
