"""What the guide shows works as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from config.places import BASE_DIR
from tests.clients.conftest import Company
from tests.clients.mock import HELLO
from tests.clients.test_terminals import the_one

pytestmark = [pytest.mark.clients, pytest.mark.slow]
GUIDE = (BASE_DIR / "docs/guides/clients.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.+?)(?=^## |\Z)", GUIDE, re.MULTILINE | re.DOTALL))
first, second = pytest.mark.xdist_group("clients-a"), pytest.mark.xdist_group("clients-b")
Run = Callable[..., subprocess.CompletedProcess[str]]


def blocks(title: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.+?)^```", SECTIONS[title], re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    ("title", "environment", "hellos"),
    [
        pytest.param("OpenAI for Python", "openai3", 1, marks=second),
        pytest.param("Anthropic for Python", "openai3", 1, marks=second),
        pytest.param("LangChain and LangGraph", "openai3", 2, marks=second),
        pytest.param("Pydantic AI", "openai3", 1, marks=second),
        pytest.param("OpenAI Agents SDK", "openai3", 1, marks=second),
        pytest.param("LlamaIndex", "openai2", 1, marks=first),
    ],
)
def test_python(
    company: Company,
    python_with: Callable[[str], Path],
    run: Run,
    title: str,
    environment: str,
    hellos: int,
) -> None:
    (shown,) = blocks(title, "python")
    done = run(python_with(environment), "-c", shown, **company.told)
    assert (done.returncode, done.stdout.splitlines()) == (0, [HELLO] * hellos), done.stderr


@first
@pytest.mark.parametrize(
    ("title", "hellos"),
    [("OpenAI for Node", 1), ("Anthropic for Node", 1), ("Vercel AI SDK", 2)],
)
def test_node(company: Company, run_node: Callable[..., str], title: str, hellos: int) -> None:
    (shown,) = blocks(title, "js")
    assert run_node(shown, **company.told).splitlines() == [HELLO] * hellos


@first
@pytest.mark.parametrize(
    ("title", "program", "pattern"),
    [
        ("Claude Code", "claude", "@anthropic-ai/claude-code-*/claude"),
        ("Codex", "codex", "@openai/codex-*/vendor/*/bin/codex"),
    ],
)
def test_terminal(
    company: Company, node: Path, tmp_path: Path, run: Run, title: str, program: str, pattern: str
) -> None:
    (tmp_path / program).symlink_to(the_one(node, pattern))
    if settings := blocks(title, "toml"):
        (tmp_path / ".codex").mkdir()
        (tmp_path / ".codex" / "config.toml").write_text(_here(settings[0], company))
    (shown,) = blocks(title, "sh")
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = run("sh", "-c", _here(shown, company), PATH=path)
    assert (done.returncode, done.stdout.strip()) == (0, HELLO), done.stderr


def _here(shown: str, company: Company) -> str:
    return shown.replace("http://127.0.0.1:8100", company.gateway).replace("usp_…", company.key)
