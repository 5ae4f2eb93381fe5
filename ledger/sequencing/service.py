"""The sequencer as a service: one active, the others standing by, until told to stop.

Owns the pace (a batch each 200 ms, at once while it is behind) and what happens when a
connection ends: its lock has ended with it, so everything known is forgotten and read back.
Nothing but the database's own order and this process's steady clock is looked at.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import psycopg
import structlog

from ledger.sequencing import reports
from ledger.sequencing.cosigning import Cosigning
from ledger.sequencing.crashing import CrashPoint, crash
from ledger.sequencing.epochs import SEQUENCER_LOCK, CannotSequence, suspend
from ledger.sequencing.keys import KeyUnreadable, SigningKey
from ledger.sequencing.sequencer import BATCH, Sequencer
from ledger.sequencing.waiting import ALARM_SECONDS, Waiting, who_holds
from ledger.sequencing.witnesses import Diverged, NoWitnesses, Unreachable, Witnesses
from ledger.transparency.tiles import TileInvalid

INTERVAL: Final = 0.2
CATCH_UP: Final = 10_000
STANDBY_INTERVAL: Final = 0.5
_LONGEST_PAUSE: Final = 5.0
_ALARM_AGAIN: Final = 30.0
_LOOK_AGAIN: Final = 1.0

# The lock lives and dies with the connection, so both ends notice soon when it is gone. The
# timeouts bound what a fault can hold: our own transaction keeps nobody's waiting for long.
OPTIONS: Final = (
    "-c statement_timeout=60s -c lock_timeout=5s -c idle_in_transaction_session_timeout=10s"
    " -c synchronous_commit=on -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2"
    " -c tcp_keepalives_count=3"
)

logger = structlog.get_logger("unsprawl.sequencer")


def connect(address: str) -> psycopg.Connection[Any]:
    """Open a connection of the sequencer's own; never through a pool."""
    return psycopg.connect(
        address,
        autocommit=True,
        # Of several that run, `pg_stat_activity` tells which is the active one.
        application_name=f"unsprawl-sequencer:{os.getpid()}",
        options=OPTIONS,
        connect_timeout=5,
        keepalives_idle=5,
        keepalives_interval=2,
        keepalives_count=3,
        tcp_user_timeout=10_000,
    )


class Stopping:
    """Whether to stop, and sleeping until then. May be asked from a signal handler."""

    def __init__(self) -> None:
        self._heard, self._said = os.pipe()
        self._is_asked = False

    def ask(self) -> None:
        self._is_asked = True
        os.write(self._said, b".")

    @property
    def is_asked(self) -> bool:
        return self._is_asked

    def wait(self, seconds: float) -> None:
        if not self._is_asked:
            select.select([self._heard], [], [], max(0.0, seconds))


@dataclass(frozen=True, slots=True)
class Settings:
    """What a sequencer is told."""

    address: str
    host: str  # the name that the trees of a new log begin with

    def __repr__(self) -> str:
        return f"Settings({self.host})"  # the address carries a password


class Service:
    """One sequencer process. Runs once."""

    def __init__(
        self,
        settings: Settings,
        load_key: Callable[[], SigningKey],
        *,
        witnesses: Witnesses | None = None,
        stopping: Stopping | None = None,
    ) -> None:
        self._settings = settings
        self._load_key = load_key
        self._witnesses = witnesses or NoWitnesses()
        self.stopping = stopping or Stopping()

    def run(self) -> None:
        """Sequence until told to stop. Raises: CannotSequence, KeyUnreadable."""
        pause = INTERVAL
        while not self.stopping.is_asked:
            begun = time.monotonic()
            try:
                with connect(self._settings.address) as connection:
                    self._serve(connection)
            except psycopg.errors.InsufficientPrivilege:
                raise CannotSequence(
                    "this database role may not add to the tree. Set DATABASE_SEQUENCER_URL, and"
                    " run manage.py prepare, which gives the role its rights"
                ) from None
            except psycopg.Error as error:
                logger.error("sequencer.lost", kind=type(error).__name__)
                pause = INTERVAL if time.monotonic() - begun > _LONGEST_PAUSE else pause
                self.stopping.wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)

    def _serve(self, connection: psycopg.Connection[Any]) -> None:
        if not self._stand_by(connection):
            return
        crash(CrashPoint.LOCKED)
        cosigning = Cosigning(self._settings.address, connect, self._witnesses)
        try:
            key = self._load_key()
            sequencer = Sequencer(connection, key, host=self._settings.host)
            if not self._compare(connection, sequencer):
                return
            reports.report(connection, reports.RUNNING)
            logger.info("sequencer.active", epoch=sequencer.epoch and sequencer.epoch.number)
            cosigning.start()
            self._sequence(connection, sequencer, cosigning)
        except (CannotSequence, KeyUnreadable) as error:
            logger.critical("sequencer.halted", found=str(error))
            reports.report(connection, reports.HALTED, str(error))
            raise
        finally:
            cosigning.stop()

    def _stand_by(self, connection: psycopg.Connection[Any]) -> bool:
        """Wait until nobody else is active; False when told to stop before that."""
        is_said = False
        while not self.stopping.is_asked:
            row = connection.execute("SELECT pg_try_advisory_lock(%s)", [SEQUENCER_LOCK]).fetchone()
            if row == (True,):
                return True
            if not is_said:
                logger.info("sequencer.standing_by")
                is_said = True
            self.stopping.wait(STANDBY_INTERVAL)
        return False

    def _compare(self, connection: psycopg.Connection[Any], sequencer: Sequencer) -> bool:
        """Ask the witnesses before anything is signed; False when told to stop before that.

        After a restore the first new checkpoint could have the size of one that was signed
        before, and another root: so until they have answered, nothing is sequenced.
        """
        pause = STANDBY_INTERVAL
        while not self.stopping.is_asked:
            offer = sequencer.offer()
            if offer is None:
                return True
            try:
                self._witnesses.compare(offer)
            except TileInvalid as error:
                raise CannotSequence(
                    f"{error}: the tree was altered. Run manage.py verify"
                ) from None
            except Diverged as found:
                suspend(connection, offer.epoch, str(found))
                reports.report(connection, reports.HALTED, str(found), about=reports.WITNESS)
                logger.critical("sequencer.diverged", epoch=offer.epoch, found=str(found))
                return True
            except Unreachable as error:
                said = f"not compared with the witness yet: {error}"
                reports.report(connection, reports.BEHIND, said)
                logger.error("sequencer.not_compared", found=str(error))
                self.stopping.wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                return True
        return False

    def _sequence(
        self, connection: psycopg.Connection[Any], sequencer: Sequencer, cosigning: Cosigning
    ) -> None:
        waiting, limit = _Alarm(connection), BATCH
        sequencer.step(limit)
        if (newest := sequencer.newest()) is not None:
            cosigning.offer(newest)  # perhaps nobody came to cosign it before the last one ended
        while not self.stopping.is_asked:
            begun = time.monotonic()
            stepped = sequencer.step(limit)
            if stepped.signed is not None:
                cosigning.offer(stepped.signed)
            if stepped.entries >= limit:
                limit = CATCH_UP  # it is behind: no pause, and more at once
                continue
            limit = BATCH
            waiting.look(sequencer)
            self.stopping.wait(INTERVAL - (time.monotonic() - begun))


class _Alarm:
    """Says when entries wait too long for their place, whom for, and when that is over."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._waiting = Waiting()
        self._looked_at = 0.0
        self._said_at: float | None = None

    def look(self, sequencer: Sequencer) -> None:
        now, epoch, place = time.monotonic(), sequencer.epoch, sequencer.place
        if epoch is None or place is None or now - self._looked_at < _LOOK_AGAIN:
            return
        self._looked_at, seconds = now, 0.0
        if place.xid or epoch.number == 1:  # else it goes by ids yet, and waits for nobody
            seconds = self._waiting.look(self._connection, place, epoch.first_entry)
        if seconds > ALARM_SECONDS:
            self._raise(seconds)
        elif self._said_at is not None:
            reports.report(self._connection, reports.RUNNING)
            logger.info("sequencer.caught_up")
            self._said_at = None

    def _raise(self, seconds: float) -> None:
        now = time.monotonic()
        if self._said_at is not None and now - self._said_at < _ALARM_AGAIN:
            return
        holder = who_holds(self._connection)
        logger.error("sequencer.behind", seconds=round(seconds, 1), holder=holder)
        if self._said_at is None:
            reports.report(
                self._connection,
                reports.BEHIND,
                f"entries have been waiting for their place for {seconds:.0f} s, because of"
                f" {holder}",
            )
        self._said_at = now
