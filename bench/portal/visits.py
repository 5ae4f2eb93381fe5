"""Asking for pages as a browser would: over HTTP, with a session's cookie, kept alive.

Times are the server's own, from the first byte of the request in Django to the last of
the answer; the client's are beside them. Nothing is judged here.
"""

from __future__ import annotations

import http.client
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from bench.portal.counting import WANTS_STATEMENTS

AT_ONCE: Final = 8
_TIMING: Final = re.compile(r"(\w+);dur=([\d.]+)")


@dataclass(frozen=True, slots=True)
class Visit:
    """One request and what it cost, in milliseconds."""

    status: int
    size: int
    client: float
    app: float
    cpu: float
    db: float
    queries: int


class Visitor:
    """One signed-in person's connection."""

    def __init__(self, port: int, cookie: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.headers = {"cookie": cookie, "accept": "text/html, application/json;q=0.9"}

    def visit(self, address: str) -> Visit:
        started = time.perf_counter()
        self.connection.request("GET", address, headers=self.headers)
        with self.connection.getresponse() as answer:
            body = answer.read()
        spent = (time.perf_counter() - started) * 1000
        said = dict(_TIMING.findall(answer.getheader("server-timing") or ""))
        return Visit(
            answer.status,
            len(body),
            spent,
            app=float(said.get("app", "nan")),
            cpu=float(said.get("cpu", "nan")),
            db=float(said.get("db", "nan")),
            queries=int(said.get("queries", "0")),
        )

    def statements(self, address: str) -> dict[str, Any]:
        """Return what the page asks the database, instead of the page."""
        self.connection.request("GET", address, headers=self.headers | {WANTS_STATEMENTS: "1"})
        with self.connection.getresponse() as answer:
            found: dict[str, Any] = json.loads(answer.read())
        return found


def in_turn(port: int, cookie: str, address: str, times: int) -> list[Visit]:
    """Visit a page so many times, one after the other, after two that warm it up."""
    visitor = Visitor(port, cookie)
    return [visitor.visit(address) for _ in range(times + 2)][2:]


def together(port: int, cookie: str, address: str, times: int) -> tuple[list[Visit], float]:
    """Visit a page from eight connections at once; return the visits, and how many a second."""

    def visit(_: int) -> list[Visit]:
        visitor = Visitor(port, cookie)
        return [visitor.visit(address) for _ in range(max(1, times // AT_ONCE))]

    started = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        visits = [one for part in pool.map(visit, range(AT_ONCE)) for one in part]
    return visits, len(visits) / (time.perf_counter() - started)
