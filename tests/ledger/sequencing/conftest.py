"""A log on a cluster of its own: its entries are committed, its sequencers are processes."""

from __future__ import annotations

import contextlib
import hashlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bench.gateway.rig import ROOT, Rig
from config.embedded.postgres import DATABASE, SUPERUSER
from ledger.sequencing.keys import SigningKey
from ledger.sequencing.sequencer import Sequencer
from ledger.sequencing.service import connect
from ledger.transparency import checkpoints
from ledger.transparency.merkle import Frontier
from ledger.transparency.notes import SignatureLine, SignedNote
from tests.rigs import CopiedRig

TREE = (
    "ledger_sequencerreport", "ledger_checkpointsignature", "ledger_checkpoint", "ledger_tile",
    "ledger_leaf", "ledger_suspension", "ledger_epoch", "ledger_entry",
)  # fmt: skip
INSERT = (
    "INSERT INTO ledger_entry (entry_id, stream, writer, seq, prev_hash, header, leaf_hash, kind,"
    " verb, actor, subject, agent_id, recorded_at)"
    " SELECT name, name, 'w', 1, '', header, sha256('\\x00'::bytea || header), 'change',"
    " 'agent.changed', 'user:a', 'agent:a', '', {when}"
    " FROM (SELECT %s || n AS name, convert_to('entry ' || %s || n, 'UTF8') AS header, n"
    " FROM generate_series(1, %s) n) made"
)
HOST = "ledger.example"
READ_EPOCHS = "SELECT number, origin, public_key FROM ledger_epoch ORDER BY number"


class Log:
    """What is committed, what is sequenced, and whether the two agree."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.key = SigningKey.load(rig.keys_dir)
        self.admin = self.session(SUPERUSER)
        self.empty()
        self.said = rig.home / "sequencer.log"
        self.said.write_bytes(b"")
        self._batches = 0
        self._processes: list[subprocess.Popen[bytes]] = []

    def empty(self) -> None:
        self.admin.execute("SET session_replication_role = replica")
        self.admin.execute(f"TRUNCATE {', '.join(TREE)}")
        self.notes: dict[tuple[int, int], str] = {}

    def session(self, role: str = "", **options: Any) -> psycopg.Connection[Any]:
        address = self.rig.postgres.address(role, DATABASE) if role else self.rig.owner
        return psycopg.connect(address, autocommit=True, **options)

    def close(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        self.admin.close()

    # --- writing

    def fill(
        self,
        count: int,
        connection: psycopg.Connection[Any] | None = None,
        *,
        when: str = "now()",
    ) -> None:
        """Record entries, on the connection's terms: committed unless it is in a transaction."""
        self._batches += 1
        name = f"b{self._batches}-"
        (connection or self.admin).execute(INSERT.format(when=when), [name, name, count])

    # --- sequencing

    def sequencer(self) -> tuple[psycopg.Connection[Any], Sequencer]:
        connection = connect(self.rig.sequencer)
        return connection, Sequencer(connection, self.key, host=HOST)

    def start(
        self,
        *,
        crash_at: str = "",
        program: tuple[str, ...] = ("-m", "config.sequencer"),
        database: str = "",
        keys: Path | None = None,
    ) -> subprocess.Popen[bytes]:
        environment = self.rig.environment(DATABASE_SEQUENCER_URL=database or self.rig.sequencer)
        environment["UNSPRAWL_KEYS_DIR"] = str(keys or self.rig.keys_dir)
        environment |= {"UNSPRAWL_CRASH_AT": crash_at, "UNSPRAWL_PUBLIC_URL": f"http://{HOST}"}
        with self.said.open("ab") as said:
            process = subprocess.Popen(
                [sys.executable, *program], cwd=ROOT, env=environment, stdout=said, stderr=said
            )
        self._processes.append(process)
        return process

    def stop(self, process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> int:
        process.send_signal(number)
        return process.wait(60)

    # --- reading

    def query(self, text: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.admin.execute(text, values).fetchall()

    def one(self, text: str, *values: Any) -> Any:
        ((value,),) = self.query(text, *values)
        return value

    @property
    def committed(self) -> int:
        return int(self.one("SELECT count(*) FROM ledger_entry"))

    @property
    def sequenced(self) -> int:
        return int(self.one("SELECT count(*) FROM ledger_leaf"))

    @property
    def is_settled(self) -> bool:
        """Everything has its place, and the newest checkpoint is signed."""
        return self.committed == self.sequenced == self.signed

    @property
    def signed(self) -> int:
        return int(
            self.one(
                "SELECT coalesce(max(size), 0) FROM ledger_checkpointsignature WHERE NOT is_witness"
            )
        )

    def wait(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.state()
            time.sleep(0.02)

    def settle(self, seconds: float = 60) -> None:
        self.wait(lambda: self.is_settled, seconds)

    def state(self) -> str:
        said = self.said.read_text(encoding="utf-8")[-2_000:]
        reports = self.query("SELECT about, state, found FROM ledger_sequencerreport")
        return f"{self.committed=} {self.sequenced=} {self.signed=} {reports=} {said=}"

    # --- judging

    def check(self) -> None:
        """Compute every root again from the headers; compare notes with all seen before."""
        for number, origin, public in self.query(READ_EPOCHS):
            assert bytes(public) == self.key.public
            roots = self._roots(number)
            for size, root in self.query(
                "SELECT size, root FROM ledger_checkpoint WHERE epoch = %s", number
            ):
                assert bytes(root) == roots[size], f"the root at {size} is not that of its leaves"
            for size, line in self.query(
                "SELECT size, line FROM ledger_checkpointsignature"
                " WHERE epoch = %s AND NOT is_witness",
                number,
            ):
                text = checkpoints.Checkpoint(origin, size, roots[size]).text
                note = SignedNote(text, (SignatureLine.parse(line),))
                note.verify(self.key.vkey(origin))
                assert self.notes.setdefault((number, size), bytes(note).decode()) == str(
                    bytes(note).decode()
                )

    def _roots(self, epoch: int) -> list[bytes]:
        rows = self.query(
            'SELECT l."index", l.leaf_hash, e.header FROM ledger_leaf l'
            ' LEFT JOIN ledger_entry e ON e.id = l.entry WHERE l.epoch = %s ORDER BY l."index"',
            epoch,
        )
        frontier = Frontier()
        roots = [frontier.root()]
        for expected, (index, kept, header) in enumerate(rows):
            leaf = hashlib.sha256(b"\0" + bytes(header)).digest()
            assert (index, bytes(kept)) == (expected, leaf)
            frontier.append(leaf)
            roots.append(frontier.root())
        return roots


@pytest.fixture(scope="session")
def sequencing_rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with CopiedRig(tmp_path_factory.mktemp("sequencing"), fsync=False) as made:
        yield made


@pytest.fixture
def log(sequencing_rig: Rig) -> Iterator[Log]:
    made = Log(sequencing_rig)
    with contextlib.closing(made):
        yield made


@pytest.fixture
def programs() -> Path:
    return Path(__file__).parent
