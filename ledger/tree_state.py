"""How the tree is doing, for whoever looks from outside the sequencer.

Owns the words: ``running``; ``behind``, entries wait for their place; ``halted``, going on
would make the record worse; ``stopped``, nobody holds the sequencer's lock. Recording goes on
in all of them, and what demands more than a durable record waits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db import connection

from ledger.models import SequencerReport
from ledger.sequencing.epochs import SEQUENCER_LOCK

RUNNING: Final = "running"
BEHIND: Final = "behind"
HALTED: Final = "halted"
STOPPED: Final = "stopped"
# The newest word on each, and whether the lock is held; a bigint key is two halves there.
_QUERY: Final = """
SELECT about, state, found FROM (
    SELECT DISTINCT ON (about) about, state, found FROM ledger_sequencerreport
    ORDER BY about, id DESC
) newest
UNION ALL
SELECT 'lock', '', '' WHERE EXISTS (
    SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND classid::bigint = %s AND objid::bigint = %s
)
"""


@dataclass(frozen=True, slots=True)
class TreeState:
    """What the sequencer does, what of the witness, and in words why."""

    sequencer: str
    found: str = ""
    witness: str = RUNNING
    witness_found: str = ""

    @property
    def degraded(self) -> dict[str, str]:
        """Return what is not as it should be, by its name."""
        said = {"sequencer": self.sequencer, "witness": self.witness}
        return {name: state for name, state in said.items() if state != RUNNING}


def tree_state() -> TreeState:
    """Return how the tree is doing now."""
    with connection.cursor() as cursor:
        cursor.execute(_QUERY, [SEQUENCER_LOCK >> 32, SEQUENCER_LOCK & 0xFFFF_FFFF])
        said = {about: (state, found) for about, state, found in cursor.fetchall()}
    state, found = said.get(SequencerReport.About.SEQUENCER, (RUNNING, ""))
    if "lock" not in said and state != HALTED:
        state, found = STOPPED, ""
    witness, witness_found = said.get(SequencerReport.About.WITNESS, (RUNNING, ""))
    return TreeState(state, found, witness, witness_found)
