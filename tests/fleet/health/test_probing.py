"""Probes against real sockets, most of them hostile: bounded, vetted, and never believed."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connections

from credentials.errors import AddressRefused
from fleet.health.actions.following import follow_registry
from fleet.health.actions.probing import Done, apply_probes, claim_probes
from fleet.health.actions.setting import make_probe_secret, set_check
from fleet.health.expected import Expected
from fleet.health.models import AgentHealth, Check
from fleet.health.prober import Prober
from fleet.health.probing.challenge import CHALLENGE, answer
from fleet.health.probing.client import ProbeClient
from fleet.health.probing.judging import Judged
from kernel import clock
from registry.actors import Actor
from registry.models import Agent
from tests.credentials.hostile_urls import HOSTILE
from tests.factories import Cast, actor, make_agent, make_cast

WORKER = Actor.system("prober")
Serve = Callable[[socket.socket, bytes], None]


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@contextmanager
def serving(serve: Serve) -> Iterator[str]:
    """Run a server that does with each connection what it is told."""
    door = socket.create_server(("127.0.0.1", 0), backlog=64)
    door.settimeout(0.1)
    ends = threading.Event()

    def one(line: socket.socket) -> None:
        with line:
            line.settimeout(60)
            try:
                serve(line, line.recv(65536))
            except OSError:
                return

    def run() -> None:
        while not ends.is_set():
            try:
                line, _ = door.accept()
            except TimeoutError:
                continue
            threading.Thread(target=one, args=(line,), daemon=True).start()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{door.getsockname()[1]}/healthz"
    ends.set()
    thread.join()
    door.close()


def challenge_in(request: bytes) -> str:
    for line in request.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(": ")
        if name.lower() == CHALLENGE:
            return value
    return ""


def reply(line: socket.socket, body: bytes, head: str = "HTTP/1.1 200 OK") -> None:
    line.sendall(f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)


def honest(secret: str = "") -> Serve:
    def serve(line: socket.socket, request: bytes) -> None:
        nonce = challenge_in(request)
        said = answer(secret, "invoice-sorter", nonce) if secret else f"echo=invoice-sorter/{nonce}"
        reply(line, json.dumps({"proof": said}).encode())

    return serve


def endless_body(line: socket.socket, _: bytes) -> None:
    line.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        line.sendall(b"x" * 65536)


def endless_headers(line: socket.socket, _: bytes) -> None:
    line.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        line.sendall(b"x: " + b"y" * 8192 + b"\r\n")


def slow(line: socket.socket, _: bytes) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}":
        line.sendall(bytes([byte]))
        time.sleep(2)


def silent(line: socket.socket, _: bytes) -> None:
    time.sleep(60)


def redirecting(line: socket.socket, _: bytes) -> None:
    reply(line, b"", "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/")


def zipped(line: socket.socket, _: bytes) -> None:
    reply(line, b"\x1f\x8b" * 100, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip")


def babbling(line: socket.socket, _: bytes) -> None:
    line.sendall(b"SSH-2.0-OpenSSH_9.9\r\n" * 10)


def hundred_continues(line: socket.socket, _: bytes) -> None:
    while True:
        line.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")


@pytest.mark.parametrize(
    "serve",
    [endless_body, endless_headers, slow, silent, zipped, babbling, hundred_continues],
)
def test_a_hostile_answer_is_bounded_and_no_answer(serve: Serve) -> None:
    async def ask(url: str) -> str:
        client = ProbeClient(seconds=0.5)
        answered = await client.get(url, {}, allow_private=True)
        client.close()
        return answered.fault

    with serving(serve) as url:
        began = time.monotonic()
        assert asyncio.run(ask(url))
        assert time.monotonic() - began < 20


def test_tls_that_is_none_is_no_answer() -> None:
    async def ask(url: str) -> str:
        client = ProbeClient(seconds=0.5)
        return (await client.get(url, {}, allow_private=True)).fault

    with serving(babbling) as url:
        assert asyncio.run(ask(url.replace("http:", "https:")))


def test_no_hostile_address_is_connected_to() -> None:
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[tuple[socket.AddressFamily, object]]:
        asked.append(host)
        return [(socket.AF_INET, ("127.0.0.1", port))]

    async def ask_all(addresses: list[str]) -> list[bool]:
        client = ProbeClient(seconds=1, resolve=resolve)
        found = [(await client.get(url, {}, allow_private=False)).is_refused for url in addresses]
        client.close()
        return found

    with serving(honest()) as url:
        port = url.split(":")[2].partition("/")[0]
        assert all(asyncio.run(ask_all([each.format(port=port) for each in HOSTILE])))


def probed(cast: Cast, url: str) -> Agent:
    agent = make_agent(owner=cast.alice, stage="live")
    follow_registry(actor=WORKER)
    wanted = Expected("probe", "http", url, interval_seconds=10, grace_seconds=5)
    set_check(agent, wanted, actor=actor(cast.pat), allow_private=True)
    return agent


def run_prober(rounds: int) -> None:
    """Let a prober take what is due so many times, each a little later."""
    for _ in range(rounds):
        Check.objects.update(due_at=clock.now(), leased_until=None)
        prober = Prober(ProbeClient(), tick=0.01)

        async def run(prober: Prober = prober) -> None:
            task = asyncio.create_task(prober.run())
            while Check.objects.filter(due_at__lte=clock.now()).exists():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            connections.close_all()  # those of this task
            prober.stop()  # what is under way is ended and applied
            await task

        asyncio.run(run())


@pytest.mark.django_db(transaction=True)
def test_the_right_agent_is_healthy_and_what_takes_its_place_is_down(cast: Cast) -> None:
    with serving(honest()) as url:
        agent = probed(cast, url)
        run_prober(1)
        assert AgentHealth.objects.get(agent=agent).status == "healthy"
    with serving(lambda line, _: reply(line, b"<html>parked</html>")) as other:
        Check.objects.update(url=other)
        run_prober(3)
    health = AgentHealth.objects.get(agent=agent)
    assert (health.status, health.source) == ("down", "probe")
    assert health.reason.startswith("Something answers")


@pytest.mark.django_db
def test_with_a_secret_only_its_hmac_proves_the_agent(cast: Cast) -> None:
    with serving(honest()) as url:
        agent = probed(cast, url)
    secret = make_probe_secret(agent, actor=actor(cast.alice))
    Check.objects.update(due_at=clock.now() - timedelta(seconds=1))
    (due,) = claim_probes(5, actor=WORKER)
    assert due.secret == secret
    assert secret not in repr(due)
    assert make_probe_secret(agent, actor=actor(cast.alice)) != secret


@pytest.mark.django_db
def test_a_probe_is_claimed_once_and_a_late_answer_of_an_old_claim_is_dropped(cast: Cast) -> None:
    probed(cast, "http://127.0.0.1:1/")
    Check.objects.update(due_at=clock.now() - timedelta(hours=1))
    (old,) = claim_probes(5, actor=WORKER)
    assert claim_probes(5, actor=WORKER) == []
    check = Check.objects.get()
    assert check.due_at is not None
    assert check.due_at > clock.now()  # what was missed is not made up for
    Check.objects.update(leased_until=None, due_at=clock.now() - timedelta(seconds=1))
    claim_probes(5, actor=WORKER)
    apply_probes([Done(old, Judged("down", "x"))], actor=WORKER)
    assert Check.objects.get().recent == ""


@pytest.mark.django_db
def test_an_owner_cannot_have_addresses_inside_probed(cast: Cast) -> None:
    agent = make_agent(owner=cast.alice, stage="live")
    for url in ("http://127.0.0.1:8000/", "https://10.0.0.1/", "https://169.254.169.254/"):
        wanted = Expected("probe", "http", url, interval_seconds=60)
        with pytest.raises(AddressRefused):
            set_check(agent, wanted, actor=actor(cast.alice), allow_private=True)
