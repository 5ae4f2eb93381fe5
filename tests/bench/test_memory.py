from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from bench.startup.memory import held_by

_PARENT = (
    "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', 'input()'],"
    " stdin=subprocess.PIPE); print('ready', flush=True); input(); child.communicate(b'')"
)


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.communicate(b"\n")


def test_a_process_holds_memory_and_shares_some_of_it() -> None:
    held = held_by(os.getpid(), with_children=False)
    assert held.processes == 1
    assert 0 < held.pss_mib <= held.rss_mib


def test_children_are_counted_with_whoever_started_them(parent: subprocess.Popen[bytes]) -> None:
    assert held_by(parent.pid).processes == 2
    assert held_by(parent.pid, with_children=False).processes == 1


def test_a_process_that_is_gone_holds_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    held = held_by(process.pid)
    assert (held.processes, held.rss_mib, held.pss_mib) == (0, 0, 0)
