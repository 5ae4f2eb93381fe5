"""Clients as they come, before a real gateway and a vendor with real shapes.

They are told a base URL and a key, and nothing else.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pytest

from bench.gateway.rig import GatewayChild, Rig, World
from tests.clients import installed
from tests.clients.mock import VendorMock
from tests.journeys.conftest import llama
from tests.ports import free_port
from tests.routing.gateway.conftest import (
    Agent,
    Client,
    agent,
    eventually,
    make_agent,
    rig,
    scripted,
    served,
    vendor,
    world,
)

__all__ = ["agent", "llama", "make_agent", "rig", "scripted", "served", "vendor", "world"]

PROGRAMS = Path(__file__).parent / "programs"
# Those who are sent away once, to see that they come back.
BUSY = (
    "openai2", "openai3", "anthropic", "langchain", "pydantic", "agents", "llama",
    "node", "anthropic-node", "ai",
)  # fmt: skip


@pytest.fixture
def claude(make_agent: Callable[..., Agent]) -> Agent:
    """An agent whose route is served in Anthropic's dialect."""
    return make_agent(dialect="anthropic")


def missing(why: object) -> NoReturn:
    """Skip loudly what cannot be installed here; under CI nothing is skipped."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{why}, and under CI=true no test is skipped.")
    sys.stderr.write(f"\n!! {why}: THE TESTS OF CLIENTS THAT NEED IT ARE SKIPPED\n")
    pytest.skip(str(why))


@pytest.fixture(scope="session")
def node() -> Path:
    """Return a directory whose ``node_modules`` has the clients of Node."""
    try:
        return installed.node()
    except installed.NotInstallable as reason:
        missing(reason)


@pytest.fixture(scope="session")
def python_with() -> Callable[[str], Path]:
    """Return what finds an interpreter with clients of Python."""

    def find(name: str) -> Path:
        try:
            return installed.python_with(name)
        except installed.NotInstallable as reason:
            missing(reason)

    return find


@dataclass
class Company:
    """A gateway in a process of its own, vendors behind it, and one agent's key."""

    gateway: str
    key: str = field(repr=False)
    mock: VendorMock
    log: Path

    @property
    def told(self) -> dict[str, str]:
        """What a client is told: where, and with which key, in its own variables."""
        return {
            "OPENAI_BASE_URL": f"{self.gateway}/v1",
            "OPENAI_API_KEY": self.key,
            "ANTHROPIC_BASE_URL": self.gateway,
            "ANTHROPIC_API_KEY": self.key,
        }


@pytest.fixture(scope="session")
def company(rig: Rig, node: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    home = tmp_path_factory.mktemp("company")
    mock = VendorMock(node, home, BUSY)
    port = free_port()
    gateway = GatewayChild(rig, port, home / "gateway.log")
    try:
        mock.wait_ready()
        with closing(World(rig)) as world:
            key = _furnish(world, mock.base_url)
        gateway.wait_ready()
        eventually(lambda: Client(port, key).ask("GET", "/v1/models").status == 200)
        yield Company(f"http://127.0.0.1:{port}", key, mock, home / "gateway.log")
    finally:
        gateway.stop()
        mock.stop()


def _furnish(world: World, base_url: str) -> str:
    """Name routes as the vendors name models, so that a client changes nothing at all."""
    openai, _ = world.add_vendor(base_url, name="mock-openai")
    anthropic, _ = world.add_vendor(
        base_url, name="mock-anthropic", dialect="anthropic", auth_scheme="x-api-key"
    )
    served = world.add_model(openai, "gpt-5-mini-2026-01-01")
    other = world.add_model(anthropic, "claude-sonnet-4-5-20250929")
    world.add_route("gpt-5-mini", served)
    world.add_route("gpt-not-declared", served)
    world.add_route("claude-sonnet-4-5", other)
    world.add_route("claude-not-declared", other)
    return world.add_agent(routes=["gpt-5-mini", "claude-sonnet-4-5"]).key


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command that knows nothing of this machine but what it is told."""

    def start(*command: object, **told: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(word) for word in command],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)} | told,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    return start


@pytest.fixture
def run_node(
    node: Path, tmp_path: Path, run: Callable[..., subprocess.CompletedProcess[str]]
) -> Callable[..., str]:
    """Run a script in node beside the clients; return what it prints."""

    def start(script: str, **told: str) -> str:
        beside = tmp_path / "node_modules"
        if not beside.exists():
            beside.symlink_to(node / "node_modules")
        file = tmp_path / "script.mjs"
        file.write_text(script, encoding="utf-8")
        done = run(shutil.which("node"), file, **told)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return start


@pytest.fixture
def run_program(
    company: Company,
    python_with: Callable[[str], Path],
    run: Callable[..., subprocess.CompletedProcess[str]],
    run_node: Callable[..., str],
) -> Callable[..., Any]:
    """Run one of ``programs`` before the company's gateway; return what it says."""

    def start(name: str, environment: str = "node", **told: str) -> Any:
        told = company.told | told
        file = PROGRAMS / name
        if environment == "node":
            return json.loads(run_node(file.read_text(encoding="utf-8"), **told))
        done = run(python_with(environment), file, **told)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return start
