"""The gateway's judge: by the activation in force, as every snapshot tells it. No Django.

Owns the change from one bundle to the next. The new one is read and built beside the old one,
away from the calls, and takes over when it can judge; one that cannot be built leaves the old
one in its place, is spoken of, and is tried again.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import psycopg
import structlog

from policy.standing import StandingJudge

logger = structlog.get_logger("unsprawl.policy")

AGAIN_SECONDS: Final = 5.0
_READ: Final = "SELECT packed FROM rules_bundle WHERE digest = %s"


class PolicyInForce:
    """Keeps a judge at the bundle that snapshots name."""

    def __init__(self, address: str) -> None:
        self._address = address
        self.judge = StandingJudge()
        self._wanted = ""
        self._rung = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._told = ""

    def __repr__(self) -> str:
        return "PolicyInForce(•••)"  # the address carries a password

    @property
    def fault(self) -> str:
        """Why what is in force does not judge here; empty when it does."""
        return self.judge.fault

    def want(self, digest: str) -> None:
        """Judge by this bundle as soon as it is built."""
        if digest != self._wanted:
            self._wanted = digest
            self._rung.set()

    async def open(self) -> None:
        """Build what is in force, and keep following it."""
        await self._follow()
        self._task = asyncio.create_task(self._keep_following(), name="policy")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await asyncio.to_thread(self.judge.close)

    async def _keep_following(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(AGAIN_SECONDS if self._is_behind else None):
                    await self._rung.wait()
            await self._follow()

    @property
    def _is_behind(self) -> bool:
        return self._wanted != self.judge.bundle_digest

    async def _follow(self) -> None:
        self._rung.clear()
        wanted = self._wanted
        try:
            packed = await self._read(wanted) if self._is_behind and wanted else b""
        except (psycopg.Error, OSError, TimeoutError) as error:
            logger.warning("policy.unread", bundle=wanted, kind=type(error).__name__)
            return
        await asyncio.to_thread(self.judge.follow, wanted, lambda: packed)
        self._tell()

    async def _read(self, digest: str) -> bytes:
        async with asyncio.timeout(10):
            connection = await psycopg.AsyncConnection.connect(
                self._address, autocommit=True, connect_timeout=5
            )
            async with connection:
                cursor = await connection.execute(_READ, (digest,))
                row = await cursor.fetchone()
        return b"" if row is None else bytes(row[0])

    def _tell(self) -> None:
        said = f"{self.judge.bundle_digest} {self.fault}"
        if said != self._told:
            self._told = said
            tell = logger.error if self.fault else logger.info
            tell("policy.judging", bundle=self.judge.bundle_digest, fault=self.fault)
