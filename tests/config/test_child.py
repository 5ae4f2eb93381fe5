from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from config import child as child_module
from config.child import Child, ending
from config.places import BASE_DIR


def _child(tmp_path: Path, script: str) -> Child:
    return Child(
        "thing",
        [sys.executable, "-c", script],
        {"PATH": os.environ["PATH"]},
        tmp_path / "thing.log",
    )


def _until(true: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_child_gets_its_environment_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_OWNER_URL", "postgresql://owner:secret@/x")
    child = _child(tmp_path, "import os; print(sorted(os.environ))")

    child.start()
    child.wait_stopped(60)

    assert "OWNER" not in child.log.read_text()


def test_a_dead_child_comes_back_after_a_pause_that_doubles(tmp_path: Path) -> None:
    child = _child(tmp_path, "import sys; sys.exit(3)")
    child.start()
    _until(lambda: not child.is_running)

    assert "ended with exit status 3; it starts again in 0.5 s" in child.watch()
    assert child.watch() == ""
    time.sleep(0.55)
    assert child.watch() == "thing started again"
    _until(lambda: not child.is_running)
    assert "starts again in 1 s" in child.watch()
    assert child.deaths == 2


def test_a_child_that_will_not_stop_is_killed_with_its_children(tmp_path: Path) -> None:
    child = _child(
        tmp_path,
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "own = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(own.pid, flush=True); time.sleep(60)",
    )
    child.start()
    _until(lambda: child.log.read_text().strip())
    grandchild = int(child.log.read_text())

    child.ask_to_stop()
    said = child.wait_stopped(0.5)

    assert "was killed" in said
    _until(lambda: _gone(grandchild))


def test_a_child_dies_with_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path; from config.child import Child\n"
        "sleep = [sys.executable, '-c', 'import time; time.sleep(60)']\n"
        "child = Child('thing', sleep, {}, Path(sys.argv[1]))\n"
        "child.start(); print(child.process.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "log")],
        cwd=BASE_DIR, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert ended.returncode == -signal.SIGKILL
    _until(lambda: _gone(int(ended.stdout)))


def test_a_full_log_is_moved_aside_while_the_child_goes_on_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_module, "_LOG_LIMIT", 1000)
    child = _child(
        tmp_path,
        "import time\nfor n in range(200): print('line', n, flush=True); time.sleep(0.005)",
    )
    child.start()
    _until(lambda: child.log.stat().st_size > 1000)

    child.bound_log()
    child.wait_stopped(60)

    assert child.log.with_suffix(".log.1").read_text().startswith("line 0")
    assert "\0" not in child.log.read_text()
    assert child.last_words().endswith("line 199")


def test_an_end_is_told_in_words() -> None:
    assert ending(-9) == "was killed by SIGKILL"
    assert ending(2) == "ended with exit status 2"


def _gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    except FileNotFoundError:
        return True
