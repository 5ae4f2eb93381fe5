"""A gateway's surroundings on one machine: a cluster of its own, rows, a vendor's address.

Owns what the benchmark and the gateway's tests both need and production has anyway. Rows
are written with plain SQL: what is measured and tested here never goes through Django.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Self

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from config.embedded import privilege
from config.embedded.postgres import DATABASE, LOGIN, OWNER, SEQUENCER, Postgres
from kernel import clock, keys
from kernel.keys import PepperRing
from kernel.refs import new_id
from kernel.sealing import PublicRing, ensure_key_rings
from ledger.sequencing.keys import ensure_signing_key

ROOT: Final = Path(__file__).resolve().parents[2]
_MIGRATE: Final = """
import django
django.setup()
from django.core.management import call_command
from django.db import connection
from ledger.grants import apply_grants, apply_sequencer_grants
from registry.actors import Actor
from rules.actions.shipping import ensure_shipped_bundle
call_command("migrate", interactive=False, verbosity=0)
apply_grants()
apply_sequencer_grants()
with connection.cursor() as cursor:
    cursor.execute("SELECT ledger_ensure_partitions(2)")
ensure_shipped_bundle(actor=Actor.system("prepare"))
"""


# Where a stopped installation lies that may be copied instead of making one. What shows only
# that a part runs says so: making one takes longer than what such a part measures.
COPIED: Final = "BENCH_COPIED"
PASSWORDS: Final = "postgres.passwords.json"


class Rig:
    """One throw-away cluster, migrated, with the key rings that go with it."""

    def __init__(self, home: Path, *, fsync: bool) -> None:
        self.home = home
        self.keys_dir = home / "keys"
        self.sockets = privilege.sockets_directory()
        self.postgres = Postgres(home / "postgres", self.sockets, fsync=fsync)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        if not self.bring_up():
            return
        ensure_signing_key(self.keys_dir)
        as_owner = self.environment(
            DATABASE_URL=self.owner, DJANGO_SETTINGS_MODULE="config.settings"
        )
        subprocess.run([sys.executable, "-c", _MIGRATE], cwd=ROOT, env=as_owner, check=True)

    def bring_up(self) -> bool:
        """Start the server; return whether its database is empty, not a copy of a migrated one."""
        if copied := os.environ.get(COPIED):
            self.copy(Path(copied))
            return False
        ensure_key_rings(self.keys_dir)
        self.postgres.create()
        self.spawn()
        self.postgres.ensure_roles()
        return True

    def copy(self, made: Path) -> None:
        """Take over the keys and the cluster that lie there."""
        shutil.copytree(made / "keys", self.keys_dir)
        shutil.copy2(made / PASSWORDS, self.home / PASSWORDS)
        place = self.postgres.place
        place.mkdir(parents=True, exist_ok=True)
        place.chmod(0o755)
        # With its owner: the server refuses to start on what is not its own.
        subprocess.run(["cp", "-a", made / "cluster", self.postgres.data], check=True)
        (place / ".created").touch()
        self.spawn()

    def spawn(self) -> None:
        self.postgres.spawn()
        self.postgres.wait_ready()

    def stop(self) -> None:
        self.postgres.destroy()
        shutil.rmtree(self.sockets, ignore_errors=True)

    @property
    def owner(self) -> str:
        return self.postgres.address(OWNER, DATABASE)

    @property
    def login(self) -> str:
        return self.postgres.address(LOGIN, DATABASE)

    @property
    def sequencer(self) -> str:
        return self.postgres.address(SEQUENCER, DATABASE)

    def environment(self, **more: str) -> dict[str, str]:
        """Return what a process of this installation is told."""
        return {
            "PATH": os.environ.get("PATH", ""),
            "UNSPRAWL_DATA_DIR": str(self.home),
            "UNSPRAWL_KEYS_DIR": str(self.keys_dir),
            "UNSPRAWL_OPENS": "vendor",
            "DATABASE_URL": self.login,
        } | more

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.owner, autocommit=True)


@dataclass(frozen=True)
class SeededAgent:
    """An agent with a key."""

    pk: int
    public_id: str
    name: str
    key_id: str
    key: str
    is_callable: bool = True


class World:
    """Rows, written directly."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self.connection = rig.connect()
        self._blank: dict[str, dict[str, Any]] = {}
        self._peppers = PepperRing.load(rig.keys_dir / "pepper.json")
        self._ring = PublicRing.load(rig.keys_dir, "vendor")
        self._owner = self.insert(
            "registry_person",
            public_id=new_id("per"),
            email=f"{new_id('o')}@acme.test",
            name="Alice",
            password="!",  # noqa: S106  nobody signs in
            roles=["employee"],
            time_zone="UTC",
            created_at=clock.now(),
        )

    def close(self) -> None:
        self.connection.close()

    def insert(self, table: str, **given: Any) -> int:
        """Insert a row; what must be there and is not named gets its type's emptiest value."""
        values = self._blanks(table) | given
        columns = sql.SQL(", ").join(map(sql.Identifier, values))
        marks = sql.SQL(", ").join(sql.Placeholder() * len(values))
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING id").format(
            sql.Identifier(table), columns, marks
        )
        row = self.connection.execute(statement, list(values.values())).fetchone()
        assert row is not None  # noqa: S101
        return int(row[0])

    def _blanks(self, table: str) -> dict[str, Any]:
        if table not in self._blank:
            needed = self.query(
                "SELECT column_name, data_type FROM information_schema.columns"
                " WHERE table_name = %s AND is_nullable = 'NO' AND column_default IS NULL"
                " AND is_identity = 'NO' AND column_name <> 'id'",
                table,
            )
            self._blank[table] = {name: _BLANK[kind] for name, kind in needed if kind in _BLANK}
        return self._blank[table]

    def query(self, text: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.connection.execute(text, values).fetchall()

    def change(self, text: str, *values: Any) -> None:
        self.connection.execute(text, values)

    def add_agent(
        self,
        *,
        stage: str = "live",
        routes: Iterable[str] = ("sandbox",),
        data_classes: Iterable[str] = ("internal",),
        key_expires_in: timedelta = timedelta(days=30),
        tools: Iterable[dict[str, Any]] = (),
    ) -> SeededAgent:
        public_id = new_id("agt")
        name = public_id.replace("_", "-")
        now = clock.now()
        with self.connection.transaction():
            agent = self.insert(
                "registry_agent",
                public_id=public_id,
                name=name,
                title=name,
                description="Does what a test needs.",
                owner_id=self._owner,
                risk_tier="low",
                data_classes=list(data_classes),
                routes=list(routes),
                stage="draft",
                stage_changed_at=now,
                created_at=now,
            )
            version = self.insert(
                "registry_agentversion",
                public_id=new_id("ver"),
                agent_id=agent,
                number=1,
                version="1.0.0",
                manifest=Jsonb({"spec": {"tools": [*tools]}}),
                digest=f"sha256:{agent}",
                state="accepted",
                source="api",
                created_by="system:test",
                created_at=now,
                settled_at=now,
            )
            self.change(
                "UPDATE registry_agent SET current_version_id = %s WHERE id = %s", version, agent
            )
            for step in _STEPS[: _STEPS.index(stage) + 1] if stage in _STEPS else ():
                self.change("UPDATE registry_agent SET stage = %s WHERE id = %s", step, agent)
        key_id, text = self.add_key(agent, expires_in=key_expires_in)
        callable_now = stage in _STEPS[1:] and key_expires_in > timedelta()
        return SeededAgent(agent, public_id, name, key_id, text, callable_now)

    def add_key(self, agent: int, *, expires_in: timedelta = timedelta(days=30)) -> tuple[str, str]:
        credential = keys.issue(keys.AGENT_PREFIX)
        now = clock.now()
        public_id = new_id("key")
        self.insert(
            "registry_agentkey",
            public_id=public_id,
            agent_id=agent,
            key_id=credential.key_id,
            pepper_id=self._peppers.active,
            digest=self._peppers.hash(credential.text),
            name="",
            created_by="system:test",
            created_at=min(now, now + expires_in - timedelta(days=1)),
            expires_at=now + expires_in,
        )
        return public_id, credential.text

    def add_vendor(
        self,
        base_url: str,
        *,
        name: str = "",
        secret: str = "sk-vendor-secret-0123456789",  # noqa: S107  of a vendor that is ours
        data_classes: Iterable[str] = ("public", "internal"),
        auth_scheme: str = "bearer",
        dialect: str = "openai",
    ) -> tuple[int, str]:
        public_id = new_id("ven")
        vendor = self.insert(
            "routing_vendor",
            public_id=public_id,
            name=name or public_id.replace("_", "-"),
            title="",
            platform="",
            dialect=dialect,
            base_url=base_url,
            auth_scheme=auth_scheme,
            data_classes=list(data_classes),
            created_at=clock.now(),
        )
        if secret:
            self.add_secret(public_id, secret)
        return vendor, public_id

    def add_secret(self, vendor_public_id: str, value: str, *, version: int = 1) -> str:
        public_id, holder = new_id("sec"), f"vendor:{vendor_public_id}"
        bound = f"credentials.secret|{public_id}|vendor|{holder}|{version}".encode()
        sealed = self._ring.seal(value.encode(), bound)
        self.insert(
            "credentials_secret",
            public_id=public_id,
            ring="vendor",
            holder=holder,
            version=version,
            ring_key_id=sealed.ring_key_id,
            wrapped_key=sealed.wrapped_key,
            nonce=sealed.nonce,
            ciphertext=sealed.ciphertext,
            created_by="system:test",
            created_at=clock.now(),
        )
        return public_id

    def add_model(self, vendor: int, name: str = "vendor-model-1", **over: Any) -> int:
        given: dict[str, Any] = {
            "public_id": new_id("mod"),
            "vendor_id": vendor,
            "name": name,
            "currency": "USD",
            "input_micros_per_mtok": 1_000_000,
            "output_micros_per_mtok": 2_000_000,
            "created_at": clock.now(),
        }
        return self.insert("routing_model", **given | over)

    def add_route(
        self,
        name: str,
        *models: int,
        constraints: dict[str, Any] | None = None,
        options: dict[str, Any] | None = None,
    ) -> int:
        now = clock.now()
        route = self.insert(
            "routing_route",
            public_id=new_id("rte"),
            name=name,
            title="",
            constraints=Jsonb(constraints or {}),
            options=Jsonb(options or {}),
            revision=1,
            created_at=now,
            changed_at=now,
        )
        for priority, model in enumerate(models):
            self.insert(
                "routing_routetarget",
                route_id=route,
                model_id=model,
                region="",
                weight=100,
                priority=priority,
            )
        return route

    def add_budget(self, cap: int, **over: Any) -> tuple[int, str]:
        """Cap what everybody may spend in a month, but for what is named."""
        public_id = new_id("bud")
        now = clock.now()
        given: dict[str, Any] = {
            "public_id": public_id,
            "subject_kind": "organisation",
            "measure": "cost",
            "period": "month",
            "cap": cap,
            "time_zone": "UTC",
            "thresholds": [50, 80, 95],
            "source": "people",
            "created_by": "system:test",
            "created_at": now,
            "changed_at": now,
        } | over
        given.setdefault("currency", "USD" if given["measure"] == "cost" else "")
        return self.insert("routing_budget", **given), public_id

    def level_of(self, budget: int) -> tuple[int, int]:
        """Return what was spent and what is held of a budget, in all its windows."""
        ((spent, held),) = self.query(
            "SELECT coalesce(sum(spent), 0)::bigint, coalesce(sum(held), 0)::bigint"
            " FROM routing_budgetwindow WHERE budget_id = %s",
            budget,
        )
        return spent, held


_BLANK: Final[dict[str, Any]] = {
    "text": "",
    "character varying": "",
    "boolean": False,
    "ARRAY": [],
    "jsonb": Jsonb({}),
}
_STEPS: Final = ("in_review", "soft_launch", "live", "deprecated")


class GatewayChild:
    """A gateway in a process of its own."""

    def __init__(self, rig: Rig, port: int, log: Path, **more: str) -> None:
        self.port = port
        with log.open("ab") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-X", "utf8", "-m", "config.gateway_asgi"],
                cwd=ROOT,
                env=rig.environment(GATEWAY_PORT=str(port), **more),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
            )

    def wait_ready(self, seconds: float = 60) -> float:
        """Return how many seconds it took to be ready."""
        started = time.monotonic()
        while True:
            try:
                with urllib.request.urlopen(
                    f"http://127.0.0.1:{self.port}/readyz", timeout=2
                ) as got:
                    json.load(got)
                    return time.monotonic() - started
            except (urllib.error.URLError, OSError):
                if self.process.poll() is not None or time.monotonic() - started > seconds:
                    raise
                time.sleep(0.01)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(60)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(60)
