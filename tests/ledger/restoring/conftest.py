"""An installation that is backed up, goes on, and is restored: its own cluster and processes."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

from bench.gateway.rig import ROOT, Rig
from config.embedded import privilege
from config.embedded.postgres import DATABASE, OWNER
from config.watched import answers, trust_once
from ledger.transparency.checkpoints import Checkpoint
from ledger.transparency.merkle import Frontier
from ledger.transparency.notes import SignatureLine, SignedNote, VerifierKey
from tests.ports import free_port

HOST: Final = "ledger.example"
# One entry on record, by the application's own code and role.
RECORD: Final = """
import sys, django
django.setup()
from django.db import transaction
from kernel.refs import Ref
from ledger.record import record
from ledger.verbs import Verb
for n in range(int(sys.argv[1])):
    with transaction.atomic():
        record(Verb.AGENT_CHANGED, Ref("agent", f"agt_{n % 3}"), actor=Ref("person", "per_a"))
"""


class Installation:
    """A database, a witness and a sequencer, as `make run` would start them."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.home = rig.home
        self.said = rig.home / "said.log"
        self.url = ""
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def environment(self, **more: str) -> dict[str, str]:
        return self.rig.environment(
            DATABASE_OWNER_URL=self.rig.owner,
            DATABASE_SEQUENCER_URL=self.rig.sequencer,
            UNSPRAWL_PUBLIC_URL=f"http://{HOST}",
            UNSPRAWL_WITNESS_URL=self.url,
            UNSPRAWL_STATIC_DIR=str(self.home / "static"),
            **more,
        )

    # --- processes

    def start_witness(self) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._spawn(
            "witness",
            UNSPRAWL_WITNESS_PORT=str(port),
            UNSPRAWL_WITNESS_LOG_KEYS=(self.rig.keys_dir / "ledger.pub").read_text().strip(),
        )
        self.wait(lambda: answers(self.url))
        trust_once(self.home / "witness", self.rig.keys_dir)

    def start_sequencer(self) -> None:
        self._spawn("sequencer")

    def _spawn(self, name: str, **more: str) -> None:
        with self.said.open("ab") as said:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", f"config.{name}"],
                cwd=ROOT, env=self.environment(**more), stdout=said, stderr=said,
            )  # fmt: skip

    def stop(self, name: str) -> None:
        process = self.processes.pop(name)
        process.terminate()
        process.wait(60)

    def stop_all(self) -> None:
        for name in [*self.processes]:
            self.stop(name)

    def manage(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=ROOT, env=self.environment(**more), capture_output=True, text=True, check=False,
        )  # fmt: skip

    def record(self, count: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", RECORD, str(count)],
            cwd=ROOT, env=self.environment(DJANGO_SETTINGS_MODULE="config.settings"),
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    # --- backing up

    def copy_cluster(self, name: str) -> None:
        """Stop the server, copy its files, start it again."""
        self.rig.postgres.stop()
        shutil.copytree(self.rig.postgres.data, self.home / name, symlinks=True)
        self.rig.spawn()

    def put_back(self, name: str) -> None:
        self.rig.postgres.stop()
        shutil.rmtree(self.rig.postgres.data)
        shutil.copytree(self.home / name, self.rig.postgres.data, symlinks=True)
        for path in [self.rig.postgres.data, *self.rig.postgres.data.rglob("*")]:
            privilege.give(path)
        self.rig.spawn()

    def dump_into_a_new_cluster(self) -> None:
        binaries, dump = self.rig.postgres.binaries, str(self.home / "log.dump")
        subprocess.run([binaries / "pg_dump", "-Fc", "-f", dump, self.rig.owner], check=True)
        self.rig.postgres.stop()
        shutil.rmtree(self.rig.postgres.data)
        self.rig.postgres.create()
        self.rig.spawn()
        self.rig.postgres.ensure_roles()
        subprocess.run(
            [binaries / "pg_restore", "--no-owner", "--single-transaction", "-d", self.rig.owner,
             dump], check=True,
        )  # fmt: skip

    # --- looking

    def wait(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.said.read_text()[-4_000:]
            time.sleep(0.05)

    def query(self, text: str, *values: Any) -> list[tuple[Any, ...]]:
        address = self.rig.postgres.address(OWNER, DATABASE)
        with psycopg.connect(address, autocommit=True) as connection:
            return connection.execute(text, values).fetchall()

    def witnessed(self, epoch: int) -> int:
        ((size,),) = self.query(
            "SELECT coalesce(max(size), 0) FROM ledger_checkpointsignature"
            " WHERE is_witness AND epoch = %s",
            epoch,
        )
        return int(size)

    @property
    def committed(self) -> int:
        return int(self.query("SELECT count(*) FROM ledger_entry")[0][0])

    @property
    def leaves(self) -> int:
        return int(self.query("SELECT count(*) FROM ledger_leaf")[0][0])

    def settle(self, epoch: int) -> None:
        """Wait until every entry has its place and the newest tree is witnessed."""

        def is_settled() -> bool:
            ((size,),) = self.query(
                "SELECT coalesce(max(size), 0) FROM ledger_checkpoint WHERE epoch = %s", epoch
            )
            return self.leaves == self.committed and self.witnessed(epoch) == size > 0

        self.wait(is_settled, 120)

    def check(self) -> None:
        """Every epoch's newest witnessed note holds over the leaves that lie there."""
        witness = VerifierKey.parse((self.rig.keys_dir / "witness.pub").read_text().strip())
        for number, origin, public in self.query(
            "SELECT number, origin, public_key FROM ledger_epoch ORDER BY number"
        ):
            size, frontier = self.witnessed(number), Frontier()
            for index, leaf in self.query(
                "SELECT l.\"index\", sha256('\\x00'::bytea || e.header) FROM ledger_leaf l"
                ' JOIN ledger_entry e ON e.id = l.entry WHERE l.epoch = %s AND l."index" < %s'
                ' ORDER BY l."index"',
                number,
                size,
            ):
                assert index == frontier.size
                frontier.append(bytes(leaf))
            text = Checkpoint(origin, size, frontier.root()).text
            lines = self.query(
                "SELECT line FROM ledger_checkpointsignature WHERE epoch = %s AND size = %s",
                number, size,
            )  # fmt: skip
            note = SignedNote(text, tuple(SignatureLine.parse(line) for (line,) in lines))
            note.verify(VerifierKey(origin, 1, bytes(public)))
            note.verify(witness)


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    with Rig(tmp_path / "home", fsync=False) as rig:
        made = Installation(rig)
        try:
            made.start_witness()
            made.start_sequencer()
            yield made
        finally:
            made.stop_all()
