"""Counting what was told to the last call, before anything is decided by the figures."""

from __future__ import annotations

import time
from typing import Final

from django.db import connection

from registry.actors import Actor
from routing.actions.run_sums import sum_runs
from routing.actions.usage import count_usage

PATIENCE_SECONDS: Final = 120.0
_PAUSE: Final = 0.2
# A sweep leaves what is younger than the oldest transaction: here somebody's, or the server's own.
_LEFT: Final = """
    SELECT EXISTS (
        SELECT FROM routing_usagemark AS mark JOIN routing_call AS call
          ON (call.xid, call.id) > (mark.xid::text::xid8, mark.call_id)
        WHERE mark.name IN ('calls', 'runs:calls'))
"""


def count_told(*, actor: Actor) -> None:
    """Count every call that was told; wait for whatever holds a sweep back. Records: nothing."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        count_usage(actor=actor)
        sum_runs(actor=actor)
        with connection.cursor() as cursor:
            cursor.execute(_LEFT)
            (is_left,) = cursor.fetchone()
        if not is_left or time.monotonic() >= until:
            return
        time.sleep(_PAUSE)
