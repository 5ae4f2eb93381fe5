"""Bring the database to what this code expects; safe to run at every start.

Runs as the owner role. Each step is idempotent and says what it did on one line.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection

from config import collecting, first_steps
from config.durable import require_durable_database
from config.env import Env
from config.witnesses import witnesses_from
from ledger.errors import ShredJournalUnusable
from ledger.grants import apply_grants, apply_sequencer_grants
from ledger.partitions import ensure_partitions
from ledger.retention.ages import floor_days, raise_floor
from ledger.retention.shredding import shred_again
from ledger.sequencing.comparing import compare
from ledger.suspended import QUERY as SUSPENSION
from registry.actors import Actor
from routing.actions.catalogue import load_shipped_catalogue
from routing.sandbox.secret import FILE_NAME
from routing.sandbox.setup import ensure_sandbox
from rules.actions.shipping import ensure_shipped_bundle


class Command(BaseCommand):
    help = "Migrate, grant, load what ships with the service, and make the first sign-in."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        for title, step in (
            ("durability", _require_durability),
            ("migrations", _migrate),
            ("grants", _grant),
            ("partitions", _partition),
            ("static files", collecting.collect),
            ("witness", _compare),
            ("destruction", _destroy_again),
            ("catalogue", _load_catalogue),
            ("policy", _ship_policy),
            ("sandbox", _connect_sandbox),
            ("admin token", first_steps.bootstrap_token),
        ):
            self._run(title, step)
            if step is _destroy_again and self._is_suspended():
                return
        if path := first_steps.first_sign_in():
            # On its own line, for whoever reads our output: the supervisor, or a person.
            self.stdout.write(f"link\t{settings.PUBLIC_URL}{path}")

    def _is_suspended(self) -> bool:
        """Say loudly why nothing goes on; what remains to be done would have to be recorded."""
        with connection.cursor() as cursor:
            cursor.execute(SUSPENSION)
            row = cursor.fetchone()
        if row is None or row[0] is None:
            return False
        self.stdout.write(
            f"\n!! THE LEDGER IS SUSPENDED. {row[0]}\n"
            "!! Nothing is recorded, so nothing happens, until an operator has understood why and\n"
            "!! opens a further epoch: manage.py epoch show; docs/runbook.md, After a restore.\n"
        )
        return True

    def _run(self, title: str, step: Callable[[], str]) -> None:
        started = time.monotonic()
        self.stdout.write(f"  {title:<12} ", ending="")
        self.stdout.flush()
        remark = step()
        self.stdout.write(f"{remark} ({time.monotonic() - started:.1f} s)")
        self.stdout.flush()


def _require_durability() -> str:
    """Nothing is migrated in a database that may forget it. Ends the command."""
    require_durable_database()
    return "commits are kept"


def _migrate() -> str:
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not waiting:
        return "up to date"
    with connection.cursor() as cursor:
        # A migration that waits for a busy table gives up instead of queueing all traffic.
        cursor.execute("SET lock_timeout = '4s'")
    call_command("migrate", interactive=False, verbosity=0)
    return f"{len(waiting)} applied"


def _grant() -> str:
    granted = apply_grants()
    if granted.reason:
        return f"skipped: {granted.reason} (docs/settings.md says how to make it)"
    sequencing = apply_sequencer_grants()
    if sequencing.reason:
        return f"{granted.tables} tables; sequencer: {sequencing.reason}"
    return f"{granted.tables} tables"


def _partition() -> str:
    made = ensure_partitions()
    return f"{made} months made" if made else "up to date"


def _destroy_again() -> str:
    """What was destroyed stays destroyed, also after a restore: before anything is served."""
    raised = raise_floor(settings.RETENTION_FLOOR_DAYS)
    try:
        again = shred_again(actor=first_steps.OPERATOR.ref)
    except ShredJournalUnusable as error:
        return f"NO PAYLOAD IS OPENED: {error.detail}"
    said = [f"{again} keys destroyed again"] if again else []
    return ", ".join(said + ([f"floor {floor_days()} days"] if raised else [])) or "up to date"


def _compare() -> str:
    """Ask the witnesses whether this database still holds what they saw."""
    env = Env()
    witnesses = witnesses_from(env)
    env.check()
    connection.ensure_connection()
    compared = compare(connection.connection, witnesses)
    if compared.found:
        return "SUSPENDED"
    if compared.silent:
        return f"not compared: {compared.silent}"
    return "nothing to compare" if compared.epoch is None else "agrees"


def _load_catalogue() -> str:
    loaded = load_shipped_catalogue(actor=first_steps.OPERATOR)
    new = [f"{one.name} {one.rows} rows" for one in loaded if not one.unchanged]
    return ", ".join(new) or "up to date"


def _ship_policy() -> str:
    return ensure_shipped_bundle(actor=Actor.system("prepare"))


def _connect_sandbox() -> str:
    done = ensure_sandbox(
        url=settings.SANDBOX_URL,
        note=settings.DATA_DIR / FILE_NAME,
        actor=Actor.system("prepare"),
    )
    return f"{', '.join(done)} made" if done else "up to date"
