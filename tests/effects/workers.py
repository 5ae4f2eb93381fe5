"""Workers that can be killed: one program, set up once, that forks for every turn."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from config.places import BASE_DIR
from tests.transactions import TO_BE_KILLED

_PROGRAM = """
import os, signal, sys
import django
django.setup()
from effects.actions.carrying_out import carry_out
from registry.actors import Actor
from django.db import connections
connections.close_all()
print("ready", flush=True)
for line in sys.stdin:
    point, proposal = line.split()
    child = os.fork()
    if child == 0:
        os.environ["UNSPRAWL_CRASH_AT"] = point
        carry_out(proposal, actor=Actor.system("executor"))
        if point == "acked":
            os.kill(os.getpid(), signal.SIGKILL)
        os._exit(0)
    print(child, flush=True)
    _, status = os.waitpid(child, 0)
    print(os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, flush=True)
"""


class Workers:
    """Turns of one worker each; a turn says how its process ended."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def begin(self, point: str, proposal: str) -> int:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{point} {proposal}\n")
        self._process.stdin.flush()
        return int(self._line())

    def ended(self) -> int:
        return int(self._line())

    def turn(self, point: str, proposal: str) -> int:
        self.begin(point, proposal)
        return self.ended()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def wait_ready(self) -> None:
        assert self._line() == "ready"


def environment(address: str, **more: str) -> dict[str, str]:
    """Return what a process of ours is told, to use a test's database."""
    return {
        **os.environ,
        "DATABASE_URL": address,
        "UNSPRAWL_OPENS": "tool,payload",
        "DJANGO_SETTINGS_MODULE": "config.settings",
        **more,
    }


@contextmanager
def workers(address: str) -> Iterator[Workers]:
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _PROGRAM],
        cwd=BASE_DIR,
        env=environment(address, **TO_BE_KILLED),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        running = Workers(process)
        running.wait_ready()
        yield running
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.wait(60)
        process.stdout.close()
