"""Every field that takes an address, and every door behind it, met with hostile addresses."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import cycle
from typing import Any

import pytest
from rest_framework.test import APIClient

from credentials.databases import DatabasePlace
from credentials.dialling import Place
from credentials.egress import GuardedClient
from credentials.errors import AddressRefused
from credentials.leasing.lending import check_credential
from kernel.errors import DomainError
from tests.factories import Cast, browser_of, make_cast, make_token
from tests.hostile.canaries import Canaries, canaries
from tests.hostile.urls import HOSTILE

pytestmark = pytest.mark.xdist_group("canaries")
# Each field meets every so-manieth address, each beginning elsewhere; `make soak` tries them all.
EVERY = 1 if os.environ.get("UNSPRAWL_SOAK_HOSTILE_URLS") else 20


@pytest.fixture
def listening(monkeypatch: pytest.MonkeyPatch) -> Iterator[Canaries]:
    with canaries(monkeypatch) as made:
        yield made
        assert made.seen == 0


def test_there_are_many() -> None:
    assert len(HOSTILE) >= 400


def test_a_canary_sees_who_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    with canaries(monkeypatch) as made:
        for host in ("127.0.0.1", "::1", "rebind.example"):
            socket.create_connection((host, made.port), timeout=60).close()
        inside = GuardedClient(allow_private=True, seconds=30)
        with suppress(DomainError):
            inside.get(f"http://rebind.example:{made.port}/")
        for _ in range(2000):
            if made.seen == 4:
                break
            time.sleep(0.02)
        assert made.seen == 4


def test_no_client_reaches_a_canary(listening: Canaries) -> None:
    client = GuardedClient(ports=frozenset({listening.port, *Canaries.KNOWN}), seconds=1)
    for url in HOSTILE:
        with pytest.raises(AddressRefused):
            client.get(url.replace("{port}", str(listening.port)))


def test_no_dialled_connection_reaches_a_canary(listening: Canaries) -> None:
    """Syslog, mail servers and databases are named by host and port."""
    for url in HOSTILE:
        host = url.partition("://")[2].rstrip("/").replace("{port}", str(listening.port))
        with pytest.raises(AddressRefused):
            Place.parse(host).connect(tls=False, seconds=1)
        name = host.rsplit(":", 1)[0]
        place = {"host": name, "port": listening.port, "database": "x"}
        with pytest.raises(DomainError):
            DatabasePlace.read(place).dialled().addresses()


def test_no_token_endpoint_is_a_canary(listening: Canaries) -> None:
    for url in HOSTILE:
        said = url.replace("{port}", str(listening.port))
        for settings in (
            {"token_url": said, "client_id": "c"},
            {"token_url": "https://idp.example.com/", "client_id": "c", "revocation_url": said},
        ):
            if settings.get("revocation_url") == "":
                continue  # none is no address
            with pytest.raises(DomainError):
                _asked_for_a_token(settings, said)


def _asked_for_a_token(settings: dict[str, Any], url: str) -> None:
    check_credential("oauth_client", settings)
    GuardedClient(seconds=1).get(url)  # a name is refused where it resolves


Field = Callable[[str], int]


def fields(cast: Cast) -> dict[str, Field]:
    """Return every field that takes an address, by somebody who may set it."""
    numbers = cycle(range(10**6))

    def rest(person: Any, path: str, body: dict[str, Any], name: str = "") -> Field:
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {make_token(person)[1]}")

        def send(url: str) -> int:
            if body.get("kind") == "syslog+tls":
                url = url.partition("://")[2].rstrip("/")
            given = body | {name: url} | ({"name": f"n-{next(numbers)}"} if "name" in body else {})
            return int(client.post(path, given, format="json").status_code)

        return send

    def form(person: Any, path: str, body: dict[str, Any], name: str) -> Field:
        browser = browser_of(person)

        def send(url: str) -> int:
            given = body | {name: url, "name": f"n-{next(numbers)}"}
            return int(browser.post(path, given).status_code)

        return send

    feed = {"name": "n", "kind": "http", "format": "json"}
    tls = {"name": "n", "kind": "syslog+tls", "format": "json"}
    hook = {"name": "n", "kind": "webhook", "events": ["opened"]}
    vendor = {"name": "n", "dialect": "openai"}
    bucket = {"name": "n", "kind": "s3", "bucket": "copies", "region": "eu-1",
              "access_key": "AKIA0000", "secret": "a-secret-of-a-bucket"}  # fmt: skip
    return {
        "feed over http": rest(cast.sam, "/api/v1/feeds", feed, "address"),
        "feed over syslog": rest(cast.sam, "/api/v1/feeds", tls, "address"),
        "feed's form": form(cast.sam, "/feeds/new/", feed | {"min_severity": "0"}, "address"),
        "channel": rest(cast.sam, "/api/v1/channels", hook, "address"),
        "vendor by security": rest(cast.sam, "/api/v1/vendors", vendor, "base_url"),
        "vendor by an employee": rest(cast.alice, "/api/v1/vendors", vendor, "base_url"),
        "vendor's form": form(cast.alice, "/vendors/connect/", vendor, "base_url"),
        "target by security": rest(cast.sam, "/api/v1/export-targets", bucket, "endpoint"),
    }


@pytest.mark.django_db
def test_no_field_takes_one_from_whoever_does_not_run_the_platform(listening: Canaries) -> None:
    # A name is no spelling of inside: it is taken where it stands, and refused where it resolves.
    plain = re.compile(r"https://(?:[a-z0-9-]+\.)+[a-z]{2,}(?::\d+)?/")
    taken: list[tuple[str, str]] = []
    known = fields(make_cast())
    good = {name: send("https://siem.example.com:443/") for name, send in known.items()}
    assert good == {
        "feed over http": 201, "feed over syslog": 201, "feed's form": 302, "channel": 201,
        "vendor by security": 403, "vendor by an employee": 403, "vendor's form": 403,
        "target by security": 403,
    }  # fmt: skip
    for at, (name, send) in enumerate(known.items()):
        for url in HOSTILE[at % EVERY :: EVERY]:
            said = url.replace("{port}", str(listening.port))
            if send(said) in {200, 201, 202, 302} and not plain.fullmatch(said):
                taken.append((name, url))
    assert taken == []
