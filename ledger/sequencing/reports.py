"""What the sequencer says of itself where others can read it: a row when something changes.

The same said twice is said once, so a sequencer that dies and starts again and again for one
reason leaves one row, not a thousand.
"""

from __future__ import annotations

from typing import Any, Final

import psycopg

RUNNING: Final = "running"
BEHIND: Final = "behind"
HALTED: Final = "halted"
SEQUENCER: Final = "sequencer"
WITNESS: Final = "witness"
_LONGEST: Final = 2_000

_REPORT: Final = (
    "INSERT INTO ledger_sequencerreport (about, state, found, reported_at)"
    " SELECT %(about)s, %(state)s, %(found)s, now() WHERE NOT EXISTS ("
    " SELECT FROM (SELECT state, found FROM ledger_sequencerreport WHERE about = %(about)s"
    " ORDER BY id DESC LIMIT 1) newest WHERE state = %(state)s AND found = %(found)s)"
)


def report(
    connection: psycopg.Connection[Any], state: str, found: str = "", *, about: str = SEQUENCER
) -> None:
    """Say how things stand, unless that is what was said last."""
    said = {"about": about, "state": state, "found": found[:_LONGEST]}
    connection.execute(_REPORT, said)
