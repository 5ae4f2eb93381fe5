"""A log that can be honest or not, and a real witness process to show it to."""

from __future__ import annotations

import base64
import os
import re
import resource
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from config.places import BASE_DIR
from ledger.transparency import notes
from ledger.transparency.checkpoints import Checkpoint
from ledger.transparency.merkle import Frontier, consistency_proof
from ledger.transparency.notes import SignedNote, VerifierKey
from ledger.witness.requests import AddCheckpoint

LOG = "ledger.example/ledger/log_one"


def public_of(private: Ed25519PrivateKey) -> str:
    return base64.b64encode(private.public_key().public_bytes_raw()).decode()


@dataclass
class Log:
    """A tree in memory that signs whatever it is told to."""

    origin: str = f"{LOG}/1"
    private: Ed25519PrivateKey = field(
        default_factory=lambda: Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    )
    leaves: list[bytes] = field(default_factory=list)

    def grow(self, to: int, word: str = "entry") -> Log:
        for index in range(len(self.leaves), to):
            self.leaves.append(sha256(f"{word} {index}".encode()).digest())
        return self

    def copy(self, *, size: int | None = None) -> Log:
        return Log(self.origin, self.private, self.leaves[:size])

    def _root(self, start: int, end: int) -> bytes:
        frontier = Frontier()
        for leaf in self.leaves[start:end]:
            frontier.append(leaf)
        return frontier.root()

    def _node(self, level: int, index: int) -> bytes:
        return self._root(index << level, (index + 1) << level)

    def note(self) -> SignedNote:
        size = len(self.leaves)
        text = Checkpoint(self.origin, size, self._root(0, size)).text
        return SignedNote(text, (notes.sign(text, self.origin, self.private),))

    def asking(self, old: int) -> AddCheckpoint:
        size = len(self.leaves)
        proof = consistency_proof(old, size, self._node) if old <= size else []
        note = self.note()
        return AddCheckpoint(old, tuple(proof), note, Checkpoint.parse(note.text))


@dataclass
class Running:
    """A witness process and how it is asked."""

    process: subprocess.Popen[str]
    url: str
    log_file: Path

    def ask(self, path: str, body: bytes | None = None) -> tuple[int, str, str]:
        request = urllib.request.Request(self.url + path, data=body)  # noqa: S310  loopback
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as answer:
                return answer.status, answer.headers["Content-Type"], answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers["Content-Type"], error.read().decode()

    def add(self, log: Log, old: int) -> tuple[int, str]:
        status, _, body = self.ask("/add-checkpoint", bytes(log.asking(old)))
        return status, body

    def key(self) -> VerifierKey:
        return VerifierKey.parse(self.ask("/key")[2].strip())

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


@dataclass
class Starting:
    """Starts witnesses on one directory, one after the other."""

    directory: Path
    running: list[Running] = field(default_factory=list)

    def environment(self, **over: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "UNSPRAWL_WITNESS_DIR": str(self.directory),
            "UNSPRAWL_WITNESS_PORT": "0",
            "UNSPRAWL_WITNESS_NAME": "witness.example/w1",
            "UNSPRAWL_WITNESS_LOG_KEYS": public_of(Log().private),
            **over,
        }

    def __call__(self, *, before: Callable[[], None] | None = None, **over: str) -> Running:
        log_file = self.directory.parent / f"witness-{len(self.running)}.log"
        with log_file.open("w") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "config.witness"],
                cwd=BASE_DIR,
                env=self.environment(**over),
                stderr=stream,
                text=True,
                preexec_fn=before,  # noqa: PLW1509  one thread
            )
        made = Running(process, "", log_file)
        self.running.append(made)
        deadline = time.monotonic() + 60
        while not (found := re.search(r"listens on 127\.0\.0\.1:(\d+)", log_file.read_text())):
            assert process.poll() is None, log_file.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        made.url = f"http://127.0.0.1:{found[1]}"
        return made

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "config.witness", *words],
            cwd=BASE_DIR, env=self.environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip


@pytest.fixture
def start_witness(tmp_path: Path) -> Iterator[Starting]:
    starting = Starting(tmp_path / "witness")
    yield starting
    for one in starting.running:
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait(60)


@pytest.fixture
def witness(start_witness: Starting) -> Running:
    return start_witness()


@pytest.fixture
def log() -> Log:
    return Log()


def no_more_than(size: int) -> Callable[[], None]:
    """Let a process write no file beyond this size: the nearest thing to a full disk."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit
