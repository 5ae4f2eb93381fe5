"""Which tree grows: the newest epoch, and whether anything may be appended under it.

Owns the two locks of the tree. One sequencer is active because it holds the first for as
long as its connection lives. Whoever opens an epoch or suspends one takes the second alone;
a batch shares it, so no batch is written under an epoch that has ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import psycopg

from kernel.refs import new_id
from ledger.sequencing.keys import SigningKey

# Advisory lock keys: any two numbers that nobody else of ours uses.
SEQUENCER_LOCK: Final = 0x756E_7370_0001
EPOCH_LOCK: Final = 0x756E_7370_0002


class CannotSequence(Exception):
    """Raised when going on would make the record worse; only an operator can help."""


@dataclass(frozen=True, slots=True)
class TreeEpoch:
    """A row of ledger_epoch, as far as sequencing needs."""

    number: int
    origin: str
    public_key: bytes
    first_entry: int
    is_suspended: bool
    is_of_this_cluster: bool

    @property
    def log_id(self) -> str:
        """Return the id of the log, which every epoch of it shares."""
        return log_id_of(self.origin)


def origin_of(host: str, log_id: str, number: int) -> str:
    """Return the name of an epoch's tree."""
    return f"{host}/ledger/{log_id}/{number}"


def log_id_of(origin: str) -> str:
    """Return the log's id from the name of one of its trees."""
    return origin.split("/")[-2]


def newest_epoch(connection: psycopg.Connection[Any]) -> TreeEpoch | None:
    """Return the epoch that grows, or None before the first."""
    row = connection.execute(
        "SELECT number, origin, public_key, first_entry,"
        " EXISTS (SELECT FROM ledger_suspension s WHERE s.epoch_id = e.number),"
        " system_identifier = (SELECT system_identifier FROM pg_control_system())"
        " FROM ledger_epoch e ORDER BY number DESC LIMIT 1"
    ).fetchone()
    if row is None:
        return None
    return TreeEpoch(row[0], row[1], bytes(row[2]), *row[3:])


def share_epoch(connection: psycopg.Connection[Any]) -> None:
    """Keep the newest epoch from ending before this transaction does."""
    connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", [EPOCH_LOCK])


def hold_epochs(connection: psycopg.Connection[Any]) -> None:
    """Keep every batch out until this transaction ends: to open an epoch, or to suspend one."""
    connection.execute("SELECT pg_advisory_xact_lock(%s)", [EPOCH_LOCK])


def open_first_epoch(
    connection: psycopg.Connection[Any], key: SigningKey, host: str, log_id: str = ""
) -> bool:
    """Open epoch 1 where there is none; say whether it did. Raises: CannotSequence."""
    with connection.transaction():
        hold_epochs(connection)
        if newest_epoch(connection) is not None:
            return False
        connection.execute(
            "INSERT INTO ledger_epoch (number, origin, public_key, system_identifier,"
            " first_entry, opened_at, reason) VALUES (1, %s, %s,"
            " (SELECT system_identifier FROM pg_control_system()), %s, now(), '')",
            [
                origin_of(host, log_id or new_id("log"), 1),
                key.public,
                _first_by_commit(connection),
            ],
        )
    return True


def suspend(connection: psycopg.Connection[Any], epoch: int, found: str) -> None:
    """Keep anything from being appended until a further epoch is opened."""
    with connection.transaction():
        hold_epochs(connection)
        connection.execute(
            "INSERT INTO ledger_suspension (epoch_id, found, suspended_at)"
            " VALUES (%s, %s, now()) ON CONFLICT DO NOTHING",
            [epoch, found],
        )


def _first_by_commit(connection: psycopg.Connection[Any]) -> int:
    """Return from which entry on the order of commits can be told, which is the first as a rule.

    Rows that were loaded from another cluster carry its transaction ids, which say nothing
    about order here: they come by id, with every writer kept out while the line is drawn.
    """
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM ledger_entry"
        " WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())"
        " AND xid <> coalesce(pg_current_xact_id_if_assigned(), '0'::xid8))"
    ).fetchone()
    if row != (True,):
        return 1
    try:
        connection.execute("LOCK TABLE ledger_entry IN SHARE ROW EXCLUSIVE MODE")
    except psycopg.errors.InsufficientPrivilege:
        raise CannotSequence(
            "the entries were loaded from another database cluster, and the log begins only now."
            " Start the sequencer once with DATABASE_SEQUENCER_URL of the owner's role"
        ) from None
    last = connection.execute("SELECT max(id) FROM ledger_entry").fetchone()
    return 1 + (last[0] if last is not None else 0)
