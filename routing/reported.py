"""Finding what an agent reported before, and which calls of its own the gateway saw. No Django.

One connection, asked once for each few hundred steps. When the database cannot say, the
report is refused for now: a step that may be there already is not recorded on a guess.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import psycopg

from routing.gateway.errors import NotGoverned
from routing.gateway.reporting.known import Call, Known, Question

_OPTIONS: Final = "-c statement_timeout=4000 -c default_transaction_read_only=on"
PATIENCE_SECONDS: Final = 5.0
_KEYS: Final = """
    SELECT report_key, entry_id, run_id FROM routing_reportedstep
    WHERE agent_id = %s AND report_key = ANY(%s)
"""
_RUNS: Final = """
    SELECT DISTINCT ON (trace_id) trace_id, run_id FROM routing_reportedstep
    WHERE agent_id = %s AND trace_id = ANY(%s) AND trace_id <> '' ORDER BY trace_id, id
"""
# The attempt that served comes last, and counts.
_CALLS: Final = """
    SELECT response_id, caller_span, coalesce(nullif(call_id, ''), intent_id), run_id
    FROM routing_call
    WHERE agent_id = %s AND started_at BETWEEN %s AND %s AND NOT is_shadow
      AND (response_id = ANY(%s) OR caller_span = ANY(%s)) ORDER BY id
"""


class ReportedSteps:
    """The index of reported steps and of the calls they may speak of."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._turn = asyncio.Lock()

    def __repr__(self) -> str:
        return "ReportedSteps(•••)"  # the address carries a password

    async def look(self, question: Question) -> Known:
        """Return what is known. Raises: NotGoverned."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), self._turn:
                return await self._look(question)
        except TimeoutError:
            raise NotGoverned from None

    async def _look(self, question: Question) -> Known:
        try:
            return await self._ask(question)
        except (psycopg.Error, OSError):
            await self.close()
            try:  # the connection was perhaps an old one
                return await self._ask(question)
            except (psycopg.Error, OSError):
                await self.close()
                raise NotGoverned from None
        except asyncio.CancelledError:
            await self.close()  # an answer may be on its way that nobody waits for
            raise

    async def _ask(self, asked: Question) -> Known:
        if self._connection is None:
            self._connection = await psycopg.AsyncConnection.connect(
                self._address, autocommit=True, connect_timeout=3, options=_OPTIONS
            )
        entries: dict[str, tuple[str, str]] = {}
        runs: dict[str, str] = {}
        calls: dict[str, Call] = {}
        if asked.keys:
            rows = await self._rows(_KEYS, asked.agent_id, [*asked.keys])
            entries = {key: (entry_id, run_id) for key, entry_id, run_id in rows}
        if asked.traces:
            runs = dict(await self._rows(_RUNS, asked.agent_id, [*asked.traces]))
        if asked.responses or asked.callers:
            wanted = ([*asked.responses], [*asked.callers])
            for response, caller, intent_id, run_id in await self._rows(
                _CALLS, asked.agent_id, asked.since, asked.until, *wanted
            ):
                call = Call(intent_id, run_id)
                calls |= {name: call for name in (response, caller) if name}
        return Known(entries, runs, calls)

    async def _rows(self, text: str, *values: Any) -> list[Any]:
        assert self._connection is not None  # noqa: S101  callers have one
        cursor = await self._connection.execute(text, values)
        return await cursor.fetchall()

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
