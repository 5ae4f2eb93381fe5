"""What others do on the same server: transactions that hold back, locks that outlive a process."""

from __future__ import annotations

import time

from django.db import connection

KILLED = "unsprawl-test-killed"
TO_BE_KILLED = {"PGAPPNAME": KILLED}  # in the environment of a process that a test kills


def wait_for_the_killed() -> None:
    """Wait until the server has noticed that a killed process is gone: its locks go with it."""
    until = time.monotonic() + 60
    with connection.cursor() as cursor:
        while True:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE application_name = %s AND datname = current_database()",
                [KILLED],
            )
            if cursor.fetchone() == (0,):
                return
            assert time.monotonic() < until
            time.sleep(0.01)


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
