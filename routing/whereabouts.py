"""Which machine and process this is, and whether another one on it has gone. No Django.

Owns a single claim: that a process cannot run any more. It is made only where the kernel
can be asked about that very process: the same machine, boot and process namespace. A
process that is paused is not gone.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_ENDED: Final = frozenset("ZXx")


def machine() -> str:
    """Name this machine, boot and process namespace; empty where they cannot be told apart."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        namespace = os.readlink(_PROC / "self/ns/pid")
    except OSError:
        return ""
    return f"{socket.gethostname()}/{boot}/{namespace}"


def began(pid: int) -> int:
    """Return when a process began, in ticks of this machine; 0 when it is gone or ended."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    state, *fields = stat.rpartition(")")[2].split()
    # What is left of a killed process has no sockets, whoever has yet to collect it.
    return 0 if state in _ENDED else int(fields[18])


def is_gone(where: str, pid: int, since: int) -> bool:
    """Say whether a process of this machine has certainly ended."""
    return bool(where) and where == machine() and began(pid) != since
