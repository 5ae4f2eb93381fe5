"""The parent's side of the child in which Rego runs: start it, ask it, end it.

Every wait has an end. A chamber that missed a deadline, closed its socket or spoke out of
turn is ended, never used again: a late answer could be taken for the next question's.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess  # our own worker, by its path
import sys
import time
from pathlib import Path
from typing import Any, Final

from policy.bundle import Bundle
from policy.errors import BundleUnusable

BUILD_SECONDS: Final = 30.0
MAX_ANSWER_BYTES: Final = 256 * 1024
_WORKER: Final = Path(__file__).with_name("worker.py")


class ChamberLost(Exception):
    """The child is gone, late or out of turn: whatever was asked has no answer."""


class StillStarting(Exception):
    """The child has not finished building the bundle: ask again later."""


class Chamber:
    """One child process with one compiled bundle. Not safe for threads: its judge holds a lock."""

    def __init__(self, bundle: Bundle, entrypoint: str, deadline_seconds: float) -> None:
        self._wire, theirs = socket.socketpair()
        self._unread = b""
        self._is_ready = False
        self._lost_at = time.monotonic() + BUILD_SECONDS
        with theirs:
            try:
                self._child = _spawn(theirs)
            except OSError:
                self._wire.close()
                raise
        order = {
            "modules": bundle.modules,
            "data": bundle.data.decode(),
            "entrypoint": entrypoint,
            "proofs": bundle.proofs,
            "build_seconds": BUILD_SECONDS,
            # Twice the parent's patience: the parent ends a late child, the child's own
            # alarm is for when the parent has died meanwhile.
            "seconds": 2 * deadline_seconds,
        }
        self._order: bytes | None = json.dumps(order).encode() + b"\n"

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def has_ended(self) -> bool:
        return self._child.poll() is not None

    @property
    def resident_bytes(self) -> int:
        """What the child holds of the machine's memory; 0 where that cannot be known."""
        try:
            pages = Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1]
        except (OSError, IndexError):
            return 0
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def await_ready(self, until: float) -> None:
        """Wait for the bundle to be built. Raises: StillStarting, ChamberLost, BundleUnusable."""
        if self._is_ready:
            return
        try:
            if self._order is not None:
                order, self._order = self._order, None
                self._send(order, self._lost_at)
            message = self._receive(min(until, self._lost_at))
        except TimeoutError:
            if time.monotonic() >= self._lost_at:
                raise ChamberLost("the bundle was not built in time") from None
            raise StillStarting from None
        if message != {"ready": True}:
            raise BundleUnusable(f"The bundle does not build: {message.get('fault', 'no reason')}.")
        self._is_ready = True

    def ask(self, question: bytes, until: float) -> dict[str, Any]:
        """Put one question, one line of JSON. Raises: ChamberLost."""
        try:
            self._send(question + b"\n", until)
            return self._receive(until)
        except TimeoutError:
            raise ChamberLost("the deadline has passed") from None

    def close(self) -> None:
        """End the child and wait until it is gone."""
        self._wire.close()
        self._child.kill()
        self._child.wait()

    def abandon(self) -> None:
        """Forget a child of the process this one was forked from, without ending it."""
        self._wire.close()
        self._child.returncode = 0  # not ours to wait for

    def _send(self, line: bytes, until: float) -> None:
        self._wire.settimeout(max(until - time.monotonic(), 0.001))
        try:
            self._wire.sendall(line)
        except TimeoutError:
            raise
        except OSError:
            raise ChamberLost("the child has gone") from None

    def _receive(self, until: float) -> dict[str, Any]:
        while b"\n" not in self._unread:
            self._wire.settimeout(max(until - time.monotonic(), 0.001))
            try:
                piece = self._wire.recv(65536)
            except TimeoutError:
                raise
            except OSError:
                raise ChamberLost("the child has gone") from None
            if not piece or len(self._unread) > MAX_ANSWER_BYTES:
                raise ChamberLost("the child has gone or says too much")
            self._unread += piece
        line, _, self._unread = self._unread.partition(b"\n")
        try:
            message = json.loads(line)
        except ValueError:
            raise ChamberLost("the child does not speak JSON") from None
        if self._unread or not isinstance(message, dict):
            raise ChamberLost("the child speaks out of turn")
        return message


def _spawn(wire: socket.socket) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  a fixed command without a shell
        [sys.executable, "-I", str(_WORKER)],
        stdin=wire.fileno(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={},
        cwd="/",
    )
