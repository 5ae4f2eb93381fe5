"""Exports that the worker makes: in parts, through crashes, for whoever may have them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection

from config.places import BASE_DIR
from kernel import clock
from kernel.errors import Denied
from ledger.exports.scope import OneAgent, OneRun, Period
from ledger.exports.signing import ExportSigner
from ledger.models import Entry
from ledger.queries import seen
from outlets.actions.exporting import ask_export, cancel_export, finished_path, hand_out
from outlets.actions.making import expire_exports, make_exports, working_path
from outlets.errors import ExportNotReady, ExportOver, ReasonMissing
from outlets.models import Export
from registry.actors import Actor
from tests.factories import Cast, actor
from tests.ledger.exports.reader import read
from tests.ledger.test_verification import call
from tests.ledger.trees import Tree

pytestmark = pytest.mark.django_db(transaction=True)
WORKER = Actor.system("exports")
WHOLE = Period(())


def ask(cast: Cast, scope: Any = WHOLE, **over: Any) -> Export:
    given: Any = {"actor": actor(cast.sam), "payloads": True, "reason": "The yearly audit."} | over
    return ask_export(scope, "The whole ledger", **given)


def made(export: Export) -> bytes:
    export.refresh_from_db()
    assert export.state == "ready", (export.state, export.failure)
    path: Path = finished_path(export)
    return path.read_bytes()


def test_the_whole_ledger_is_made_and_recorded(cast: Cast, run: Any, signer: ExportSigner) -> None:
    Tree().open().grow()
    export = ask(cast)
    assert make_exports(actor=WORKER) == 1
    raw = made(export)
    found = read(raw, signer.vkey)
    assert found.proven == found.end["entries"] == export.entries == export.expected
    assert (export.size, export.percent) == (len(raw), 100)
    entry = seen(Entry.objects.get(verb="export.made"))
    assert entry.actor == str(cast.sam.ref)
    assert entry.facts["sha256"] == export.sha256
    assert entry.facts["reason"] == "The yearly audit."
    assert entry.facts["entries"] == found.end["entries"]
    assert not working_path(export).exists()


def test_parts_come_to_the_same_bytes_as_one_go(
    cast: Cast, run: Any, signer: ExportSigner, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        call("run_x")
    Tree().open().grow()
    scopes = (WHOLE, OneRun(run.run_id))
    whole = [ask(cast, scope) for scope in scopes]
    make_exports(actor=WORKER)
    files = [made(export) for export in whole]
    monkeypatch.setattr("outlets.actions.making.PART_SECONDS", 0.0)
    for file, export, scope in zip(files, whole, scopes, strict=True):
        parted = ask(cast, scope)
        Export.objects.filter(pk=parted.pk).update(plan=export.plan)
        until, turns = time.monotonic(), 0
        while parted.is_under_way:
            one_part(parted, until)
            parted.refresh_from_db()
            turns += 1
        assert turns > 3
        assert made(parted) == file


def test_an_agents_export_is_on_the_agents_own_record(
    cast: Cast, run: Any, signer: ExportSigner
) -> None:
    export = ask(cast, OneAgent(run.agent_id))
    make_exports(actor=WORKER)
    read(made(export), signer.vkey)
    assert Entry.objects.get(verb="export.made").stream == f"agent:{run.agent_id}"


def one_part(export: Export, until: float) -> None:
    from outlets.actions import making

    claimed = making._claim()
    assert claimed == export
    making._go_on(claimed, until)


def test_what_a_killed_worker_left_is_cut_back_and_gone_on_with(
    cast: Cast, run: Any, signer: ExportSigner
) -> None:
    Tree().open().grow()
    export = ask(cast)
    one_part(export, time.monotonic())
    export.refresh_from_db()
    assert (export.state, export.entries) == ("writing", 1)
    with working_path(export).open("ab") as file:
        file.write(b'{"entry":{"epoch":1,"hea')  # it was killed while it wrote
    Export.objects.update(leased_until=clock.now() + timedelta(minutes=1))
    assert make_exports(actor=WORKER) == 0  # it may still live
    Export.objects.update(leased_until=clock.now() - timedelta(seconds=1))
    make_exports(actor=WORKER)
    assert read(made(export), signer.vkey).proven == export.entries


def test_a_lost_file_is_begun_anew(cast: Cast, run: Any, signer: ExportSigner) -> None:
    Tree().open().grow()
    export = ask(cast)
    one_part(export, time.monotonic())
    working_path(export).unlink()
    make_exports(actor=WORKER)
    assert read(made(export), signer.vkey).proven == export.expected


def test_a_worker_process_that_is_killed_loses_nothing(
    cast: Cast, run: Any, signer: ExportSigner, owner_address: str, export_dir: Path
) -> None:
    for _ in range(60):
        call("run_x")
    Tree().open().grow()
    export = ask(cast)
    script = (
        "import django; django.setup()\n"
        "from outlets.actions import making; from registry.actors import Actor\n"
        "making.SAVE_SECONDS = 0.0\n"
        "making.make_exports(actor=Actor.system('exports'))\n"
    )
    environment = {
        "PATH": os.environ["PATH"], "DATABASE_URL": owner_address,
        "DJANGO_SETTINGS_MODULE": "config.settings", "UNSPRAWL_EXPORT_DIR": str(export_dir),
        "UNSPRAWL_KEYS_DIR": str(django_settings.KEYS_DIR),
        "UNSPRAWL_DATA_DIR": str(django_settings.DATA_DIR),
    }  # fmt: skip
    command = [sys.executable, "-W", "ignore", "-c", script]
    for kills in range(4):
        worker = subprocess.Popen(command, cwd=BASE_DIR, env=environment)
        _wait_for(export, beyond=kills * 20)
        worker.kill()
        worker.wait()
        Export.objects.filter(pk=export.pk).update(leased_until=None)
    make_exports(actor=WORKER)
    found = read(made(export), signer.vkey)
    assert found.proven == found.end["entries"] == export.expected


def _wait_for(export: Export, *, beyond: int) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        export.refresh_from_db()
        if export.entries > beyond or not export.is_under_way:
            return
        time.sleep(0.01)
    raise AssertionError(f"stuck at {export.entries}")


def test_what_is_recorded_meanwhile_does_not_change_the_file(
    cast: Cast, run: Any, signer: ExportSigner
) -> None:
    tree = Tree().open()
    tree.grow()
    export = ask(cast)
    for _ in range(3):
        one_part(export, time.monotonic())
        call("run_y")
        tree.grow()
    make_exports(actor=WORKER)
    found = read(made(export), signer.vkey)
    assert found.proven == 6


def test_cancelling_stops_it_and_removes_what_was_written(cast: Cast, run: Any) -> None:
    Tree().open().grow()
    export = ask(cast)
    one_part(export, time.monotonic())
    cancel_export(export, actor=actor(cast.sam))
    make_exports(actor=WORKER)
    expire_exports(actor=WORKER)
    export.refresh_from_db()
    assert export.state == "cancelled"
    assert not working_path(export).exists()
    with pytest.raises(ExportOver):
        cancel_export(export, actor=actor(cast.sam))
    assert Entry.objects.filter(verb="export.cancelled").count() == 1


def test_files_expire_and_the_row_says_so(cast: Cast, run: Any) -> None:
    export = ask(cast, OneRun(run.run_id))
    make_exports(actor=WORKER)
    made(export)
    assert expire_exports(actor=WORKER) == 0
    with clock.held_at(clock.now() + timedelta(days=8)):
        assert expire_exports(actor=WORKER) == 1
    export.refresh_from_db()
    assert export.state == "expired"
    with pytest.raises(ExportNotReady, match="expired"):
        hand_out(export, actor=actor(cast.sam))


def test_a_failure_is_tried_again_and_given_up_in_the_end(
    cast: Cast, run: Any, settings: Any, tmp_path: Path
) -> None:
    export = ask(cast, OneRun(run.run_id))
    settings.KEYS_DIR = tmp_path  # no key to sign with
    for turn in range(8):
        Export.objects.update(again_at=None, leased_until=None)
        make_exports(actor=WORKER)
        export.refresh_from_db()
        assert export.attempts == turn + 1
    assert (export.state, export.failure) == ("failed", "The key that signs exports is missing")
    assert Entry.objects.filter(verb="export.failed").count() == 1


def test_a_reason_is_asked_for(cast: Cast) -> None:
    with pytest.raises(ReasonMissing):
        ask(cast, reason=" \x00 ")
    assert not Export.objects.exists()


def test_the_file_is_for_those_who_may_see_what_is_in_it(cast: Cast, run: Any) -> None:
    export = ask(cast, OneRun(run.run_id), actor=actor(cast.alice))
    make_exports(actor=WORKER)
    made(export)
    for person in (cast.alice, cast.sam, cast.ann):
        hand_out(export, actor=actor(person)).close()
    for person in (cast.mallory, cast.pat):
        with pytest.raises(Denied):
            hand_out(export, actor=actor(person))
    assert Entry.objects.filter(verb="export.fetched").count() == 3


def test_nothing_of_this_runs_inside_the_tests_transaction() -> None:
    assert not connection.in_atomic_block
