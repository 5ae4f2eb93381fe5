"""Where the database's refusals become facts, and where a change rings the bell.

`refused_as` maps constraint names to domain errors in one place. `ring` wakes a sweep
after commit: the row is the queue, the broker only a doorbell, so a lost message costs
latency and nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import IntegrityError, connection, transaction

from kernel.errors import DomainError

logger = logging.getLogger("unsprawl.doorbell")


@contextmanager
def refused_as(refusals: dict[str, DomainError]) -> Iterator[None]:
    """Translate an IntegrityError by the name of the constraint that refused."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        name = constraint_of(error)
        if name in refusals:
            raise refusals[name] from None
        raise


def constraint_of(error: IntegrityError) -> str:
    """Return the violated constraint's name, or an empty string."""
    diagnosis = getattr(error.__cause__, "diag", None)
    return getattr(diagnosis, "constraint_name", None) or ""


def database_now() -> datetime:
    """Return the moment by the database's clock, which is what rows are compared with."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        (moment,) = cursor.fetchone()
    now: datetime = moment
    return now


def ring(task_name: str, *ids: str) -> None:
    """Ask for a sweep, or for one row's turn, once the surrounding transaction has committed."""
    transaction.on_commit(lambda: _send(task_name, ids))


def _send(task_name: str, ids: tuple[str, ...] = ()) -> None:
    from celery import current_app
    from kombu.exceptions import OperationalError

    try:
        current_app.send_task(task_name, args=ids or None, ignore_result=True, retry=False)
    except (OperationalError, OSError) as error:
        # Not lost: the beat runs the same sweep.
        logger.warning("doorbell not heard: %s (%s)", task_name, type(error).__name__)
