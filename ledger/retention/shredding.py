"""Destroying data keys: on the disk outside the database first, then in one commit on record.

Owns the order. The keys are locked and asked about in SQL, the journal's line is written and
on the disk, the keys are set to nothing, the tombstone is recorded, and the commit makes all
of it true. A crash before the commit leaves a line that is carried out later; after it,
nothing is left to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import Count, Max

from kernel import clock
from kernel.clock import stamp
from kernel.refs import Ref, new_id
from ledger import custody
from ledger.entries import Fact, Fields
from ledger.errors import LedgerSuspended, ShredJournalUnusable
from ledger.models import Shredding
from ledger.record import append
from ledger.retention.journal import JournalBroken, Line, ShredJournal
from ledger.verbs import Verb

BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Shredded:
    """What one commit destroyed: how many keys, and the entry that says which."""

    keys: int
    entry_id: str = ""


@cache
def _journal(directory: Path, keys_dir: Path) -> ShredJournal:
    return ShredJournal(directory, keys_dir)


def shred_journal() -> ShredJournal:
    """Return the journal of this installation."""
    return _journal(settings.SHREDS_DIR, settings.KEYS_DIR)


@transaction.atomic
def shred(
    keys: Sequence[str],
    *,
    why: str,
    subject: Ref,
    actor: Ref,
    facts: Mapping[str, Fact] | None = None,
    agent_id: str = "",
) -> Shredded:
    """Destroy those of up to 500 keys that may be destroyed now, in this transaction.

    What a hold covers is left out, and by age what is not old enough yet.
    Records: datakey.shredded. Raises: ShredJournalUnusable; OperationalError when writers
    kept it waiting, after which it is tried again.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_shreddable(%s, %s)", [list(keys), why])
        chosen = [row[0] for row in cursor.fetchall()]
    if not chosen:
        return Shredded(0)
    shred_id, entry_id = new_id("shr"), new_id("ent")
    line = _written(shred_id, entry_id, why, chosen)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ledger_shred(%s, %s, %s, %s, %s, %s)",
            [shred_id, entry_id, why, chosen, line.n, line.sha256],
        )
    _Deed(why, subject, actor, agent_id, facts or {}).record(line, chosen, entry_id)
    transaction.on_commit(custody.forget_keys)
    return Shredded(len(chosen), entry_id)


def require_journal() -> set[str]:
    """Return the keys that the journal says are destroyed and this database does not.

    Raises: ShredJournalUnusable when it is missing, cut off or not this ledger's.
    """
    known = Shredding.objects.aggregate(last=Max("line"), count=Count("line"))
    journal = shred_journal()
    try:
        journal.refresh()
        _require_line(journal, known["last"] or 0)
        if (known["last"] or 0) == known["count"] == journal.length:
            return set()
        return {dek for line in _not_carried_out(journal) for dek in line.deks}
    except JournalBroken as broken:
        raise _unusable(str(broken)) from None


def shred_again(*, actor: Ref) -> int:
    """Destroy again what a backup brought back; the owner's role alone may. Return how many.

    Also where nothing may be recorded at the moment: the tombstone follows (`link_tombstones`).
    Raises: ShredJournalUnusable.
    """
    require_journal()
    journal, done = shred_journal(), 0
    for line in _not_carried_out(journal):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT ledger_shred_again(%s, %s, %s, %s)",
                [line.shred, list(line.deks), line.n, line.sha256],
            )
            done += len(cursor.fetchall())
    with suppress(LedgerSuspended):  # they follow when a further epoch is open
        link_tombstones(actor=actor)
    return done


def link_tombstones(*, actor: Ref) -> int:
    """Record what was destroyed while nothing could be recorded. Return how many entries.

    Records: datakey.shredded.
    """
    waiting = {row.line: row for row in Shredding.objects.filter(entry__isnull=True, keys__gt=0)}
    journal, linked = shred_journal(), 0
    for line in journal.lines(sorted(waiting)):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT dek_id FROM ledger_datakey WHERE dek_id = ANY(%s)"
                " AND state = 'shredded' AND shredded_by IS NULL ORDER BY dek_id COLLATE \"C\"",
                [list(line.deks)],
            )
            deks = [row[0] for row in cursor.fetchall()]
            if not deks:
                continue
            entry_id = new_id("ent")
            again = _Deed("journal", Ref("journal", "shreds"), actor, "", {"tombstone": line.entry})
            again.record(line, deks, entry_id)
            cursor.execute(
                "UPDATE ledger_datakey SET shredded_by = %s WHERE dek_id = ANY(%s)",
                [entry_id, deks],
            )
            cursor.execute(
                "UPDATE ledger_shredding SET entry = %s WHERE shred_id = %s",
                [entry_id, line.shred],
            )
            linked += 1
    return linked


def _not_carried_out(journal: ShredJournal) -> list[Line]:
    carried = set(Shredding.objects.values_list("line", flat=True))
    return list(journal.lines([n for n in range(1, journal.length + 1) if n not in carried]))


def _written(shred_id: str, entry_id: str, why: str, deks: list[str]) -> Line:
    known = Shredding.objects.aggregate(last=Max("line"))["last"] or 0
    journal = shred_journal()
    try:
        with journal.open_for_append() as stream:
            _require_line(journal, known)
            at = stamp(clock.now())
            return journal.append(stream, at=at, shred=shred_id, entry=entry_id, why=why, deks=deks)
    except JournalBroken as broken:
        raise _unusable(str(broken)) from None
    except OSError as error:
        raise _unusable(f"it cannot be written ({error.strerror})") from None


def _require_line(journal: ShredJournal, n: int) -> None:
    if n == 0:
        return
    row = Shredding.objects.get(line=n)
    found = journal.hash_of(n)
    if found is None:
        raise JournalBroken(f"it has {journal.length} lines, and the database knows of {n}")
    if found != bytes(row.line_sha256):
        raise JournalBroken(f"its line {n} is not the one that the database knows")


def _unusable(why: str) -> ShredJournalUnusable:
    return ShredJournalUnusable(
        f"The shred journal {shred_journal().path.name} cannot be relied upon: {why}. Put the"
        " newest copy of it back (docs/runbook.md, “After a restore”); until then no payload"
        " is opened and no key destroyed."
    )


@dataclass(frozen=True, slots=True)
class _Deed:
    why: str
    subject: Ref
    actor: Ref
    agent_id: str
    facts: Mapping[str, Fact]

    def record(self, line: Line, deks: list[str], entry_id: str) -> None:
        fields = Fields(
            kind="change",
            verb=Verb.DATAKEY_SHREDDED.value,
            actor=self.actor,
            subject=self.subject,
            recorded_at=clock.now(),
            agent_id=self.agent_id,
            facts={
                **self.facts,
                "deks": deks,
                "keys": len(deks),
                "line": line.n,
                "line_sha256": line.sha256.hex(),
                "shred": line.shred,
                "why": self.why,
            },
            entry_id=entry_id,
        )
        append(fields, stream=f"agent:{self.agent_id}" if self.agent_id else str(self.subject))


def is_busy(error: OperationalError) -> bool:
    """Say whether writers kept a lock for longer than destruction waits."""
    return getattr(error.__cause__, "sqlstate", "") in {"55P03", "40P01"}
