"""Replaying a run: what it takes from the record is read on the record, then carried out here."""

from __future__ import annotations

from typing import Final

from ledger.artifacts import NAMED_BY
from ledger.queries import entries_of_stream
from ledger.reading import artifacts_named, read_stream
from registry.actors import Actor
from routing.code import code_version
from routing.errors import RunTooLong
from routing.gateway.replaying.recorded import RecordedEntry, RecordedRun
from routing.gateway.replaying.report import Report
from routing.gateway.replaying.run import Replayer
from routing.queries.calls import run_for

MOST_ENTRIES: Final = 20_000


def recorded_run(name: str, *, actor: Actor, reason: str) -> RecordedRun:
    """Return a run as its record tells it, with what was said in it.

    Records: payload.read. Raises: RunNotFound, RunTooLong, ReasonMissing, PayloadsClosed,
    EvidenceAltered, CannotOpen.
    """
    run = run_for(actor, name)
    check_length(run.run_id)
    read = read_stream(run.run_id, actor=actor.ref, reason=reason)
    entries = tuple(
        RecordedEntry(
            entry.entry_id,
            entry.kind,
            entry.verb,
            entry.recorded_at,
            entry.facts,
            entry.intent_id or "",
            said.payload,
            said.annex,
            said.unread,
        )
        for entry, said in read
    )
    named = {
        digest
        for entry in entries
        for fact in NAMED_BY
        if isinstance(digest := entry.facts.get(fact), str) and digest
    }
    return RecordedRun(run.run_id, entries, artifacts_named(named))


def check_length(run_id: str) -> None:
    """Raises: RunTooLong for a run that is not taken into memory whole."""
    if (count := entries_of_stream(run_id).count()) > MOST_ENTRIES:
        raise RunTooLong(
            f"The run has {count:,} entries; {MOST_ENTRIES:,} are the most that are read at once.",
            most=MOST_ENTRIES,
        )


def replay_run(name: str, *, actor: Actor, reason: str = "to replay the run") -> Report:
    """Carry a run through this code once more, reaching nothing, and compare it with its record.

    Records: payload.read. Raises: as `recorded_run`.
    """
    with Replayer(code_version()) as replayer:
        return replayer.replay(recorded_run(name, actor=actor, reason=reason))
