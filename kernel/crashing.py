"""Where a process may be killed in a test, by name. In service every point does nothing.

``UNSPRAWL_CRASH_AT=name`` (or ``name:3`` for the third time) ends the process there as
``kill -9`` would. Each package lists its points; a test dies at every one of them.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from enum import StrEnum
from typing import Final

VARIABLE: Final = "UNSPRAWL_CRASH_AT"
_passed: Counter[str] = Counter()


def crash(point: StrEnum) -> None:
    """Die here if a test asked for it."""
    wanted = os.environ.get(VARIABLE)
    if not wanted:
        return
    name, _, nth = wanted.partition(":")
    if name == point:
        _passed[name] += 1
        if _passed[name] == int(nth or 1):
            os.kill(os.getpid(), signal.SIGKILL)
