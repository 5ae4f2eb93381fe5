"""A gateway on a real socket, before a real database and a scripted vendor. No Django."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from bench.gateway.rig import Rig, SeededAgent, World
from routing import freshness
from routing.gateway.open_calls import Patience
from routing.runtime import Settings, create_app
from tests.rigs import CopiedRig
from tests.routing.gateway.scripted import SECRET, ScriptedVendor

BODY = {"model": "sandbox", "messages": [{"role": "user", "content": "Say hello."}]}


@pytest.fixture(autouse=True)
def patient_snapshots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a gateway of this process wait for the news as long as a slow machine takes."""
    monkeypatch.setattr(freshness, "_AGAIN_SECONDS", 20.0)
    monkeypatch.setattr(freshness, "GRACE_SECONDS", 20.0)


@pytest.fixture(scope="session")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with CopiedRig(tmp_path_factory.mktemp("gateway"), fsync=False) as made:
        yield made


@pytest.fixture(scope="session")
def scripted() -> Iterator[ScriptedVendor]:
    vendor = ScriptedVendor()
    vendor.start()
    yield vendor
    vendor.stop()


@pytest.fixture
def vendor(scripted: ScriptedVendor) -> ScriptedVendor:
    scripted.reset()
    return scripted


@pytest.fixture
def world(rig: Rig) -> Iterator[World]:
    with closing(World(rig)) as made:
        yield made


_SERVED: dict[int, ServedGateway] = {}


class ServedGateway:
    """A gateway in a thread of this process, as uvicorn serves it in production."""

    def __init__(
        self, rig: Rig, patience: Patience | None = None, protection: Path | None = None
    ) -> None:
        settings = Settings(
            rig.login,
            rig.keys_dir,
            patience=patience or Patience(),
            logs_requests=False,
            protection=protection,
        )
        self.app = create_app(settings)
        self.process: Any = self.app._life
        config = uvicorn.Config(
            self.app,
            port=0,
            loop="uvloop",
            http="httptools",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(
            target=lambda: self._server.run(sockets=[self._socket]), daemon=True
        )

    def start(self) -> None:
        _SERVED[self.port] = self
        self._thread.start()
        deadline = time.monotonic() + 60
        while not self._server.started:
            assert self._thread.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(60)
        _SERVED.pop(self.port, None)
        assert not self._thread.is_alive()
        self._socket.close()


@pytest.fixture(scope="session")
def served(rig: Rig) -> Iterator[ServedGateway]:
    gateway = ServedGateway(rig)
    gateway.start()
    yield gateway
    gateway.stop()


@dataclass
class Got:
    """An answer of the gateway."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.json["error"]["code"])


@dataclass
class Client:
    """What an agent's program does: HTTP with a key."""

    port: int
    key: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Got:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)) as line:
            line.request(method, path, body, self._headers(headers))
            answer = line.getresponse()
            given = {name.lower(): value for name, value in answer.getheaders()}
            return Got(answer.status, given, answer.read())

    def chat(self, body: Any = None, **headers: str) -> Got:
        raw = body if isinstance(body, bytes) else json.dumps(body or BODY).encode()
        return self.ask("POST", "/v1/chat/completions", raw, **headers)

    def stream(self, **over: Any) -> Got:
        return self.chat(BODY | {"stream": True} | over)

    def open_stream(self, **over: Any) -> tuple[http.client.HTTPConnection, Any]:
        """Begin a stream and return the connection and the answer, unread."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        raw = json.dumps(BODY | {"stream": True} | over).encode()
        line.request("POST", "/v1/chat/completions", raw, self._headers({}))
        return line, line.getresponse()

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        given = {"content-type": "application/json"} | self.headers
        if self.key:
            given["authorization"] = f"Bearer {self.key}"
        return given | {name.replace("_", "-"): value for name, value in more.items()}


@dataclass
class Agent(Client):
    """An agent that may call a route of its own, served by the scripted vendor."""

    world: World = None  # type: ignore[assignment]
    row: SeededAgent = None  # type: ignore[assignment]
    route: str = ""
    vendor_id: str = ""

    def chat(self, body: Any = None, **headers: str) -> Got:
        if body is None or (isinstance(body, dict) and body.get("model") == "sandbox"):
            body = (body or BODY) | {"model": self.route}
        return super().chat(body, **headers)

    def post(self, path: str, document: dict[str, Any], **headers: str) -> Got:
        """Make a call of any kind to the agent's own route."""
        raw = json.dumps({"model": self.route} | document).encode()
        return self.ask("POST", path, raw, **headers)

    def open_stream(self, **over: Any) -> tuple[http.client.HTTPConnection, Any]:
        return super().open_stream(**{"model": self.route} | over)

    def wait_until_known(self) -> None:
        eventually(lambda: self.ask("GET", "/v1/models").status == 200)

    def catch_up(self) -> None:
        """Wait until the gateway of this process has seen what is in the database now."""
        moment, snapshots = time.monotonic(), _SERVED[self.port].process._snapshots
        eventually(lambda: snapshots._confirmed > moment)

    def entries(self) -> list[dict[str, Any]]:
        rows = self.world.query(
            "SELECT header FROM ledger_entry WHERE agent_id = %s ORDER BY id", self.row.public_id
        )
        return [json.loads(bytes(row[0])) for row in rows]

    def calls(self) -> list[dict[str, Any]]:
        rows = self.world.query(
            "SELECT to_jsonb(c) FROM routing_call c WHERE agent_id = %s ORDER BY id",
            self.row.public_id,
        )
        return [row[0] for row in rows]


@pytest.fixture(scope="module")
def other_scripted() -> Iterator[ScriptedVendor]:
    vendor = ScriptedVendor()
    vendor.start()
    yield vendor
    vendor.stop()


@pytest.fixture
def other(other_scripted: ScriptedVendor) -> ScriptedVendor:
    other_scripted.reset()
    return other_scripted


@pytest.fixture
def make_agent(served: ServedGateway, world: World, vendor: ScriptedVendor) -> Callable[..., Agent]:
    def make(
        port: int = 0,
        constraints: dict[str, Any] | None = None,
        dialect: str = "openai",
        options: dict[str, Any] | None = None,
        **over: Any,
    ) -> Agent:
        scheme = "x-api-key" if dialect == "anthropic" else "bearer"
        vendor_pk, vendor_id = world.add_vendor(
            vendor.base_url, secret=SECRET, dialect=dialect, auth_scheme=scheme
        )
        route = f"route-{vendor_id}"
        model = world.add_model(vendor_pk)
        world.add_route(route, model, constraints=constraints, options=options)
        row = world.add_agent(**{"routes": [route]} | over)
        agent = Agent(port or served.port, row.key)
        agent.world, agent.row, agent.route, agent.vendor_id = world, row, route, vendor_id
        if row.is_callable:
            agent.wait_until_known()
        return agent

    return make


@pytest.fixture
def agent(make_agent: Callable[..., Agent]) -> Agent:
    return make_agent()


def eventually(holds: Callable[[], bool], seconds: float = 60.0) -> float:
    """Wait for something to hold; return how long it took."""
    started = time.monotonic()
    while not holds():
        assert time.monotonic() - started < seconds, "it never came to hold"
        time.sleep(0.005)
    return time.monotonic() - started


def raw_request(key: str, body: bytes, *headers: str) -> bytes:
    """Return a chat call as bytes on the wire."""
    lines = [
        "POST /v1/chat/completions HTTP/1.1",
        "host: gateway",
        f"authorization: Bearer {key}",
        f"content-length: {len(body)}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
