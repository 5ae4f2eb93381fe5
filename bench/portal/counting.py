"""The middleware of a measured web process: what a request cost, said in its Server-Timing.

Owns nothing of the answer but that header; a request that asks for it gets the statements
instead of the page, and the plan of the slowest. Never part of an installation.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import connection
from django.http import HttpRequest, HttpResponseBase, JsonResponse

_SCANNED: Final = re.compile(r"Seq Scan on (\w+)")
WANTS_STATEMENTS: Final = "x-bench-statements"


@dataclass
class Tally:
    """The statements of one request."""

    said: list[tuple[str, Any, float]] = field(default_factory=list)

    def __call__(
        self,
        execute: Any,
        statement: str,
        values: Any,
        many: bool,  # noqa: FBT001  Django calls it so
        context: Any,
    ) -> Any:
        started = time.perf_counter()
        try:
            return execute(statement, values, many, context)
        finally:
            self.said.append((statement, values, (time.perf_counter() - started) * 1000))


class Counting:
    """Outside every other middleware, so sessions and rights are counted too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        tally, started, worked = Tally(), time.perf_counter(), time.thread_time()
        with connection.execute_wrapper(tally):
            response = self.get_response(request)
        spent = (time.perf_counter() - started) * 1000
        worked = (time.thread_time() - worked) * 1000
        database = sum(one[2] for one in tally.said)
        if WANTS_STATEMENTS in request.headers:
            return JsonResponse(_told(tally))
        response["Server-Timing"] = (
            f"app;dur={spent:.2f}, cpu;dur={worked:.2f}, db;dur={database:.2f}, "
            f"queries;dur={len(tally.said)}"
        )
        return response


def _told(tally: Tally) -> dict[str, Any]:
    texts = Counter(statement for statement, _, _ in tally.said)
    slowest = max(tally.said, key=lambda one: one[2], default=None)
    plan: list[str] = []
    if slowest is not None and slowest[0].lstrip().upper().startswith(("SELECT", "WITH")):
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {slowest[0]}", slowest[1])
            plan = [row[0] for row in cursor.fetchall()]
    return {
        "queries": len(tally.said),
        "repeated": [[number, text] for text, number in texts.items() if number > 2],
        "slowest_ms": round(slowest[2], 2) if slowest else 0.0,
        "slowest": slowest[0] if slowest else "",
        "plan": plan,
        "read_whole": sorted(_read_whole(tally)),
    }


def _read_whole(tally: Tally) -> set[str]:
    """Return the tables that a statement's plan reads from end to end."""
    found: set[str] = set()
    with connection.cursor() as cursor:
        for statement, values, _ in tally.said:
            if statement.lstrip().upper().startswith(("SELECT", "WITH")):
                cursor.execute(f"EXPLAIN {statement}", values)
                found.update(name for row in cursor.fetchall() for name in _SCANNED.findall(row[0]))
    return found
