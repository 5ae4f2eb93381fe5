"""Comparing two runs: by what their headers say, or with what was said, which is a reading."""

from __future__ import annotations

from ledger.queries import entries_of_stream, seen
from registry.actors import Actor
from routing.actions.replaying import check_length, recorded_run
from routing.comparing.differences import Comparison, compare_runs
from routing.gateway.replaying.recorded import RecordedEntry, RecordedRun
from routing.queries.calls import run_for, run_shown_to

_NOT_READ = "what was said was not read for this"


def compare_headers(one: str, other: str, *, actor: Actor) -> Comparison:
    """Compare two runs by their headers alone: nothing that was said is read.

    Raises: RunNotFound, RunTooLong, EvidenceAltered.
    """
    return compare_runs(_headers(one, actor), _headers(other, actor))


def compare_said(one: str, other: str, *, actor: Actor, reason: str) -> Comparison:
    """Compare two runs with what was said in them.

    Records: payload.read, for each. Raises: RunNotFound, RunTooLong, ReasonMissing,
    PayloadsClosed, EvidenceAltered, CannotOpen.
    """
    # Both are looked for before either is read: a refusal reads nothing.
    names = [run_for(actor, name).run_id for name in (one, other)]
    first, second = (recorded_run(name, actor=actor, reason=reason) for name in names)
    return compare_runs(first, second)


def _headers(name: str, actor: Actor) -> RecordedRun:
    run = run_shown_to(actor, name)
    check_length(run.run_id)
    entries = [seen(row) for row in entries_of_stream(run.run_id)]
    return RecordedRun(
        run.run_id,
        tuple(
            RecordedEntry(
                entry.entry_id,
                entry.kind,
                entry.verb,
                entry.recorded_at,
                entry.facts,
                entry.intent_id or "",
                unread=_NOT_READ if entry.payload is not None else "",
            )
            for entry in entries
        ),
        {},
    )
