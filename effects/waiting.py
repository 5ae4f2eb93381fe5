"""Waiting for a decision on behalf of somebody who asked: short, few at once, without a connection.

A wait looks twice a second and holds no connection of the database in between. Of more
waits than a process bears, the further ones are answered at once: asking again is cheap.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from django.db import connection

Found = TypeVar("Found")

LONGEST: Final = 25  # seconds: what proxies in between bear
AT_ONCE: Final = 12
EVERY: Final = 0.5
_waits: Final = threading.BoundedSemaphore(AT_ONCE)


def wait_for(look: Callable[[], tuple[Found, bool]], seconds: float) -> Found:
    """Look until it says that this is it, or the time is up; return what was seen last."""
    until = time.monotonic() + min(max(seconds, 0.0), LONGEST)
    found, is_there = look()
    if is_there or time.monotonic() >= until or not _waits.acquire(blocking=False):
        return found
    try:
        while not is_there and (left := until - time.monotonic()) > 0:
            if not connection.in_atomic_block:
                connection.close()
            time.sleep(min(EVERY, left))
            found, is_there = look()
        return found
    finally:
        _waits.release()
