"""``make run``: the whole service on one machine, from nothing to ready, and back.

Owns the order in which things start and stop. Whatever goes wrong is said in one line that
names the cause and the way out; whatever was started is stopped, also when a later step
fails. Data is kept; a second supervisor on the same data is refused.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import urlsplit

from config import processes
from config.child import Child, ending
from config.embedded import privilege
from config.embedded.postgres import LOGIN, OWNER, SEQUENCER, Postgres, PostgresFailed
from config.embedded.valkey import Valkey, ValkeyFailed
from config.env import Env, Misconfigured
from config.key_files import make_keys
from config.machine import CannotStart, Make, free_port, only_one, started_at
from config.places import Places, Runtime
from config.preconditions import require_free_port, require_keys
from config.watched import answers, log_key, trust_once

_READY_WITHIN: Final = 120.0
_WITNESS_WITHIN: Final = 15.0
_GRACE: Final = 15.0
_LINK: Final = "link\t"  # how prepare hands over the one-time link, which is never stored


class StopAsked(Exception):
    """Raised at the next safe point after a signal."""


class Supervisor:
    """One run of the service on one data directory."""

    def __init__(self, environ: Mapping[str, str], out: IO[str] = sys.stdout) -> None:
        self.out = out
        env = Env(environ)
        self.places = Places.from_environ(environ)
        self.bind = env.text("UNSPRAWL_BIND", "127.0.0.1")
        self.port, self.gateway_port = env.port("PORT", 8000), env.port("GATEWAY_PORT", 8100)
        if self.port == self.gateway_port:
            env.problems.append("PORT and GATEWAY_PORT must differ.")
        if 0 < len(env.secret("UNSPRAWL_BOOTSTRAP_TOKEN")) < 32:
            env.problems.append("UNSPRAWL_BOOTSTRAP_TOKEN must have at least 32 characters.")
        self.keys = env.path("UNSPRAWL_KEYS_DIR", self.places.keys)
        self.public_url = env.url("UNSPRAWL_PUBLIC_URL", f"http://127.0.0.1:{self.port}")
        self.gateway_url = env.url("UNSPRAWL_GATEWAY_URL", f"http://127.0.0.1:{self.gateway_port}")
        self.own_database = not (database := env.secret("DATABASE_URL"))
        self.own_broker = not (broker := env.secret("BROKER_URL"))
        owner = env.secret("DATABASE_OWNER_URL") or database
        sequencer = env.secret("DATABASE_SEQUENCER_URL") or owner
        self.demo = env.boolean("UNSPRAWL_DEMO", default=False)
        env.check()
        self.known = dict(environ) | {
            "UNSPRAWL_DATA_DIR": str(self.places.data),
            "UNSPRAWL_KEYS_DIR": str(self.keys),
            "UNSPRAWL_PUBLIC_URL": self.public_url,
            "UNSPRAWL_GATEWAY_URL": self.gateway_url,
            "PORT": str(self.port),
            "GATEWAY_PORT": str(self.gateway_port),
            "DATABASE_URL": database,
            "DATABASE_OWNER_URL": owner,
            "DATABASE_SEQUENCER_URL": sequencer,
            "BROKER_URL": broker,
        }
        self.runtime = Runtime(web_url=self.public_url, gateway_url=self.gateway_url)
        self.children: list[Child] = []
        self.sockets: Path | None = None
        self.link = ""
        self.asked_to_stop = False
        self.is_suspended = False
        self.make = Make()

    # --- talking

    def say(self, line: str = "") -> None:
        with suppress(OSError):  # a closed terminal must not keep us from stopping
            self.out.write(line + "\n")
            self.out.flush()

    @contextmanager
    def step(self, title: str) -> Iterator[list[str]]:
        """Say what is being done, and how long it took: a slow step is never silent."""
        started = time.monotonic()
        with suppress(OSError):
            self.out.write(f"  {title:<12} ")
            self.out.flush()
        remarks: list[str] = []
        yield remarks
        self.say(f"{', '.join(remarks) or 'done'} ({time.monotonic() - started:.1f} s)")

    def pause(self, seconds: float) -> None:
        """Sleep, or raise StopAsked as soon as a signal came."""
        until = time.monotonic() + seconds
        while not self.asked_to_stop and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.05))
        if self.asked_to_stop:
            raise StopAsked

    # --- starting

    def start(self) -> None:
        """From nothing to ready. Raises: CannotStart, StopAsked."""
        started = time.monotonic()
        self.say(f"Unsprawl, data in {self.places.data}")
        self._stop_leftovers()
        require_free_port(self.bind, self.port, "PORT")
        require_free_port(self.bind, self.gateway_port, "GATEWAY_PORT")
        if self.own_database:
            require_keys(self.keys, self.places)
        with self.step("keys") as remarks:
            remarks += [f"made {name}" for name in make_keys(self.keys, self.public_url)]
        self.sockets = privilege.sockets_directory()
        self.runtime = replace(self.runtime, sockets_dir=str(self.sockets))
        self._start_what_serves_us(self.sockets)
        self._choose_sandbox_port()
        self._note()
        self._prepare(processes.PREPARE)
        if self.demo:
            self._prepare(processes.DEMO)
        self._start_serving()
        self.say()
        self.say(f"Ready in {time.monotonic() - started:.1f} s")
        self.say(f"  Portal   {self.public_url}/")
        self.say(f"  Gateway  {self.gateway_url}/v1")
        if self.link:
            self.say(f"  Sign in as administrator, once: {self.link}")
        if self.is_suspended:
            self.say("!! THE LEDGER IS SUSPENDED: calls are refused. manage.py epoch show")
        self.say("Stop with Ctrl-C. Logs are in " + str(self.places.logs))

    def _stop_leftovers(self) -> None:
        """End what a killed supervisor left, if it is still what we started."""
        left = self.places.read_runtime()
        alive = [pid for pid, since in left.pids.values() if started_at(pid) == since]
        for pid in alive:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 10
        while any(map(started_at, alive)) and time.monotonic() < deadline:
            self.pause(0.1)
        if left.sockets_dir and Path(left.sockets_dir).name.startswith("unsprawl-"):
            shutil.rmtree(left.sockets_dir, ignore_errors=True)
        self.places.forget_runtime()

    def _start_what_serves_us(self, sockets: Path) -> None:
        has_witness = self._start_witness()
        if self.own_database:
            self._start_postgres(sockets)
        if self.own_broker:
            self._start_valkey(sockets)
        if has_witness:
            self._await_witness()

    def _start_postgres(self, sockets: Path) -> None:
        postgres = Postgres(self.places.postgres, sockets)
        with self.step("postgresql") as remarks:
            if postgres.is_new:
                postgres.create()
                remarks.append("created")
            elif postgres.ensure_checksums():
                remarks.append("checksums on")
            child = Child("postgresql", [], {}, self.places.logs / "postgresql.log")
            child.spawner, child.stop_signal = _into(postgres), signal.SIGINT
            self._add(child)
            postgres.wait_ready()
            postgres.ensure_roles()
            remarks.append("running")
        self.runtime = replace(
            self.runtime,
            database_url=postgres.address(LOGIN),
            database_owner_url=postgres.address(OWNER),
            database_sequencer_url=postgres.address(SEQUENCER),
        )
        self.known |= {
            "DATABASE_URL": self.runtime.database_url,
            "DATABASE_OWNER_URL": self.runtime.database_owner_url,
            "DATABASE_SEQUENCER_URL": self.runtime.database_sequencer_url,
        }

    def _start_valkey(self, sockets: Path) -> None:
        valkey = Valkey(self.places.valkey, sockets)
        with self.step("broker") as remarks:
            child = Child("broker", [], {}, self.places.logs / "broker.log")
            child.spawner = _into(valkey)
            self._add(child)
            valkey.wait_ready()
            remarks.append("running")
        self.runtime = replace(self.runtime, broker_url=valkey.address)
        self.known["BROKER_URL"] = valkey.address

    def _start_witness(self) -> bool:
        """Start a witness of our own, unless there is one elsewhere; it loads beside the rest."""
        if self.known.get("UNSPRAWL_WITNESS_URL"):
            return False
        port = free_port(self.places.data / "witness.port")
        host = urlsplit(self.public_url).hostname or "localhost"
        known = {
            "UNSPRAWL_WITNESS_NAME": f"{host}/witness",
            **self.known,
            "UNSPRAWL_WITNESS_DIR": str(self.places.witness),
            "UNSPRAWL_WITNESS_PORT": str(port),
            "UNSPRAWL_WITNESS_LOG_KEYS": log_key(self.keys),
        }
        row, log = processes.WITNESS, self.places.logs / "witness.log"
        child = Child(row.name, row.command(), row.environment(known), log)
        child.is_needed = row.is_needed
        self._add(child)
        self.known["UNSPRAWL_WITNESS_URL"] = f"http://127.0.0.1:{port}"
        return True

    def _await_witness(self) -> None:
        """Go on once it answers: the next step asks it."""
        with self.step("witness") as remarks:
            until = time.monotonic() + _WITNESS_WITHIN
            while not answers(self.known["UNSPRAWL_WITNESS_URL"]) and time.monotonic() < until:
                self.pause(0.05)
            remarks.append(trust_once(self.places.witness, self.keys))
        self.runtime = replace(self.runtime, witness_url=self.known["UNSPRAWL_WITNESS_URL"])

    def _choose_sandbox_port(self) -> None:
        url = f"http://127.0.0.1:{free_port(self.places.data / 'sandbox.port')}"
        self.known["UNSPRAWL_SANDBOX_URL"] = url
        self.runtime = replace(self.runtime, sandbox_url=url)

    def _prepare(self, row: processes.Process) -> None:
        """Bring the database to what this code expects, relaying each step as it is done."""
        log = self.places.logs / f"{row.name}.log"
        self.say(f"  {row.name:<12} loading the application")
        with log.open("wb") as errors:
            process = subprocess.Popen(  # noqa: S603
                row.command(),
                cwd=processes.ROOT,
                env=row.environment(self.known),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                process_group=0,
                preexec_fn=privilege.dies_with_parent(),  # noqa: PLW1509  one thread
            )
        assert process.stdout is not None  # noqa: S101  asked for above
        for line in process.stdout:
            if line.startswith(_LINK):
                self.link = line.removeprefix(_LINK).strip()
            else:
                self.say(line.rstrip())
            if self.asked_to_stop:
                process.terminate()
        status = process.wait()
        if self.asked_to_stop:
            raise StopAsked
        if status:
            words = Child(row.name, [], {}, log).last_words()
            raise CannotStart(f"{row.name} {ending(status)}:\n{words}")

    def _start_serving(self) -> None:
        with self.step("services") as remarks:
            for row in processes.SERVING:
                log = self.places.logs / f"{row.name}.log"
                child = Child(row.name, row.command(), row.environment(self.known), log)
                child.is_needed, child.orphan_signal = row.is_needed, row.orphan_signal
                self._add(child)
            waited = {"web": self.port, "gateway": self.gateway_port}
            deadline = time.monotonic() + _READY_WITHIN
            while waited:
                self._look_after(starting=True)
                waited = {name: port for name, port in waited.items() if not self._is_ready(port)}
                if waited and time.monotonic() > deadline:
                    raise CannotStart(f"{self._words_of(*waited)}\nNot ready: {', '.join(waited)}")
                self.pause(0.05)
            remarks.append(", ".join(row.name for row in processes.SERVING))

    def _is_ready(self, port: int) -> bool:
        host = "127.0.0.1" if self.bind in {"0.0.0.0", "::"} else self.bind  # noqa: S104
        request = urllib.request.Request(
            f"http://{host}:{port}/readyz", headers={"Host": "localhost"}
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=2) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError as error:
            # It serves, and says why it refuses: an operator must be able to do something.
            self.is_suspended = b"the ledger, suspended" in error.read(4096)
            return self.is_suspended
        except (urllib.error.URLError, OSError):
            return False

    def _add(self, child: Child) -> None:
        self.children.append(child)
        child.start()

    def _note(self) -> None:
        """Write down what runs, for commands typed beside us and for the next start."""
        pids = {
            child.name: [child.process.pid, started_at(child.process.pid)]
            for child in self.children
            if child.process is not None and child.is_running
        }
        if pids != self.runtime.pids:
            self.runtime = replace(self.runtime, pids=pids)
            self.places.write_runtime(self.runtime)

    # --- running

    def run(self) -> None:
        """Look after the children until asked to stop."""
        while True:
            self._look_after()
            self.asked_to_stop |= self.make.was_interrupted()
            self.pause(0.5)

    def _look_after(self, *, starting: bool = False) -> None:
        for child in self.children:
            said = child.watch()
            if said:
                self.say(f"!! {said}")
            if starting and child.is_needed and child.deaths >= 3:
                raise CannotStart(f"{child.name} does not start:\n{child.last_words()}")
            child.bound_log()
        self._note()

    def _words_of(self, *names: str) -> str:
        return "\n".join(child.last_words() for child in self.children if child.name in names)

    # --- stopping

    def stop(self) -> None:
        """Stop everything that runs: who serves first, who stores last."""
        if not self.children:
            return
        with self.step("stopping") as remarks:
            stores = [child for child in self.children if child.spawner]
            serving = [child for child in self.children if not child.spawner]
            for child in reversed(serving):
                child.ask_to_stop()
            for child in [*reversed(serving), *reversed(stores)]:
                child.ask_to_stop()
                if said := child.wait_stopped(_GRACE):
                    remarks.append(said)
        self.places.forget_runtime()
        if self.sockets is not None:
            shutil.rmtree(self.sockets, ignore_errors=True)


def _into(server: Any) -> Any:
    """Adapt a server's spawn to a child's: it opens the log it is given."""

    def spawn(log: Path) -> subprocess.Popen[bytes]:
        with log.open("ab") as stream:
            process: subprocess.Popen[bytes] = server.spawn(stream)
        return process

    return spawn


def main() -> int:
    """Run the service; 0 after a clean stop, 1 when it could not start."""
    os.umask(0o077)
    try:
        supervisor = Supervisor(os.environ)
        supervisor.places.make()
    except (Misconfigured, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1

    def ask(_number: int, _frame: object) -> None:
        supervisor.asked_to_stop = True

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, ask)
    try:
        with only_one(supervisor.places):
            return _run(supervisor)
    except CannotStart as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _run(supervisor: Supervisor) -> int:
    try:
        supervisor.start()
        supervisor.run()
    except StopAsked:
        supervisor.say()
        return 0
    except (CannotStart, PostgresFailed, ValkeyFailed, OSError) as error:
        if supervisor.asked_to_stop:
            return 0
        supervisor.say("failed")
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        supervisor.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
