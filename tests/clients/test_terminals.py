"""Claude Code and Codex, as npm installs them, in a home of their own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.conftest import Company
from tests.clients.mock import HELLO, RAN

pytestmark = [pytest.mark.clients, pytest.mark.slow, pytest.mark.xdist_group("clients-a")]

Done = subprocess.CompletedProcess[str]
Ask = Callable[..., Done]
CODEX = """
model = "gpt-5-mini"
model_provider = "unsprawl"

[model_providers.unsprawl]
name = "Unsprawl"
base_url = "{address}/v1"
env_key = "UNSPRAWL_KEY"
wire_api = "responses"
"""
NO_RETRIES = "request_max_retries = 0\nstream_max_retries = 0\n"


def the_one(node: Path, pattern: str) -> Path:
    found = sorted((node / "node_modules").glob(pattern))
    if len(found) != 1:
        pytest.skip(f"{pattern} was not made for this machine")
    return found[0]


@pytest.fixture
def claude_code(company: Company, node: Path, run: Callable[..., Done]) -> Ask:
    binary = the_one(node, "@anthropic-ai/claude-code-*/claude")

    def ask(*words: str, key: str = company.key) -> Done:
        told = {
            "ANTHROPIC_BASE_URL": company.gateway,
            "ANTHROPIC_AUTH_TOKEN": key,
            "ANTHROPIC_MODEL": "claude-sonnet-4-5",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        }
        return run(binary, "-p", *words, **told)

    return ask


@pytest.fixture
def codex(company: Company, node: Path, run: Callable[..., Done], tmp_path: Path) -> Ask:
    binary = the_one(node, "@openai/codex-*/vendor/*/bin/codex")
    (tmp_path / ".codex").mkdir()

    def ask(*words: str, key: str = company.key, more: str = "") -> Done:
        told = CODEX.format(address=company.gateway) + more
        (tmp_path / ".codex" / "config.toml").write_text(told, encoding="utf-8")
        return run(binary, "exec", "--skip-git-repo-check", "--json", *words, UNSPRAWL_KEY=key)

    return ask


def test_claude_code_answers(claude_code: Ask) -> None:
    done = claude_code("Hi")
    assert (done.returncode, done.stdout.strip()) == (0, HELLO)


def test_claude_code_runs_a_tool(claude_code: Ask) -> None:
    done = claude_code("Use the shell of Claude Code", "--allowedTools", "Bash(echo:*)")
    assert (done.returncode, done.stdout.strip()) == (0, RAN), done.stderr


def test_claude_code_says_at_once_why_it_is_refused(claude_code: Ask) -> None:
    wrong = claude_code("Hi", key="usp_wrong")
    assert wrong.returncode == 1
    assert "not a whole agent key" in wrong.stdout
    spent = claude_code("fail with 402")
    assert "402 The vendor says 402." in spent.stdout
    unknown = claude_code("Hi", "--model", "claude-unknown")
    assert (unknown.returncode, "claude-unknown" in unknown.stdout) == (1, True)


def test_the_calls_of_one_session_are_one_run(company: Company, claude_code: Ask) -> None:
    before = len(_runs(company))
    claude_code("Use the shell of Claude Code", "--allowedTools", "Bash(echo:*)")
    runs = _runs(company)[before:]
    assert len(runs) == 2
    assert len(set(runs)) == 1


def _runs(company: Company) -> list[str]:
    lines = [json.loads(line) for line in company.log.read_text().splitlines() if line[:1] == "{"]
    return [line["run"] for line in lines if line.get("operation") == "messages" and "run" in line]


def test_codex_answers(codex: Ask) -> None:
    assert _last_words(codex("Hi")) == HELLO


def test_codex_runs_a_tool(codex: Ask) -> None:
    assert _last_words(codex("Use the shell of Codex")) == RAN


def test_codex_says_why_it_is_refused(codex: Ask) -> None:
    wrong = codex("Hi", key="usp_wrong", more=NO_RETRIES)
    assert wrong.returncode == 1
    assert "not a whole agent key" in wrong.stdout + wrong.stderr
    spent = codex("fail with 402", more=NO_RETRIES)
    assert "The vendor says 402." in spent.stdout + spent.stderr


def _last_words(done: Done) -> str:
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    said = [one["item"] for one in events if one["type"] == "item.completed"]
    return str([item["text"] for item in said if item["type"] == "agent_message"][-1])
