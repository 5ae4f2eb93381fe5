"""Is this process alive, and may it be sent work.

``/healthz`` says only that the process answers. ``/readyz`` says that the database answers,
that it keeps what it acknowledges, and that every migration this code knows is applied; it
names what is missing, nothing else.
"""

from __future__ import annotations

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse

from ledger.durability import QUERY as DURABILITY
from ledger.durability import judged
from ledger.suspended import QUERY as SUSPENSION
from ledger.suspended import Suspended, require_unsuspended
from ledger.tree_state import tree_state

_seen_migrated = False


def healthz(request: HttpRequest) -> JsonResponse:
    """Answer 200 while the process lives."""
    return JsonResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})


def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 when the database is reachable and migrated, else 503 with the reason."""
    missing = _what_is_missing()
    said = {"status": "not ready", "missing": missing} if missing else {"status": "ready"}
    if not missing and _is_suspended():
        said["ledger"] = "suspended"  # the portal is readable all the same, and says what to do
    if not missing:
        said |= tree_state().degraded  # recording goes on; what demands a receipt waits
    return JsonResponse(said, status=503 if missing else 200, headers={"Cache-Control": "no-store"})


def _is_suspended() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute(SUSPENSION)
            require_unsuspended(cursor.fetchone())
    except Suspended:
        return True
    return False


def _what_is_missing() -> str:
    global _seen_migrated  # noqa: PLW0603  migrations are never undone under a running process
    try:
        with connection.cursor() as cursor:
            cursor.execute(DURABILITY)
            if judged(cursor.fetchone()).faults:
                return "durability"
        if not _seen_migrated:
            executor = MigrationExecutor(connection)
            if executor.migration_plan(executor.loader.graph.leaf_nodes()):
                return "migrations"
            _seen_migrated = True
    except DatabaseError:
        return "database"
    return ""
