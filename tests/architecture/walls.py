"""Every address of the web process, and what it answers to whom: the matrix of its walls.

Addresses are taken from the resolver itself, so one that is added is in here by itself. Ids
are of nothing that exists and bodies are empty: what is told apart is "not yours to ask"
from "yours, but not so". Nothing that a request changes stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from registry.models import Person

MATRIX: Final = Path(__file__).with_name("walls.txt")
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
FORMS: Final = ("GET", "POST")  # all that a page understands
WHO: Final = ("anonymous", "employee", "auditor", "platform", "security")
_GIVEN: Final = {"int": "4711", "uuid": "00000000-0000-4000-8000-000000000000"}
# The admin and the API's own description come from libraries that test them.
_PASSED_OVER: Final = ("admin/", "api/v1/docs/", "static/")


def addresses() -> Iterator[str]:
    """Yield every address as it is written in the lists, each once."""
    seen: set[str] = set()
    for route in _routes(get_resolver().url_patterns, ""):
        if route not in seen and not route.startswith(_PASSED_OVER):
            seen.add(route)
            yield route


def filled(route: str) -> str:
    """Return a path for an address, with ids that nothing has."""
    return "/" + re.sub(
        r"<(?:(\w+):)?\w+>", lambda found: _GIVEN.get(found[1] or "", "nothing-4711"), route
    )


class Visitor:
    """Somebody who tries every door; in the portal by session, at the API by token."""

    def __init__(self, person: Person | None, token: str) -> None:
        self._client = Client(raise_request_exception=False)
        if person is not None:
            self._client.force_login(person)
        self._cookies = self._client.cookies.output()
        self._signed_in = dict(self._client.cookies)
        self._token = token

    def try_door(self, method: str, path: str) -> str:
        """Return the status, or where it leads; whatever it changed is taken back."""
        told: dict[str, Any] = {"content_type": "application/json", "data": "{}"}
        if path.startswith("/api/"):
            told |= {"headers": {"Authorization": f"Bearer {self._token}"}} if self._token else {}
        elif method == "POST":
            told = {}  # a form without a field
        if method == "GET":
            told = {name: value for name, value in told.items() if name == "headers"}
        self._client.cookies.clear()
        if not path.startswith("/api/"):
            self._client.cookies.update(self._signed_in)
        before = transaction.savepoint()
        try:
            answer = getattr(self._client, method.lower())(path, **told)
        finally:
            transaction.savepoint_rollback(before)
        if answer.status_code in {301, 302, 303}:
            return "sign-in" if "/signin" in answer["Location"] else "redirect"
        return str(answer.status_code)


def _routes(listed: list[URLPattern | URLResolver], prefix: str) -> Iterator[str]:
    for one in listed:
        route = prefix + re.sub(r"^\^|\$$", "", str(one.pattern))
        if isinstance(one, URLResolver):
            yield from _routes(one.url_patterns, route)
        else:
            yield route
