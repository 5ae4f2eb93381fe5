"""The parent's side against children that misbehave in every way a process can."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from policy import chamber as chamber_module
from policy.bundle import BASE, Bundle
from policy.chamber import Chamber, ChamberLost, StillStarting
from policy.engine import CALLS, Judge
from policy.worker import build

HEAD = "import socket, time\nwire = socket.socket(fileno=0)\nlines = wire.makefile('rb')\n"
READY = HEAD + "lines.readline()\nwire.sendall(b'{\"ready\": true}\\n')\nlines.readline()\n"


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let another program play the worker."""

    def play(source: str) -> None:
        script = tmp_path / "worker.py"
        script.write_text(source)
        monkeypatch.setattr(chamber_module, "_WORKER", script)

    return play


@contextmanager
def opened() -> Iterator[Chamber]:
    chamber = Chamber(Bundle.load(BASE), CALLS, 1.0)
    try:
        yield chamber
    finally:
        chamber.close()


def soon(seconds: float = 60.0) -> float:
    return time.monotonic() + seconds


@pytest.mark.parametrize(
    "said",
    [
        "wire.sendall(b'not json\\n')",
        "wire.sendall(b'[1]\\n')",
        "wire.sendall(b'{}\\n{}\\n')",
        "wire.sendall(b' ' * 300_000); time.sleep(60)",
        "wire.close()",
        "raise SystemExit(3)",
    ],
)
def test_a_child_that_misbehaves_has_no_answer(played: Callable[[str], None], said: str) -> None:
    played(READY + said + "\n")
    with opened() as chamber:
        chamber.await_ready(soon())
        with pytest.raises(ChamberLost):
            chamber.ask(b"{}", soon(10))  # one of them says nothing until then


def test_an_answer_after_the_deadline_is_no_answer(played: Callable[[str], None]) -> None:
    played(READY + "time.sleep(60)\n")
    with opened() as chamber:
        chamber.await_ready(soon())
        with pytest.raises(ChamberLost, match="deadline"):
            chamber.ask(b"{}", soon(0.1))


def test_a_child_that_takes_no_question_does_not_hold_the_parent(
    played: Callable[[str], None],
) -> None:
    played(READY.replace("lines.readline()\n", "", 1) + "time.sleep(60)\n")
    with opened() as chamber:
        chamber.await_ready(soon())
        started = time.monotonic()
        with pytest.raises(ChamberLost):
            chamber.ask(b" " * 8_000_000, soon(0.2))
        assert time.monotonic() - started < 30


def test_a_child_that_is_still_building_may_be_asked_again_later(
    played: Callable[[str], None], tmp_path: Path
) -> None:
    may_end = tmp_path / "built"
    played(
        f"import os\n{HEAD}lines.readline()\n"
        f"while not os.path.exists({str(may_end)!r}): time.sleep(0.01)\n"
        "wire.sendall(b'{\"ready\": true}\\n')\n"
    )
    with opened() as chamber:
        with pytest.raises(StillStarting):
            chamber.await_ready(soon(0.05))
        may_end.touch()
        chamber.await_ready(soon())
        chamber.await_ready(soon())


def test_a_child_that_never_builds_is_lost(
    played: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chamber_module, "BUILD_SECONDS", 0.1)
    played(HEAD + "time.sleep(60)\n")
    with opened() as chamber, pytest.raises(ChamberLost, match="not built in time"):
        chamber.await_ready(soon())


def test_a_child_that_is_gone_before_it_is_told_its_bundle_is_lost(
    played: Callable[[str], None],
) -> None:
    played("raise SystemExit(1)\n")
    with opened() as chamber:
        end = soon()
        while not chamber.has_ended and time.monotonic() < end:
            time.sleep(0.01)
        with pytest.raises(ChamberLost):
            chamber.await_ready(soon())


def test_a_judge_whose_child_is_still_building_denies_for_now(
    played: Callable[[str], None],
) -> None:
    with Judge(deadline_seconds=0.2) as judge:
        assert judge._chamber is not None
        played(HEAD + "time.sleep(60)\n")
        judge._lose(judge._chamber)
        assert judge.decide({}).rule == "policy.unavailable"
        assert judge.decide({}).rule == "policy.unavailable"


def test_a_judge_waits_before_it_starts_a_child_again_and_denies_meanwhile() -> None:
    with Judge() as judge:
        chamber = judge._chamber
        assert chamber is not None
        judge._failures = 5
        judge._lose(chamber)
        assert judge.decide({}).rule == "policy.unavailable"


def test_a_judge_that_cannot_start_a_child_denies(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with Judge() as judge:
        assert judge._chamber is not None
        monkeypatch.setattr(sys, "executable", str(tmp_path / "nowhere"))
        judge._lose(judge._chamber)
        assert judge.decide({}).rule == "policy.unavailable"


@pytest.mark.parametrize(
    ("rule", "facts"), [("answer := 1 if input.x", "{}"), ("answer := abs(input.x)", '{"x": "y"}')]
)
def test_the_worker_tells_an_answer_from_none(rule: str, facts: str) -> None:
    order = {
        "modules": {"a.rego": f"package unsprawl.calls\n\n{rule}\n"},
        "data": "{}",
        "entrypoint": CALLS,
    }
    ask = build(order)
    with pytest.raises(ValueError, match="no single clean answer"):
        ask(facts)
