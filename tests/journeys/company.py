"""A company whose agents call a model that ends, and the vendor that ends it.

Agents are registered, reviewed and given keys as anybody's are. The vendor speaks OpenAI's wire:
its list says when the model ends, and after that day it answers as OpenAI answers such calls.
"""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import requests
from celery import Celery

from config.places import Places
from tests.journeys.conftest import Caller, Service, smallest_manifest
from tests.journeys.tiny_model import MODEL_NAME as CANDIDATE
from tests.journeys.vendor import answer, completion

MODEL: Final = "classic-1"
OWNERS: Final = 2
BACKUP: Final = "backup@papers.example"
_DEPRECATIONS: Final = "https://platform.openai.com/docs/deprecations"
# The route that agents declare by turns, and what they call: the route itself, another name of
# it, and a route whose first model is down.
_WAYS: Final = (
    ("sort-papers", "sort-papers"),
    ("sort-papers", "sort-papers-old"),
    ("sort-papers", "sort-papers"),
    ("sort-or-wait", "sort-or-wait"),
)


class RetiringVendor:
    """What a vendor says of its models, and what it answers while they live and after."""

    def __init__(self) -> None:
        self.ends_on: str | None = None
        self.is_over = False
        self.asked = 0  # calls of the model that ends
        self.address = ""

    @contextmanager
    def serving(self) -> Iterator[RetiringVendor]:
        vendor = self

        class Door(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                model = {"id": MODEL, "object": "model", "owned_by": "retiring-ai"}
                listed = model | {"shutdown_date": vendor.ends_on}
                answer(self, 200, {"object": "list", "data": [listed]})

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                vendor.asked += 1
                if vendor.is_over:
                    answer(self, 404, _retired())
                else:
                    answer(self, 200, completion("It is an invoice.", MODEL))

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing: the test reads what was asked."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self.address = f"http://127.0.0.1:{server.server_port}/v1"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join(10)


def _retired() -> dict[str, Any]:
    said = f"The model `{MODEL}` has been deprecated, learn more here: {_DEPRECATIONS}"
    return {
        "error": {
            "message": said, "type": "invalid_request_error", "param": None,
            "code": "model_not_found",
        }
    }  # fmt: skip


@dataclass
class Working:
    """One agent's program: what it calls, and with which key."""

    service: Service
    name: str
    calls: str
    key: str = field(repr=False)

    def ask(self, label: str) -> requests.Response:
        body = {
            "model": self.calls, "max_tokens": 8,
            "messages": [{"role": "user", "content": f"Which paper is this? {label}"}],
        }  # fmt: skip
        return requests.post(
            f"{self.service.gateway}/v1/chat/completions", json=body, timeout=60,
            headers={
                "Authorization": f"Bearer {self.key}", "x-unsprawl-run": f"{self.name}-{label}",
            },
        )  # fmt: skip


@dataclass
class Company:
    """Everybody who has a part in it."""

    service: Service
    owners: dict[str, Caller]
    guard: Caller
    source: str
    candidate: str
    agents: list[Working] = field(default_factory=list)

    @property
    def admin(self) -> Caller:
        return self.service.admin

    def ring(self, sweep: str) -> None:
        """Ring a sweep as the beat does, rather than wait for its turn."""
        with Celery(broker=Places(self.service.data).read_runtime().broker_url) as bell:
            bell.send_task(sweep, queue="unsprawl", ignore_result=True)


def found_company(service: Service, vendor: RetiringVendor, llama: str, agents: int) -> Company:
    """Connect both vendors, make the routes, and register as many agents as are asked for."""
    emails = [f"owner-{number}@papers.example" for number in range(OWNERS)]
    service.admin.must("POST", "people", {"email": BACKUP, "roles": ["employee"]})
    wanted = [(email, "employee") for email in emails] + [("sam@acme.example", "security,employee")]
    with ThreadPoolExecutor(3) as threads:  # each is a process of its own
        people = list(threads.map(lambda one: service.person(*one), wanted))
    models = _models(service, vendor, llama)
    made = Company(
        service, dict(zip(emails, people, strict=False)), people[-1],
        source=models[MODEL], candidate=models[CANDIDATE],
    )  # fmt: skip
    with ThreadPoolExecutor(4) as threads:
        made.agents = list(threads.map(lambda number: _agent(made, number), range(agents)))
    return made


def _models(service: Service, vendor: RetiringVendor, llama: str) -> dict[str, str]:
    admin, found = service.admin, {}
    classes = ["public", "internal", "confidential"]
    for name, address, model, price in (
        ("retiring-ai", vendor.address, MODEL, "5"),
        ("own-llama", llama, CANDIDATE, "0.1"),
        ("down-ai", "http://127.0.0.1:9/v1", "never-1", "1"),
    ):
        given = {"name": name, "dialect": "openai", "base_url": address, "data_classes": classes}
        admin.must("POST", "vendors", given)
        admin.must("PUT", f"vendors/{name}/secret", {"value": "nobody-checks-it"})
        prices = {"input_usd_per_mtok": price, "output_usd_per_mtok": price}
        found[model] = admin.must("POST", f"vendors/{name}/models", {"name": model, **prices})["id"]
    ends = {"vendor": "retiring-ai", "model": MODEL}
    admin.must("PUT", "routes/sort-papers", {"targets": [ends], "aliases": ["sort-papers-old"]})
    down = {"vendor": "down-ai", "model": "never-1"}
    admin.must("PUT", "routes/sort-or-wait", {"targets": [down, ends]})
    return found


def _agent(company: Company, number: int) -> Working:
    emails = list(company.owners)
    email, name = emails[number % OWNERS], f"papers-{number}"
    route, called = _WAYS[number % len(_WAYS)]
    manifest = smallest_manifest(name, email, BACKUP, route)
    if number == 0:
        manifest["spec"]["dataClasses"] = ["confidential"]  # so that security is asked too
    owner = company.owners[email]
    owner.must("POST", "agents", manifest)
    review = owner.must("POST", f"agents/{name}/submit", {"justification": "Each has its own box."})
    company.guard.must(
        "POST", f"reviews/{review['id']}/decisions", {"decision": "approve", "comment": "Fine."}
    )
    key = owner.must("POST", f"agents/{name}/keys", {})["key"]
    return Working(company.service, name, called, key)


class Callers:
    """Agents that go on calling while they are moved; every answer that is not one is kept."""

    AT_ONCE: Final = 3

    def __init__(self, company: Company) -> None:
        self.made = 0
        self.failed: list[str] = []
        self._company = company
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._call, args=(number,)) for number in range(self.AT_ONCE)
        ]

    def __enter__(self) -> Callers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *why: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(60)

    def go_on(self, calls: int) -> None:
        """Wait until so many more calls were made."""
        wanted, deadline = self.made + calls, time.monotonic() + 60 + calls
        while self.made < wanted:
            assert time.monotonic() < deadline, f"{self.made} calls, {self.failed[:3]}"
            time.sleep(0.05)

    def _call(self, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311  who calls next, not a secret
        while not self._over.is_set():
            agent = chance.choice(self._company.agents)
            try:
                said = agent.ask(f"live-{chance.randrange(10**9)}")
                fault = "" if said.status_code == 200 else f"{said.status_code} {said.text[:300]}"
            except requests.RequestException as error:
                fault = type(error).__name__
            with self._lock:
                self.made += 1
                if fault:
                    self.failed.append(f"{agent.name}: {fault}")


class Portal:
    """A browser without a screen: signed in, with the token that forms carry."""

    def __init__(self, service: Service, link: str) -> None:
        self._web, self._session = service.web, requests.Session()
        self._session.get(link, timeout=30)
        self.press(link.removeprefix(service.web))

    def read(self, path: str) -> requests.Response:
        """Open a page."""
        answer = self._session.get(self._web + path, timeout=60)
        assert answer.ok, f"{path}: {answer.status_code}"
        return answer

    def press(self, path: str, **said: Any) -> requests.Response:
        """Send a form. A page that refuses fails the test with its words."""
        token = self._session.cookies["unsprawl-csrf"]
        answer = self._session.post(
            self._web + path, data={"csrfmiddlewaretoken": token, **said}, timeout=120,
            headers={"Referer": self._web + path},
        )  # fmt: skip
        assert answer.ok, (
            f"{path}: {answer.status_code} {re.sub('<[^>]+>', ' ', answer.text)[:800]}"
        )
        return answer


def portal_of(company: Company) -> Portal:
    """Sign somebody of the platform team in, by a link that works once."""
    admin = company.admin
    pat = {"email": "pat@papers.example", "roles": ["platform", "employee"]}
    person = admin.must("POST", "people", pat)["id"]
    link = admin.must("POST", f"people/{person}/signin-link", {})["url"]
    return Portal(company.service, link)
