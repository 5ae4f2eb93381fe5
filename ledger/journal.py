"""Recording from a process without Django: many callers, one connection, one commit for all.

Owns the chains of one writer. A batch is whatever arrived while the last commit ran, so
there is no timer to wait for and no window to tune. A caller's await ends when its entry
is durable, or with a refusal: queued is never said to be recorded. Heads move only when a
commit is known to have happened; when a connection is lost nobody can know, so the writer
goes on under a new epoch. A writer whose row was closed by somebody else is fenced: the
insert itself reads that row under a lock, and nothing of it can be added any more. What an
entry holds or spends is counted in its commit; when a batch as a whole does not fit, its
entries are judged one by one under the same locks, and those that do not fit are refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg
import structlog
from psycopg.errors import DataError, IntegrityError

from kernel.refs import new_id
from ledger import holds
from ledger.batches import Job, Row, Statement, Table
from ledger.columns import teach
from ledger.durability import QUERY as DURABILITY
from ledger.durability import judged
from ledger.entries import GENESIS, EntryTooLarge, Fields, Link, link
from ledger.errors import JournalDown, LedgerSuspended
from ledger.holds import Book, Levels, Move, NoRoom
from ledger.prepared import Prepared
from ledger.suspended import QUERY as SUSPENSION
from ledger.suspended import SUSPENDED, Suspended, require_unsuspended

__all__ = ["Journal", "JournalDown", "JournalFull", "NoRoom", "NotRecordable", "Row", "Table"]

logger = structlog.get_logger("unsprawl.journal")

QUEUE_LIMIT: Final = 4096
BATCH_ENTRIES: Final = 256
BATCH_BYTES: Final = 8 * 1024 * 1024
HEADS_KEPT: Final = 20_000
HEARTBEAT_SECONDS: Final = 2.0
COMMIT_SECONDS: Final = 10.0
_LONGEST_PAUSE: Final = 2.0

# A statement or lock that takes longer than this is a fault, and a fault is refused.
# The one statement is planned once: its arrays differ in length, and its plan never does.
_OPTIONS: Final = (
    "-c statement_timeout=8000 -c lock_timeout=5000 -c synchronous_commit=on"
    " -c plan_cache_mode=force_generic_plan"
)


class JournalFull(JournalDown):
    """Raised when more waits to be recorded than may wait."""

    code = "ledger.journal_full"
    title = "Too much is waiting to be recorded"


class NotRecordable(JournalDown):
    """Raised when the database refuses this one entry; the others of its batch stand."""

    code = "ledger.not_recordable"
    title = "This entry was refused by the ledger"


class _TooFull(Exception):
    """The batch as a whole does not fit, or a window of it is not there yet."""


class _Fenced(Exception):
    """The writer's row was closed by somebody else: this epoch is over."""


@dataclass(frozen=True, slots=True)
class _Head:
    seq: int
    leaf_hash: bytes


@dataclass(frozen=True, slots=True)
class _Written:
    """What a statement has written: the heads as they will be, the moves, where those led."""

    heads: dict[str, _Head]
    moves: list[Move]
    levels: list[list[int]] | None


class Journal:
    """One writer of chains. Not for two event loops, and not for Django (see `ledger.record`)."""

    def __init__(
        self,
        address: str,
        *,
        process: str,
        prefix: str = "gw",
        book: Book | None = None,
        before_epoch: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._address = address
        self._process = process
        self._prefix = prefix
        self._book = book
        self._before_epoch = before_epoch  # awaited before every epoch but the first
        self._waiting: deque[Job] = deque()
        self._wake = asyncio.Event()
        self._heads: OrderedDict[str, _Head] = OrderedDict()
        self._has_forgotten = False
        self._statements: dict[tuple[bool, tuple[Table, ...]], Statement] = {}
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._prepared: Prepared | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self.writer = ""
        self._refusal: type[JournalDown] = JournalDown
        self.batches = 0
        self.slow_batches = 0
        self.seconds = 0.0
        self.entries = 0
        self.levels: Levels = Levels()
        self._in_doubt: set[str] = set()
        self._durable: set[str] | None = None

    def __repr__(self) -> str:
        return f"Journal({self.writer or 'down'})"  # the address carries a password

    @property
    def is_up(self) -> bool:
        return bool(self.writer) and not self._closing

    @property
    def why_down(self) -> str:
        return "the ledger" + ", suspended" * (self._refusal is LedgerSuspended)

    @property
    def depth(self) -> int:
        return len(self._waiting)

    async def open(self) -> None:
        """Start the first epoch. Raises psycopg.Error when there is no database."""
        try:
            await self._begin_epoch()
        except Suspended:  # it may be over soon, and until then everything is refused
            self._refusal = LedgerSuspended
            await self._let_go()
        self._task = asyncio.create_task(self._keep_writing(), name="journal")

    async def append(
        self,
        fields: Fields,
        *,
        stream: str,
        rows: Sequence[Row] = (),
        is_first: bool = False,
        moves: Sequence[Move] = (),
    ) -> None:
        """Return once the entry, its rows and its moves are durable, in one commit.

        ``is_first`` says that nobody has written to this stream before, which saves a look
        at the database. Raises: JournalDown, JournalFull, NotRecordable; NoRoom.
        """
        if not self.is_up:
            raise self._refusal
        if len(self._waiting) >= QUEUE_LIMIT:
            raise JournalFull
        committed = asyncio.get_running_loop().create_future()
        self._waiting.append(Job(fields, stream, rows, is_first, committed, moves))
        self._wake.set()
        await committed

    def take_doubts(self) -> set[str] | None:
        """Return which entries are durable after all, of those refused when it was lost.

        None until it has begun anew: only then is it known.
        """
        durable, self._durable = self._durable, None
        return durable

    async def close(self) -> None:
        """Record what waits, say that this writer is done, and let go of the connection."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            if not self.writer:
                self._task.cancel()  # it waits for a database that may be gone for good
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._connection is not None and not self._connection.closed:
            with contextlib.suppress(psycopg.Error):
                await self._close_writers()
        await self._let_go()
        self._refuse_all()
        self.writer = ""

    # --- the one writing task

    async def _keep_writing(self) -> None:
        pause = 0.05
        while True:
            try:
                if not self.writer:
                    if self._before_epoch is not None:
                        await self._before_epoch()
                    await self._begin_epoch()
                pause = 0.05
                await self._write_until_closed()
                return
            except _Fenced:
                logger.error("journal.fenced", writer=self.writer)
            except (psycopg.Error, OSError, TimeoutError) as error:
                self._refusal = LedgerSuspended if isinstance(error, Suspended) else JournalDown
                logger.error("journal.down", writer=self.writer, kind=type(error).__name__)
            self.writer = ""
            self._refuse_all()
            await self._let_go()
            if self._closing:
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _begin_epoch(self) -> None:
        async with asyncio.timeout(COMMIT_SECONDS):
            connection = await psycopg.AsyncConnection.connect(
                self._address,
                autocommit=True,
                options=_OPTIONS,
                connect_timeout=5,
                cursor_factory=psycopg.AsyncRawCursor,
            )
        teach(connection)
        self._connection, self._prepared = connection, Prepared(connection)
        self._heads.clear()
        self._has_forgotten = False
        writer = new_id(self._prefix)
        async with asyncio.timeout(COMMIT_SECONDS):
            judged(await (await connection.execute(DURABILITY)).fetchone()).require()
            require_unsuspended(await (await connection.execute(SUSPENSION)).fetchone())
            # An earlier epoch of this process may still have a statement running in a
            # backend that does not know yet that we are gone: closing waits for it.
            await self._close_writers()
            await self._settle_doubts(connection)
            await connection.execute(
                "INSERT INTO ledger_writer (writer, process, started_at, heartbeat_at)"
                " VALUES ($1, $2, now(), now())",
                (writer, self._process),
            )
        self.writer = writer
        logger.info("journal.open", writer=writer)

    async def _settle_doubts(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Look which entries of the last batch are there; nothing of it is on its way any more."""
        cursor = await connection.execute(
            "SELECT entry_id FROM ledger_entry WHERE entry_id = ANY($1)", (sorted(self._in_doubt),)
        )
        self._durable = (self._durable or set()) | {row[0] for row in await cursor.fetchall()}
        self._in_doubt.clear()

    async def _close_writers(self) -> None:
        assert self._connection is not None  # noqa: S101  callers hold one
        await self._connection.execute(
            "UPDATE ledger_writer SET closed_at = now() WHERE process = $1 AND closed_at IS NULL",
            (self._process,),
        )

    async def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        prepared, self._prepared = self._prepared, None
        if prepared is not None:
            prepared.close()
        if connection is not None:
            with contextlib.suppress(psycopg.Error, OSError):
                await connection.close()

    def _refuse_all(self) -> None:
        while self._waiting:
            _refuse(self._waiting.popleft(), JournalDown())

    async def _write_until_closed(self) -> None:
        loop = asyncio.get_running_loop()
        beaten = loop.time()
        while self._waiting or not self._closing:
            if not self._waiting:
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(0.0, beaten + HEARTBEAT_SECONDS - loop.time())):
                        await self._wake.wait()
            if self._waiting:
                await self._write(self._take())
            if loop.time() - beaten >= HEARTBEAT_SECONDS:
                await self._beat()
                beaten = loop.time()

    async def _beat(self) -> None:
        assert self._connection is not None  # noqa: S101
        async with asyncio.timeout(COMMIT_SECONDS):
            cursor = await self._connection.execute(
                "UPDATE ledger_writer SET heartbeat_at = now()"
                " WHERE writer = $1 AND closed_at IS NULL",
                (self.writer,),
            )
        if cursor.rowcount != 1:
            raise _Fenced

    def _take(self) -> list[Job]:
        jobs: list[Job] = []
        size = 0
        while self._waiting and len(jobs) < BATCH_ENTRIES and size < BATCH_BYTES:
            job = self._waiting.popleft()
            size += job.size
            jobs.append(job)
        return jobs

    async def _write(self, jobs: list[Job]) -> None:
        """Commit a batch; when the database refuses one entry, commit the others alone."""
        try:
            if not await self._try_commit(jobs):
                for job in jobs:
                    if not await self._try_commit([job]):
                        _refuse(job, NotRecordable())
        except Suspended:
            for job in jobs:
                _refuse(job, LedgerSuspended())
            raise
        except BaseException:
            self._in_doubt |= {job.fields.entry_id for job in jobs}
            for job in jobs:
                _refuse(job, JournalDown())
            raise

    async def _try_commit(self, jobs: list[Job]) -> bool:
        try:
            await self._commit(jobs)
        except (DataError, IntegrityError, EntryTooLarge, ValueError, TypeError) as error:
            if isinstance(error, IntegrityError) and error.diag.constraint_name == SUSPENDED:
                raise Suspended from error  # since it was asked; it is asked again from here on
            logger.error("journal.refused", kind=type(error).__name__, entries=len(jobs))
            return False
        return True

    async def _commit(self, jobs: list[Job]) -> None:
        try:
            written = await self._insert(jobs)
        except _TooFull:
            await self._commit_one_by_one(jobs)
        else:
            self._conclude(jobs, written)

    async def _insert(self, jobs: list[Job], *, were_judged: bool = False) -> _Written:
        assert self._prepared is not None  # noqa: S101  callers hold a connection
        heads = await self._heads_of(jobs)
        links: list[Link] = []
        for job in jobs:
            head = heads.get(job.stream) or self._heads.get(job.stream) or _Head(0, GENESIS)
            added = link(
                job.fields,
                stream=job.stream,
                writer=self.writer,
                seq=head.seq + 1,
                prev_hash=head.leaf_hash,
            )
            heads[job.stream] = _Head(added.seq, added.leaf_hash)
            links.append(added)
        moves = holds.summed(move for job in jobs for move in job.moves)
        counts = holds.columns(moves, asking=not were_judged) if moves else []
        statement = self._statement_for(jobs, has_moves=bool(moves))
        begun = time.perf_counter()
        async with asyncio.timeout(COMMIT_SECONDS):
            row = await self._prepared.row(
                statement.text, statement.values(self.writer, links, jobs, counts)
            )
        self.seconds += time.perf_counter() - begun
        if row is not None and moves and row[1] and not row[2]:
            raise _TooFull
        if row is None or row[0] != len(links):
            raise _Fenced
        return _Written(heads, moves, row[3] if moves else None)

    async def _commit_one_by_one(self, jobs: list[Job]) -> None:
        """Judge the entries in their order under the locks of their windows; write what fits."""
        assert self._connection is not None  # noqa: S101
        assert self._book is not None  # noqa: S101  there are moves
        self.slow_batches += 1
        asked = sorted({move.window for job in jobs for move in job.moves if move.asks})
        touched = sorted({move.window for job in jobs for move in job.moves})
        written: _Written | None = None
        async with asyncio.timeout(COMMIT_SECONDS):
            await self._connection.execute(self._book.opening, holds.keys(asked), prepare=True)
            async with self._connection.transaction():
                cursor = await self._connection.execute(
                    self._book.locking, holds.keys(touched), prepare=True
                )
                fitting, refused = holds.judged(jobs, await cursor.fetchall())
                if fitting:
                    written = await self._insert(fitting, were_judged=True)
        if written is not None:
            self._conclude(fitting, written)
        for job, refusal in refused:
            self.levels.learn(refusal)
            _refuse(job, refusal)

    def _conclude(self, jobs: list[Job], written: _Written) -> None:
        """Take note of a commit that has happened."""
        self._move(written.heads)
        if written.levels:
            self.levels.note(written.moves, written.levels)
        self.batches += 1
        self.entries += len(jobs)
        for job in jobs:
            if not job.committed.done():
                job.committed.set_result(None)

    def _statement_for(self, jobs: list[Job], *, has_moves: bool) -> Statement:
        tables = tuple(sorted({row.table for job in jobs for row in job.rows}))
        statement = self._statements.get((has_moves, tables))
        if statement is None:
            made = Statement(tables, self._book if has_moves else None)
            statement = self._statements[has_moves, tables] = made
        return statement

    async def _heads_of(self, jobs: list[Job]) -> dict[str, _Head]:
        """Read back the heads that were forgotten for want of room; none in most batches."""
        if not self._has_forgotten:
            return {}
        # One by one: a set less a dict's keys would walk all the heads that are kept.
        unknown = {job.stream for job in jobs if not job.is_first and job.stream not in self._heads}
        if not unknown:
            return {}
        assert self._connection is not None  # noqa: S101
        async with asyncio.timeout(COMMIT_SECONDS):
            cursor = await self._connection.execute(
                "SELECT DISTINCT ON (stream) stream, seq, leaf_hash FROM ledger_entry"
                " WHERE stream = ANY($1) AND writer = $2 ORDER BY stream, seq DESC",
                (sorted(unknown), self.writer),
            )
            return {row[0]: _Head(row[1], bytes(row[2])) for row in await cursor.fetchall()}

    def _move(self, moved: dict[str, _Head]) -> None:
        for stream, head in moved.items():
            self._heads[stream] = head
            self._heads.move_to_end(stream)
        while len(self._heads) > HEADS_KEPT:
            self._heads.popitem(last=False)
            self._has_forgotten = True


def _refuse(job: Job, error: JournalDown | NoRoom) -> None:
    if not job.committed.done():
        job.committed.set_exception(error)
        # A caller that was cancelled will not look; asyncio must not complain about that.
        job.committed.exception()
