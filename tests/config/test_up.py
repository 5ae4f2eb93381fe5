from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from config.machine import started_at
from config.places import BASE_DIR, Places
from tests.ports import free_port

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("up")]


@dataclass
class Service:
    """A supervisor under test on a data directory and two ports of its own."""

    data: Path
    port: int
    gateway_port: int
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def command(self, **over: str) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return kept | {
            "UNSPRAWL_DATA_DIR": str(self.data),
            "PORT": str(self.port),
            "GATEWAY_PORT": str(self.gateway_port),
            **over,
        }

    def start(self, **over: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "config.up"],
            cwd=BASE_DIR,
            env=self.command(**over),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.started.append(process)
        return process

    def ready(self, process: subprocess.Popen[str]) -> str:
        """Read what it says until it is ready; everything it said is the answer."""
        said = []
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if line.startswith("Stop with Ctrl-C"):
                return "".join(said)
        raise AssertionError("".join(said))

    def pids(self) -> dict[str, int]:
        return {name: pair[0] for name, pair in Places(self.data).read_runtime().pids.items()}

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        kept = {"PATH": os.environ["PATH"], "UNSPRAWL_DATA_DIR": str(self.data)}
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=BASE_DIR, env=kept, capture_output=True, text=True, check=False,
        )  # fmt: skip


def _until_gone(pids: dict[str, int], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while left := {name: pid for name, pid in pids.items() if started_at(pid)}:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def _below(parent: int) -> dict[str, int]:
    """Give the processes that the worker began: its beat, and who carries tasks out."""
    deadline = time.monotonic() + 60
    while len(found := Path(f"/proc/{parent}/task/{parent}/children").read_text().split()) < 3:
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    return {f"worker's {pid}": int(pid) for pid in found}


def _status(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=30) as answer:
        return int(answer.status)


def _directory() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="unsprawl-up-"))
    yield made
    shutil.rmtree((made / "postgres").resolve(), ignore_errors=True)
    shutil.rmtree(made, ignore_errors=True)


def _end(service: Service) -> None:
    for process in service.started:
        process.terminate()
        said, _ = process.communicate(timeout=120)
        assert "was killed" not in said


data = pytest.fixture(_directory, scope="module", name="data")
other_data = pytest.fixture(_directory, scope="module", name="other_data")


@pytest.fixture
def service(data: Path) -> Iterator[Service]:
    """Yield a service to start: the first test finds nothing there, the others a second run."""
    service = Service(data, free_port(), free_port())
    yield service
    _end(service)


@pytest.fixture(scope="module")
def running(other_data: Path) -> Iterator[Service]:
    """Yield a service that runs, for the tests that only look."""
    service = Service(other_data, free_port(), free_port())
    process = service.start(UNSPRAWL_BOOTSTRAP_TOKEN="t" * 40, AWS_SECRET_ACCESS_KEY="stray")
    try:
        service.ready(process)
        yield service
    finally:
        _end(service)


def test_it_serves_stops_cleanly_and_keeps_the_data_for_the_second_run(service: Service) -> None:
    first = service.start()
    said = service.ready(first)
    assert _status(service.port) == 200
    assert _status(service.gateway_port) == 200
    assert "/enter/" in said
    running = service.pids()
    assert {
        "postgresql", "broker", "web", "gateway", "worker", "sandbox", "sequencer", "witness",
    } <= set(running)  # fmt: skip

    first.send_signal(signal.SIGTERM)
    assert first.wait(120) == 0
    _until_gone(running)
    assert not (service.data / "runtime.json").exists()
    assert not list(service.data.glob("**/*.sock"))

    second = service.start()
    said = service.ready(second)
    assert "up to date" in said
    assert "created" not in said
    second.send_signal(signal.SIGINT)
    assert second.wait(120) == 0


def test_what_is_written_down_is_for_the_owner_only(running: Service) -> None:
    assert (running.data / "runtime.json").stat().st_mode & 0o777 == 0o600
    for name in ("keys", "logs", "valkey"):
        assert (running.data / name).stat().st_mode & 0o077 == 0


def test_commands_beside_it_need_no_variable(running: Service, tmp_path: Path) -> None:
    beside = running.manage("showmigrations", "--plan")
    alone = Service(tmp_path, 0, 0).manage("showmigrations", "--plan")

    assert beside.returncode == 0, beside.stderr
    assert "[ ]" not in beside.stdout
    assert alone.returncode != 0
    assert "make run" in alone.stderr
    assert "Traceback" not in alone.stderr


def test_a_second_supervisor_on_the_same_data_is_refused(running: Service) -> None:
    other = Service(running.data, free_port(), free_port())
    second = other.start()
    said, _ = second.communicate(timeout=120)

    assert second.returncode == 1
    first = running.started[0].pid
    assert f"Already running on {running.data} (process {first})" in said
    assert _status(running.port) == 200


def test_a_killed_supervisor_leaves_nothing_and_the_next_one_starts(service: Service) -> None:
    first = service.start()
    service.ready(first)
    running = service.pids()
    running |= _below(running["worker"])
    first.kill()
    first.wait()
    _until_gone(running)

    second = service.start()
    service.ready(second)
    assert _status(service.port) == 200
    second.send_signal(signal.SIGTERM)
    assert second.wait(120) == 0


def test_a_killed_child_is_started_again_and_said_loudly(running: Service) -> None:
    process = running.started[0]
    before = running.pids()["gateway"]
    os.kill(before, signal.SIGKILL)

    assert process.stdout is not None
    line = next(line for line in process.stdout if line.startswith("!!"))
    assert "gateway was killed by SIGKILL; it starts again" in line
    _until_ready(running.gateway_port)
    assert running.pids()["gateway"] != before


def _until_ready(port: int) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            if _status(port) == 200:
                return
        except OSError:
            assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("variable", ["PORT", "GATEWAY_PORT"])
def test_a_port_that_is_taken_is_named_with_its_variable(service: Service, variable: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        process = service.start(**{variable: str(port)})
        said, _ = process.communicate(timeout=120)

    assert process.returncode == 1
    assert f"Port {port} on 127.0.0.1 cannot be used" in said
    assert f"{variable}={port + 1} make run" in said
    assert "Traceback" not in said


def test_lost_keys_are_named_and_none_is_made_in_their_place(service: Service) -> None:
    keys = service.data / "keys"
    lost = [keys / "pepper.json", keys / "payload.key.json"]
    kept = {file: file.read_bytes() for file in lost}
    for file in lost:
        file.unlink()
    process = service.start()
    try:
        said, _ = process.communicate(timeout=120)
        assert not any(file.exists() for file in lost)
    finally:
        for file, raw in kept.items():
            file.write_bytes(raw)
            file.chmod(0o600)

    assert process.returncode == 1
    assert "not in" in said
    assert ": payload, pepper. Put keys/ back from its backup." in said
    assert "Traceback" not in said


def test_all_problems_of_the_environment_are_told_at_once(service: Service) -> None:
    process = service.start(
        PORT="http", UNSPRAWL_BOOTSTRAP_TOKEN="short", UNSPRAWL_PUBLIC_URL="agents.example"
    )
    said, _ = process.communicate(timeout=120)

    assert process.returncode == 1
    for name in ("PORT", "UNSPRAWL_BOOTSTRAP_TOKEN", "UNSPRAWL_PUBLIC_URL"):
        assert name in said
    assert "short" not in said
    assert not (service.data / "runtime.json").exists()


def test_a_stop_asked_for_while_starting_stops_what_was_started(service: Service) -> None:
    process = service.start()
    assert process.stdout is not None
    for line in process.stdout:
        if "broker" in line:
            break
    running = service.pids()
    process.send_signal(signal.SIGTERM)

    assert process.wait(120) == 0
    _until_gone(running)
    assert not (service.data / "runtime.json").exists()


def test_a_process_knows_only_what_its_row_names(running: Service) -> None:
    told = {
        name: dict(
            part.split("=", 1)
            for part in Path(f"/proc/{pid}/environ").read_text().split("\0")
            if "=" in part
        )
        for name, pid in running.pids().items()
    }

    assert told["gateway"]["UNSPRAWL_OPENS"] == "vendor"
    assert told["web"]["UNSPRAWL_OPENS"] == "inbound,payload"
    assert "DATABASE_URL" not in told["sandbox"]
    assert not {"UNSPRAWL_KEYS_DIR", "UNSPRAWL_DATA_DIR", "UNSPRAWL_OPENS"} & set(told["witness"])
    assert not any(name.startswith(("DATABASE", "BROKER")) for name in told["witness"])
    assert "BROKER_URL" not in told["gateway"]
    for environment in told.values():
        assert "DATABASE_OWNER_URL" not in environment
        assert "UNSPRAWL_BOOTSTRAP_TOKEN" not in environment
        assert "AWS_SECRET_ACCESS_KEY" not in environment
    assert "unsprawl_owner" not in json.dumps(told)
