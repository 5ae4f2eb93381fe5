"""A process the supervisor answers for: how it starts, dies, comes back and is stopped.

Owns one child. A child gets the environment it needs and nothing else, dies with the
supervisor even when that is killed, and writes to a log file that cannot fill the disk.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from config.embedded import privilege
from config.places import BASE_DIR

_LOG_LIMIT: Final = 10 * 1024 * 1024
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0
_CALM_AFTER: Final = 10.0  # a child that lived this long starts its pauses anew


@dataclass
class Child:
    """One process by name. Not the work it does."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    # PostgreSQL and the broker know themselves how they are started.
    spawner: Callable[[Path], subprocess.Popen[bytes]] | None = None
    stop_signal: int = signal.SIGTERM
    orphan_signal: int = signal.SIGTERM
    is_needed: bool = True
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    started_at: float = field(default=0.0, init=False)
    again_at: float | None = field(default=None, init=False)
    pause: float = field(default=_FIRST_PAUSE, init=False)
    deaths: int = field(default=0, init=False)

    def start(self) -> None:
        """Start it, whatever was before."""
        self.started_at, self.again_at = time.monotonic(), None
        self.process = self.spawner(self.log) if self.spawner else self._spawn()

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603
                self.command,
                cwd=BASE_DIR,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C reaches the supervisor alone; it stops the others in order.
                process_group=0,
                preexec_fn=privilege.dies_with_parent(self.orphan_signal),  # noqa: PLW1509  one thread
            )

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def watch(self) -> str:
        """Look after it once; say what happened, or nothing.

        The pause before a new start doubles while it keeps dying, so a broken child costs
        a log line now and then and not a core.
        """
        if self.is_running or self.process is None:
            return ""
        now = time.monotonic()
        if self.again_at is None:
            if not self.spawner:
                signal_group(self.process.pid, signal.SIGKILL)  # what it may have left running
            if now - self.started_at > _CALM_AFTER:
                self.pause = _FIRST_PAUSE
            self.again_at, self.deaths = now + self.pause, self.deaths + 1
            pause, self.pause = self.pause, min(self.pause * 2, _LONGEST_PAUSE)
            ended = ending(self.process.returncode)
            return f"{self.name} {ended}; it starts again in {pause:g} s (log: {self.log})"
        if now >= self.again_at:
            self.start()
            return f"{self.name} started again"
        return ""

    def ask_to_stop(self) -> None:
        if self.is_running and self.process is not None:
            self.process.send_signal(self.stop_signal)

    def wait_stopped(self, seconds: float) -> str:
        """Wait for its end, then end it; say so when it had to be killed."""
        if self.process is None:
            return ""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            # Its own children (the worker's) are in its group.
            signal_group(self.process.pid, signal.SIGKILL)
            self.process.wait(5)
            return f"{self.name} did not stop in {seconds:g} s and was killed"
        return ""

    def bound_log(self) -> None:
        """Move a full log aside and empty it; the child appends, so it need not be told."""
        try:
            if self.log.stat().st_size > _LOG_LIMIT:
                shutil.copyfile(self.log, self.log.with_suffix(".log.1"))
                with self.log.open("r+b") as stream:
                    stream.truncate()
        except OSError:
            return  # a full disk is told by the child that cannot write

    def last_words(self, lines: int = 12) -> str:
        try:
            with self.log.open("rb") as stream:
                stream.seek(max(0, self.log.stat().st_size - 16_384))
                text = stream.read().decode(errors="replace")
        except OSError:
            return ""
        return "\n".join(f"    {line[:400]}" for line in text.splitlines()[-lines:])


def ending(returncode: int) -> str:
    """How a process ended, in words."""
    if returncode < 0:
        return f"was killed by {signal.Signals(-returncode).name}"
    return f"ended with exit status {returncode}"


def signal_group(group: int, number: int) -> None:
    """Signal a group we made; one that is gone already is no fault."""
    with suppress(ProcessLookupError):
        os.killpg(group, number)
