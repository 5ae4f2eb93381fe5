"""Other gateways, run beside ours in the same rounds: `--peers FILE`, or none.

The file is a JSON list; each peer says how it is started and asked. ``{vendor}`` is our
vendor's address, ``{database}`` that of a PostgreSQL, ``{home}`` a directory of the run, in
commands, environments and files. The project installs none of them and needs none of them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Peer:
    """How a gateway is started, and asked for an answer after 0 and after 50 ms."""

    name: str
    command: list[str]
    port: int
    key: str = "sk-none"
    path: str = "/v1/chat/completions"
    models: dict[str, str] = field(default_factory=dict)  # by delay
    headers: dict[str, dict[str, str]] = field(default_factory=dict)  # by delay
    environment: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    key_from: dict[str, Any] = field(default_factory=dict)  # asked of the peer once it runs
    most_connections: int = 4096
    ready_seconds: float = 120.0


def read(file: Path, **stands_for: str) -> list[Peer]:
    """Return the peers of a file, with what stands for something filled in."""

    def filled(value: Any) -> Any:
        if isinstance(value, str):
            for name, meant in stands_for.items():
                value = value.replace("{" + name + "}", meant)
            return value
        if isinstance(value, list):
            return [filled(each) for each in value]
        if isinstance(value, dict):
            return {name: filled(each) for name, each in value.items()}
        return value

    return [Peer(**filled(given)) for given in json.loads(file.read_text(encoding="utf-8"))]


class RunningPeer:
    """A peer's processes; asleep whenever another target is measured."""

    def __init__(self, peer: Peer, home: Path) -> None:
        for name, content in peer.files.items():
            (home / name).write_text(content, encoding="utf-8")
        self.peer = peer
        with (home / f"{peer.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                peer.command,
                cwd=home,
                env=os.environ | peer.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.key = peer.key

    def pids(self) -> list[int]:
        """Return the session that the peer's first process leads."""
        found = []
        for entry in Path("/proc").iterdir():
            with suppress(OSError, ValueError, IndexError):
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                if int(fields[3]) == self._process.pid and fields[0] != "Z":
                    found.append(int(entry.name))
        return found

    def wait_ready(self) -> float:
        """Return how many seconds it took to answer. Raises OSError."""
        started = time.monotonic()
        while True:
            try:
                if self.peer.key_from and self.key == self.peer.key:
                    self.key = self._ask_for_key()
                self._probe()
                return time.monotonic() - started
            except (OSError, ValueError, KeyError):
                late = time.monotonic() - started > self.peer.ready_seconds
                if late or self._process.poll() is not None:
                    raise
                time.sleep(0.05)

    def _probe(self) -> None:
        document = {
            "model": self.peer.models.get("0", "m"),
            "messages": [{"role": "user", "content": "hello"}],
        }
        headers = {"authorization": f"Bearer {self.key}", **self.peer.headers.get("0", {})}
        self._post(self.peer.path, document, headers)

    def _ask_for_key(self) -> str:
        asked = self.peer.key_from
        return str(self._post(asked["path"], asked["body"], asked["headers"])[asked["member"]])

    def _post(self, path: str, document: Any, headers: dict[str, str]) -> dict[str, Any]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.peer.port}{path}",
            json.dumps(document).encode(),
            {"content-type": "application/json"} | headers,
        )
        with urllib.request.urlopen(request, timeout=10) as got:  # noqa: S310  on loopback
            answered: dict[str, Any] = json.load(got)
            return answered

    def sleep(self) -> None:
        self._tell(signal.SIGSTOP)

    def wake(self) -> None:
        self._tell(signal.SIGCONT)

    def stop(self) -> None:
        self.wake()
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(8)
        self._tell(signal.SIGKILL)
        self._process.wait(8)

    def _tell(self, what: int) -> None:
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, what)


@contextmanager
def running(
    peers: list[Peer], home: Path, pin: Callable[[int], None]
) -> Iterator[list[tuple[RunningPeer, float]]]:
    """Start the peers one after the other, each asleep once it is ready; and end them."""
    started: list[RunningPeer] = []
    ready = []
    try:
        for peer in peers:
            made = RunningPeer(peer, home)
            started.append(made)
            try:
                seconds = made.wait_ready()
            except (OSError, ValueError, KeyError) as error:
                print(f"{peer.name} is left out: {type(error).__name__}", flush=True)
                continue
            for pid in made.pids():
                pin(pid)
            made.sleep()
            ready.append((made, seconds))
        yield ready
    finally:
        for made in started:
            made.stop()
