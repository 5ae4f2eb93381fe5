"""Each process of the worker looks every second whether a token in its memory is to end.

A sweep runs in whichever process is free, and a token can be given back only by the one that
keeps it.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Final

from django.db import Error, connection

from credentials.leasing.ending import end_own_tokens
from credentials.leasing.tokens import KEEPER
from kernel.errors import DomainError

logger = logging.getLogger("unsprawl.leases")

SECONDS: Final = 1.0


def start() -> None:
    """Begin to look, in a thread that ends with the process."""
    threading.Thread(target=_watch, name="own-tokens", daemon=True).start()


def look() -> int:
    """Look once; return how many tokens were ended."""
    if KEEPER.is_empty:
        return 0
    try:
        return end_own_tokens()
    except (Error, DomainError) as error:
        logger.warning("own tokens not looked at (%s)", type(error).__name__)
        return 0


def _watch() -> None:
    while True:
        time.sleep(SECONDS)
        look()
        connection.close()
