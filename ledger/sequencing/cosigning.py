"""Handing each newest note to the witnesses, in a thread and on a connection of its own.

Owns what a slow or absent witness costs: nothing but level L3. Only the newest note waits to
be offered; what came between is covered by it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

import psycopg
import structlog

from ledger.levels import Announced, Level
from ledger.sequencing import reports
from ledger.sequencing.comparing import confirmed
from ledger.sequencing.crashing import CrashPoint, crash
from ledger.sequencing.epochs import suspend
from ledger.sequencing.signing import Signed, keep_line
from ledger.sequencing.stored import Roots, StoredTiles
from ledger.sequencing.witnesses import Diverged, NoWitnesses, Offer, Unreachable, Witnesses
from ledger.transparency.tiles import TileInvalid

ALARM_SECONDS: Final = 60.0
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 10.0

logger = structlog.get_logger("unsprawl.sequencer")


class Cosigning:
    """One thread that offers notes while its sequencer is active."""

    def __init__(
        self,
        address: str,
        connect: Callable[[str], psycopg.Connection[Any]],
        witnesses: Witnesses,
    ) -> None:
        self._address, self._connect, self._witnesses = address, connect, witnesses
        self._newest: Signed | None = None
        self._wake = threading.Condition()
        self._is_stopping = False
        self._pause = _FIRST_PAUSE
        self._failing_since: float | None = None
        self._roots_of, self._roots = 0, Roots()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to offer. With nobody to offer to, do nothing."""
        if not isinstance(self._witnesses, NoWitnesses):
            self._thread = threading.Thread(target=self._run, name="cosigning", daemon=True)
            self._thread.start()

    def offer(self, signed: Signed) -> None:
        """Take a note; never waits."""
        with self._wake:
            self._newest = signed
            self._wake.notify()

    def stop(self) -> None:
        """End. What a witness has not answered yet is offered at the next start."""
        with self._wake:
            self._is_stopping = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _run(self) -> None:
        offered: Signed | None = None
        while (signed := self._next(offered)) is not None:
            try:
                with self._connect(self._address) as connection:
                    while signed is not None:
                        self._cosign(connection, signed)
                        offered, self._pause = signed, _FIRST_PAUSE
                        signed = self._next(offered)
                    return
            except Unreachable as error:
                self._say_unreachable(str(error))
            except TileInvalid as error:
                # The sequencer itself looks at the edge only; proofs look further in.
                self._say_unreachable(f"the tree was altered: {error}")
            except psycopg.Error as error:
                logger.error("cosigning.lost", kind=type(error).__name__)
            self._rest()

    def _next(self, after: Signed | None) -> Signed | None:
        """Return the newest note once there is one that was not offered; None to end."""
        with self._wake:
            while not self._is_stopping and (self._newest is None or self._newest is after):
                self._wake.wait()
            return None if self._is_stopping else self._newest

    def _rest(self) -> None:
        with self._wake:
            if not self._is_stopping:
                self._wake.wait_for(lambda: self._is_stopping, timeout=self._pause)
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)

    def _cosign(self, connection: psycopg.Connection[Any], signed: Signed) -> None:
        checkpoint = signed.checkpoint
        if self._roots_of != signed.epoch:
            self._roots_of, self._roots = signed.epoch, {}
        tiles = StoredTiles(connection, signed.epoch, self._roots)
        nodes = tiles.nodes(checkpoint.size)
        offer = Offer(
            signed.epoch, checkpoint.origin, checkpoint.size, checkpoint.root, nodes, signed.note
        )
        try:
            lines = self._witnesses.cosign(offer)
        except Diverged as error:
            # A sequencer that was deposed may hold an old note: another one has gone on.
            found = confirmed(connection, self._witnesses, offer, str(error))
            if found:
                suspend(connection, signed.epoch, found)
                reports.report(connection, reports.HALTED, found, about=reports.WITNESS)
                logger.critical("sequencer.diverged", epoch=signed.epoch, found=found)
            return
        crash(CrashPoint.COSIGNED)
        with connection.transaction():
            announced = Announced(signed.epoch, checkpoint.size, Level.WITNESSED)
            for line in lines:
                keep_line(connection, announced, line)
        crash(CrashPoint.COSIGNATURE_PUBLISHED)
        if self._failing_since is not None:
            self._failing_since = None
            logger.info("cosigning.answered")
        reports.report(connection, reports.RUNNING, about=reports.WITNESS)

    def _say_unreachable(self, error: str) -> None:
        now = time.monotonic()
        self._failing_since = self._failing_since or now
        logger.error("cosigning.unreachable", found=error)
        if now - self._failing_since < ALARM_SECONDS:
            return
        try:
            with self._connect(self._address) as connection:
                said = f"nothing has been witnessed for a minute or more: {error}"
                reports.report(connection, reports.BEHIND, said, about=reports.WITNESS)
        except psycopg.Error as lost:
            logger.error("cosigning.lost", kind=type(lost).__name__)
