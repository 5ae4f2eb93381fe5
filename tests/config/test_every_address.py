"""Every address of the portal and of REST is closed to whoever is nobody, or has no part in it.

The addresses are read from the routing itself, so that a page added tomorrow is asked too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tests.factories import browser_of, client_of, make_agent, make_cast, make_run

pytestmark = pytest.mark.django_db

# What anybody may see: signing in, health, and what the API and a manifest look like.
OPEN = frozenset(
    {
        "/signin/",
        "/healthz",
        "/readyz",
        "/api/v1/docs/",
        "/api/v1/schema/",
        "/schemas/agent-v1.json",
    }
)
# What is for those who oversee alone, whatever the rest of the address says.
OVERSEEN = re.compile(
    r"(/api/v1)?/(feeds|retention|holds|erasures|exports/targets|export-|ledger/$)"
)
ARGUMENT = re.compile(r"<(?:(\w+):)?(\w+)>")


def addresses(patterns: list[Any] | None = None, before: str = "/") -> Iterator[str]:
    for one in get_resolver().url_patterns if patterns is None else patterns:
        here = before + str(one.pattern).lstrip("^").rstrip("$")
        if isinstance(one, URLResolver):
            if one.namespace != "admin":
                yield from addresses(one.url_patterns, here)
        elif isinstance(one, URLPattern) and "(?P" not in here:
            yield here


def filled(address: str, agent: Any, run: Any) -> str:
    known = {"agent": agent.name, "name": agent.name, "run": run.run_id}

    def value(found: re.Match[str]) -> str:
        kind, name = found.groups()
        return str(known.get(name, "1" if kind == "int" else "x"))

    return ARGUMENT.sub(value, address)


@pytest.fixture
def asked() -> Any:
    cast = make_cast()
    agent = make_agent("sorter", owner=cast.alice, backup_owner=cast.bob, stage="live")
    run = make_run(agent, "nightly")
    return cast, [filled(one, agent, run) for one in addresses()]


def test_nobody_sees_anything_without_signing_in(asked: Any) -> None:
    _, known = asked
    assert len(known) > 150
    client = Client()
    seen = {
        address
        for address in known
        for method in (client.get, client.post)
        if method(address).status_code in {200, 201, 202, 204}
    }
    assert seen == OPEN


def test_an_outsider_is_answered_and_never_with_an_error(asked: Any) -> None:
    cast, known = asked
    for client in (browser_of(cast.mallory), client_of(cast.mallory)):
        for address in known:
            answer = client.get(address)
            assert answer.status_code < 500, address
            if OVERSEEN.match(address):
                to_sign_in = answer.get("Location", "").startswith("/signin/")
                assert to_sign_in or answer.status_code in {401, 403, 404, 405}, address
