"""Reading the record: rows for lists and cursors, and what a row says once it is read.

The querysets are ordered by the order of insertion and may be cut into pages as they are;
`seen` turns a row of one into what may be shown. What a viewer may see is for the caller
to decide, who knows the viewer: these take a stream, an agent or a subject by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet

from kernel.refs import Ref
from ledger.entries import Fact, PayloadDigest
from ledger.errors import EntryNotFound, EvidenceAltered
from ledger.headers import HeaderInvalid, read_header
from ledger.models import NOT_A_CALL, Entry


@dataclass(frozen=True, slots=True)
class SeenEntry:
    """An entry as people and clients read it, taken from its header, never from its columns."""

    entry_id: str
    stream: str
    writer: str
    seq: int
    kind: str
    verb: str
    actor: str
    subject: str
    agent_id: str
    on_behalf_of: str
    intent_id: str | None
    recorded_at: datetime
    facts: dict[str, Fact]
    payload: PayloadDigest | None
    prev_hash: str
    leaf_hash: str


def seen(row: Entry) -> SeenEntry:
    """Read a row. Raises: EvidenceAltered when its header is not one."""
    try:
        header = read_header(bytes(row.header))
    except HeaderInvalid as error:
        raise EvidenceAltered(f"Entry {row.entry_id}: {error}.") from None
    return SeenEntry(
        entry_id=header.entry_id,
        stream=header.stream,
        writer=header.writer,
        seq=header.seq,
        kind=header.kind,
        verb=header.verb,
        actor=header.actor,
        subject=header.subject,
        agent_id=header.agent_id,
        on_behalf_of=header.on_behalf_of,
        intent_id=header.intent_id,
        recorded_at=header.recorded_at,
        facts=header.facts,
        payload=header.payload,
        prev_hash=header.prev_hash.hex(),
        leaf_hash=bytes(row.leaf_hash).hex(),
    )


def entry_for(entry_id: str) -> SeenEntry:
    """One entry by its id. Raises: EntryNotFound, EvidenceAltered."""
    row = Entry.objects.filter(entry_id=entry_id).first()
    if row is None:
        raise EntryNotFound
    return seen(row)


def entries_of_stream(stream: str) -> QuerySet[Entry]:
    """The entries of a stream; a run's stream is its id."""
    return Entry.objects.filter(stream=stream).order_by("id")


def entries_of_agent(agent_id: str) -> QuerySet[Entry]:
    """Everything recorded of an agent, its runs included."""
    return Entry.objects.filter(agent_id=agent_id).order_by("id")


def entries_of_subject(subject: Ref) -> QuerySet[Entry]:
    """What happened to one thing; calls that merely used it are not among it."""
    return Entry.objects.filter(NOT_A_CALL, subject=str(subject)).order_by("id")


def open_intents(*, before: datetime) -> QuerySet[Entry]:
    """Intents older than a moment that nothing answers yet."""
    answers = Entry.objects.filter(kind=Entry.Kind.RESULT, intent_id=OuterRef("entry_id"))
    return Entry.objects.filter(
        ~Exists(answers), kind=Entry.Kind.INTENT, recorded_at__lt=before
    ).order_by("id")
