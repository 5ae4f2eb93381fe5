"""The whole service, started as a stranger starts it, for the journeys to walk through."""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN_SECONDS = 120


def clean_environment(**extra: str) -> dict[str, str]:
    """Return the environment of a shell that knows nothing of this test session."""
    ours = ("UNSPRAWL_", "DJANGO_", "PYTEST_", "DATABASE_", "BROKER_", "COV_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | extra


@dataclass
class Caller:
    """Somebody with an API token."""

    service: Service
    token: str = field(repr=False)

    def __call__(self, method: str, path: str, json: object = None, **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"} | more.pop("headers", {})
        return requests.request(
            method,
            f"{self.service.web}/api/v1/{path}",
            json=json,
            headers=headers,
            timeout=30,
            **more,
        )

    def must(self, method: str, path: str, json: object = None, **more: Any) -> Any:
        """Call and return the answer's JSON; a refusal fails the test with its words."""
        answer = self(method, path, json, **more)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json() if answer.content else None


@dataclass
class Service:
    """A running service and how to reach it."""

    data: Path
    port: int
    gateway_port: int
    bootstrap: str = field(repr=False)
    process: subprocess.Popen[bytes] | None = None
    log: Path = Path()

    @property
    def web(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def gateway(self) -> str:
        return f"http://127.0.0.1:{self.gateway_port}"

    @property
    def environment(self) -> dict[str, str]:
        return clean_environment(
            UNSPRAWL_DATA_DIR=str(self.data),
            PORT=str(self.port),
            GATEWAY_PORT=str(self.gateway_port),
            UNSPRAWL_BOOTSTRAP_TOKEN=self.bootstrap,
        )

    def start(self) -> None:
        self.log = self.data / "console.log"
        with self.log.open("ab") as console:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "config.up"],
                cwd=ROOT,
                env=self.environment,
                stdout=console,
                stderr=console,
            )
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            if self._is_ready():
                return
            time.sleep(0.2)
        raise AssertionError(f"not ready:\n{self.log.read_text()[-3000:]}")

    def _is_ready(self) -> bool:
        try:
            answers = [
                requests.get(f"{base}/readyz", timeout=2) for base in (self.web, self.gateway)
            ]
        except requests.RequestException:
            return False
        return all(answer.status_code == 200 for answer in answers)

    def stop(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    def manage(self, *words: str) -> subprocess.CompletedProcess[str]:
        environment = clean_environment(UNSPRAWL_DATA_DIR=str(self.data))
        return subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def person(self, email: str, roles: str, *more: str) -> Caller:
        """Return a caller for somebody the operator has given a token."""
        done = self.manage("token", "--email", email, "--roles", roles, *more)
        assert done.returncode == 0, done.stderr[-2000:]
        return Caller(self, done.stdout.strip())

    @property
    def admin(self) -> Caller:
        return Caller(self, self.bootstrap)


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    """Yield a service with data of its own, stopped at the end of the session."""
    with tempfile.TemporaryDirectory(prefix="unsprawl-journey-") as directory:
        running = Service(
            Path(directory), free_port(), free_port(), bootstrap=secrets.token_urlsafe(32)
        )
        running.start()
        try:
            yield running
        finally:
            running.stop()


def smallest_manifest(name: str, owner: str, backup: str, route: str = "sandbox") -> dict[str, Any]:
    """Return the least that a registration must say."""
    return {
        "apiVersion": "unsprawl.dev/v1",
        "kind": "Agent",
        "metadata": {
            "name": name,
            "title": name.replace("-", " ").capitalize(),
            "description": f"Does the work of {name} for the people who asked for it.",
        },
        "spec": {
            "version": "1.0.0",
            "owner": f"user:{owner}",
            "backupOwner": f"user:{backup}",
            "dataClasses": ["internal"],
            "models": [{"alias": "default", "route": route}],
        },
    }


def approved_agent(service: Service, name: str, *, route: str = "sandbox") -> tuple[Caller, str]:
    """Register, submit and approve an agent; return its owner and a key."""
    owner = service.person(f"owner-of-{name}@acme.example", "employee")
    service.person(f"backup-of-{name}@acme.example", "employee")
    guard = service.person("sam@acme.example", "security,employee")
    manifest = smallest_manifest(
        name, f"owner-of-{name}@acme.example", f"backup-of-{name}@acme.example", route
    )
    owner.must("POST", "agents", manifest)
    review = owner.must(
        "POST", f"agents/{name}/submit", {"justification": "It does something the others do not."}
    )
    guard.must(
        "POST", f"reviews/{review['id']}/decisions", {"decision": "approve", "comment": "Fine."}
    )
    return owner, owner.must("POST", f"agents/{name}/keys", {})["key"]


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the base address of a real llama.cpp server."""
    directory: Path = tmp_path_factory.mktemp("llama")
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.journeys.tiny_model", str(directory)],
        cwd=ROOT,
        env=clean_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    address = server.stdout.readline().strip()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v1", address)
    yield address
    server.stdin.close()
    server.wait(30)
    server.stdout.close()
