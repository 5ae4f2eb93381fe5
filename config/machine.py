"""What the machine knows about us: who started us, who holds the data, who is still alive.

Owns the questions to the kernel that a supervisor needs; nothing here starts or stops.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config.places import Places


class CannotStart(Exception):
    """Raised with the one line an operator needs."""


def started_at(pid: int) -> int:
    """When a process started, in the kernel's ticks; 0 when there is none (or a dead one)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return 0
    return 0 if fields[0] in "ZX" else int(fields[19])


def free_port(file: Path) -> int:
    """Choose a port on loopback: that of last time where it is free, so addresses seldom change."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(file.read_text(encoding="utf-8"))))
        except (OSError, ValueError, OverflowError):
            probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    file.write_text(str(port), encoding="utf-8")
    return port


@contextmanager
def only_one(places: Places) -> Iterator[None]:
    """Hold the data directory. Raises: CannotStart when another supervisor does."""
    with places.lock.open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise CannotStart(
                f"Already running on {places.data} (process {lock.read().strip() or 'unknown'}). "
                "Stop that one, or choose another UNSPRAWL_DATA_DIR."
            ) from None
        lock.seek(0)
        lock.truncate()
        lock.write(str(os.getpid()))
        lock.flush()
        yield


class Make:
    """The `make` that started us, if one did: it is what people signal, and it tells us little."""

    def __init__(self) -> None:
        self.pid = os.getppid() if _comm(os.getppid()) in {"make", "gmake"} else 0
        if self.pid:
            # Killed, it cannot tell us any more, and nobody would know that we run.
            ctypes.CDLL(None).prctl(1, signal.SIGTERM)
        self.catches = bool(self.pid) and _catches_interrupt(self.pid)

    def was_interrupted(self) -> bool:
        """Whether it got a SIGINT for itself alone (`kill -INT`, not Ctrl-C).

        GNU make then waits for us and passes nothing on. All it does is to stop catching
        the signal, which the kernel shows. (In the background of a script it never does.)
        """
        return self.catches and not _catches_interrupt(self.pid)


def _catches_interrupt(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return False
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) & 1 << (signal.SIGINT - 1))


def _comm(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return ""
