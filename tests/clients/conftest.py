"""Clients as they come, before a real gateway and a vendor with real shapes.

They are told a base URL and a key, and nothing else.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.routing.gateway.conftest import (
    Agent,
    agent,
    make_agent,
    rig,
    scripted,
    served,
    vendor,
    world,
)

__all__ = ["agent", "make_agent", "rig", "scripted", "served", "vendor", "world"]

PACKAGES = ("openai", "@anthropic-ai/sdk")


@pytest.fixture
def claude(make_agent: Callable[..., Agent]) -> Agent:
    """An agent whose route is served in Anthropic's dialect."""
    return make_agent(dialect="anthropic")


def _missing(why: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{why}, and under CI=true no test is skipped.")
    sys.stderr.write(f"\n!! {why.upper()}: THE TESTS OF NODE'S CLIENTS ARE SKIPPED\n")
    pytest.skip(why)


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory in which npm has just installed the clients."""
    npm, home = shutil.which("npm"), tmp_path_factory.mktemp("node")
    if npm is None or shutil.which("node") is None:
        _missing("there is no npm on this machine")
    assert npm is not None
    command = [npm, "install", "--silent", "--no-fund", "--no-audit", "--ignore-scripts"]
    done = subprocess.run(
        [*command, "--prefix", str(home), *PACKAGES],
        check=False,
        cwd=home,
        capture_output=True,
        timeout=180,
    )
    if done.returncode:
        _missing("npm could not install the clients")
    return home


@pytest.fixture
def run_node(node_modules: Path) -> Callable[..., str]:
    """Run a script in node beside the clients; return what it prints."""

    def run(script: str, **environment: str) -> str:
        file = node_modules / "script.mjs"
        file.write_text(script, encoding="utf-8")
        done = subprocess.run(
            ["node", str(file)],
            check=False,
            cwd=node_modules,
            env={"PATH": os.environ["PATH"], "HOME": str(node_modules)} | environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run
