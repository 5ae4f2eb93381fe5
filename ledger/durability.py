"""Whether a database keeps what it has acknowledged. No Django.

A ledger that answers "recorded" over a server that does not flush lies after the first loss
of power. What the server says of itself is read at every start and on every connection that
records, and a server that may forget is not used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import psycopg

# What a server of tests says of itself (`-c unsprawl.throw_away=on`): nothing in it is kept.
THROW_AWAY: Final = "unsprawl.throw_away"
_READ: Final = (
    "fsync", "full_page_writes", "synchronous_commit", "synchronous_standby_names",
    "data_checksums", THROW_AWAY,
)  # fmt: skip
# No parameters: connections differ in how they are written.
QUERY: Final = (
    "SELECT " + ", ".join(f"coalesce(current_setting('{name}', true), '')" for name in _READ)
)  # fmt: skip
_SET: Final = "ALTER SYSTEM SET {0} = on; SELECT pg_reload_conf();"


class NotDurable(psycopg.OperationalError):
    """Raised for a server that may forget commits: whoever records treats it as not there."""


@dataclass(frozen=True, slots=True)
class Durability:
    """What is wrong with a server: what forbids to use it, and what is only worth a word."""

    faults: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    def require(self) -> None:
        """Raise NotDurable when something forbids to use the server."""
        if self.faults:
            raise NotDurable(" ".join(self.faults))


def examined(connection: psycopg.Connection[Any]) -> Durability:
    """Ask a server; the connection must not set any of it for itself."""
    return judged(connection.execute(QUERY).fetchone())


def judged(row: tuple[Any, ...] | None) -> Durability:
    """Judge the answer to `QUERY`."""
    said = dict(zip(_READ, row or (), strict=False))
    if said.get(THROW_AWAY) == "on":
        return Durability(())
    faults = tuple(
        f"{name} is off: what was acknowledged may be lost with the power. Mend it: "
        + _SET.format(name)
        for name in ("fsync", "full_page_writes")
        if said.get(name) != "on"
    )
    return Durability((*faults, *_commit_faults(said)), _warnings(said))


def _commit_faults(said: Mapping[str, str]) -> tuple[str, ...]:
    level = said.get("synchronous_commit", "off")
    mend = (
        "Mend it: " + _SET.format("synchronous_commit") + " and RESET it where it was set for"
        " the role or the database (\\drds in psql shows where)."
    )
    if level in {"on", "remote_apply"}:
        return ()
    if level in {"local", "remote_write"} and not said.get("synchronous_standby_names"):
        return ()
    where = "of the standbys, or of the server," if level != "off" else "of the server"
    return (f"synchronous_commit is {level}: a commit does not wait for the disk {where}. {mend}",)


def _warnings(said: Mapping[str, str]) -> tuple[str, ...]:
    if said.get("data_checksums") != "off":
        return ()
    return (
        "data_checksums are off: a page that the disk spoilt is not noticed. Stop the server and"
        " run pg_checksums --enable.",
    )
