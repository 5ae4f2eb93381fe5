"""The whole service as `make run` starts it, on a data directory and ports of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from config import processes
from config.places import BASE_DIR, Places

_WITHIN: Final = 180.0
_OPENER: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class DidNotStart(Exception):
    """Raised when something did not become ready; carries its last words."""


class Service:
    """One supervisor and what it runs. Its data stays when it stops."""

    def __init__(self, data: Path) -> None:
        self.places = Places(data)
        self.port, self.gateway_port = free_port(), free_port()
        self.known = {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "UNSPRAWL_DATA_DIR": str(data),
            "PORT": str(self.port),
            "GATEWAY_PORT": str(self.gateway_port),
        }

    def __enter__(self) -> Self:
        self.log = self.places.data / "bench.log"
        self.output = self.log.open("ab")
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "config.up"],
            cwd=BASE_DIR,
            env=self.known,
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=self.output,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.output.close()

    def seconds_to_ready(self) -> float:
        """Wait for both /readyz; return how long it took from the start."""
        for port in (self.gateway_port, self.port):
            wait_ready(port, self.process, self.log)
        return time.monotonic() - self.began

    def seconds_to_another_gateway(self) -> float:
        """Start one more gateway beside the others; return how long it took to be ready."""
        runtime, port = self.places.read_runtime(), free_port()
        told = processes.GATEWAY.environment(
            self.known
            | {
                "DATABASE_URL": runtime.database_url,
                "UNSPRAWL_KEYS_DIR": str(self.places.keys),
                "GATEWAY_PORT": str(port),
            }
        )
        began = time.monotonic()
        process = subprocess.Popen(
            processes.GATEWAY.command(),
            cwd=BASE_DIR,
            env=told,
            stdout=self.output,
            stderr=self.output,
        )
        try:
            wait_ready(port, process, self.log)
            return time.monotonic() - began
        finally:
            process.terminate()
            process.wait(30)

    def pids(self) -> dict[str, int]:
        """Return what runs, by name; the supervisor too."""
        noted = self.places.read_runtime().pids
        return {"supervisor": self.process.pid} | {name: pair[0] for name, pair in noted.items()}


def wait_ready(port: int, process: subprocess.Popen[Any], log: Path) -> None:
    """Return when a process says that it may be sent work. Raises: DidNotStart."""
    deadline = time.monotonic() + _WITHIN
    while not _is_ready(port):
        if process.poll() is not None or time.monotonic() > deadline:
            words = log.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise DidNotStart(f"not ready, or ended early:\n{words}")
        time.sleep(0.02)


def _is_ready(port: int) -> bool:
    try:
        with _OPENER.open(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            json.load(answer)
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
