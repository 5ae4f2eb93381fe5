"""Transactions of other tests on the same server, which hold back what is counted."""

from __future__ import annotations

import time

from django.db import connection


def wait_for_open_transactions() -> None:
    """Wait until every transaction of the server that was open before has ended.

    Transaction ids are the server's, and other workers' tests hold some of them open.
    """
    if connection.in_atomic_block:  # its own would be waited for
        return
    until = time.monotonic() + 60
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
        (begun,) = cursor.fetchone()
        while time.monotonic() < until:
            cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
            (oldest,) = cursor.fetchone()
            if oldest >= begun:
                break
            time.sleep(0.05)
