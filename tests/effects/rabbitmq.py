"""A RabbitMQ of a test's own: the system's package, its node, ports and files belong to the test.

Nothing of it is the machine's: another cookie, another epmd, a directory that is thrown away,
and no address but the loopback. It is ended by the ids of the processes that were begun here.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from celery import Celery
from kombu.exceptions import OperationalError

from config.embedded import privilege
from tests.ports import free_port

# The wrapper in the path would change to a user of the package's own.
SERVER: Final = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
READY_WITHIN: Final = 90.0


def is_installed() -> bool:
    return SERVER.exists() and shutil.which("epmd") is not None


def _environment(home: Path, port: int, node_port: int, names_port: int) -> dict[str, str]:
    (home / "plugins").write_text("[].\n", encoding="utf-8")
    cookie = home / ".erlang.cookie"
    cookie.write_text(secrets.token_hex(20), encoding="utf-8")
    cookie.chmod(0o400)
    return {
        "PATH": os.environ.get("PATH", ""),
        "LANG": "C.UTF-8",
        "HOME": str(home),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(names_port),
        "RABBITMQ_CONF_ENV_FILE": str(home / "none"),
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
        "RABBITMQ_NODENAME": f"unsprawl-{secrets.token_hex(4)}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(node_port),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_PID_FILE": str(home / "pid"),
    }


@contextmanager
def rabbitmq(home: Path) -> Iterator[str]:
    """Yield the address of a broker that is gone afterwards."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    port, node_port, names_port = free_port(), free_port(), free_port()
    environment = _environment(home, port, node_port, names_port)
    begun: list[subprocess.Popen[bytes]] = []
    try:
        with (home / "console.log").open("ab") as log:
            for command in (["epmd", "-port", str(names_port)], [str(SERVER)]):
                begun.append(
                    subprocess.Popen(
                        command,
                        cwd=home,
                        env=environment,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        process_group=0,
                        preexec_fn=privilege.dies_with_parent(),  # noqa: PLW1509  one thread
                    )
                )
        address = f"amqp://guest:guest@127.0.0.1:{port}//"
        _wait_ready(address, begun[1], home / "console.log")
        yield address
    finally:
        for process in reversed(begun):
            _end(process)


def _wait_ready(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while True:
        assert process.poll() is None, log.read_text(errors="replace")[-3000:]
        with suppress(OperationalError, OSError), Celery(broker=address).connection() as wire:
            wire.ensure_connection(max_retries=1, timeout=2)
            return
        assert time.monotonic() < deadline, log.read_text(errors="replace")[-3000:]
        time.sleep(0.2)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it began: each is the first of a group of its own."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(15)
            if number == signal.SIGTERM:
                continue
    process.wait()
