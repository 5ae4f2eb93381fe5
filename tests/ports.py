"""Ports for a test's own servers: none is told twice in a session, and no connection takes one.

A port that the system picks and that is let go again may be picked for somebody else's
connection before it is bound. These lie below what the system picks from.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
from pathlib import Path

_FIRST, _LAST = 12_000, 32_000


def free_port() -> int:
    """Return a port on which nobody listens, and that no other test of the session was told."""
    with (Path(os.environ["UNSPRAWL_TEST_HOME"]) / "ports").open("a+") as told:
        fcntl.flock(told, fcntl.LOCK_EX)  # other workers wait
        told.seek(0)
        last = told.read()
        # Where another session begins is another place.
        port = int(last) if last else random.randrange(_FIRST, _LAST)  # noqa: S311  no secret
        while True:
            port = port + 1 if port < _LAST else _FIRST
            if _is_free(port):
                break
        told.truncate(0)
        told.write(str(port))
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
