"""kill -9 at every step of an erasure: it goes on to its end, and never claims half of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings

from approvals.actions.deciding import decide_review
from config.places import BASE_DIR
from ledger.errors import PayloadShredded
from ledger.grants import apply_grants
from ledger.models import DataKey, Entry, Shredding
from ledger.payloads import read_payload
from ledger.retention.shredding import require_journal
from ledger.verification import verify_all
from registry.actors import Actor
from routing.keeping import erasing
from routing.keeping.erasing import carry_out_erasures, request_erasure
from routing.models import Erasure
from tests.factories import make_agent, make_cast
from tests.routing.keeping.scenes import PERSON, plaintext_anywhere, say
from tests.transactions import TO_BE_KILLED, wait_for_the_killed

pytestmark = pytest.mark.slow
SWEEP = Actor.system("erasure")
# Each wraps one step so that the process dies before or after it; none replaces it.
PROGRAM = """
import os, signal, sys
import django
django.setup()
from django.db import transaction
from ledger import record
from ledger.retention import shredding
from ledger.retention.journal import ShredJournal
from routing.keeping import erasing
from registry.actors import Actor
holder, name, when = {
    "the agreement is redeemed": (erasing, "redeem", "after"),
    "keys are chosen": (shredding, "_written", "before"),
    "half a line is written": (ShredJournal, "append", "torn"),
    "the line is on the disk": (shredding, "_written", "after"),
    "keys are set to nothing": (shredding._Deed, "record", "before"),
    "the tombstone is written": (shredding._Deed, "record", "after"),
    "a batch is committed": (erasing, "_destroy", "after"),
    "all is destroyed": (erasing, "_conclude", "before"),
    "its end is written": (erasing, "record", "after"),
    "all is done": (erasing, "_conclude", "after"),
}[sys.argv[1]]
step = getattr(holder, name)
def dying(*args, **kwargs):
    if when == "torn":
        args[1].write(b'{"at":"2026')
        args[1].flush()
    elif when == "after":
        step(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(holder, name, dying)
erasing.carry_out_erasures(actor=Actor.system("erasure"))
"""
STEPS = [
    line.split('"')[1]
    for line in PROGRAM.splitlines()
    if line.startswith('    "') and '": (' in line
]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_it_goes_on_to_its_end(
    step: str, app_address: str, shreds: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(erasing, "BATCH", 2)
    apply_grants()
    cast = make_cast()
    agent = make_agent(owner=cast.alice, backup_owner=cast.bob, stage="live")
    said = [say(agent, of=PERSON).entry_id for _ in range(3)]
    other = say(agent, b"kept", of="another").entry_id
    asked = request_erasure(
        "data_subject", PERSON, actor=Actor.of(cast.sam), reason="x", data_classes=[]
    )
    decide_review(asked.review, actor=Actor.of(cast.sue), decision="approve", comment="")
    assert _die(step, app_address, shreds) == -signal.SIGKILL
    asked.refresh_from_db()
    assert asked.keys_destroyed == DataKey.objects.filter(state="shredded").count()
    carry_out_erasures(actor=SWEEP)
    carry_out_erasures(actor=SWEEP)
    asked.refresh_from_db()
    assert (asked.state, asked.keys_destroyed) == (Erasure.State.DONE, 3)
    for entry_id in said:
        with pytest.raises(PayloadShredded):
            read_payload(entry_id, actor=Actor.of(cast.sam).ref, reason="x")
    assert read_payload(other, actor=Actor.of(cast.sam).ref, reason="x") == b"kept"
    tombstones = set(
        Entry.objects.filter(verb="datakey.shredded").values_list("entry_id", flat=True)
    )
    gone = DataKey.objects.filter(state="shredded")
    assert set(gone.values_list("shredded_by", flat=True)) == tombstones
    assert Entry.objects.filter(verb="erasure.completed").count() == 1
    assert Shredding.objects.count() == len(tombstones)
    assert require_journal() <= set(gone.values_list("dek_id", flat=True))
    assert verify_all().is_valid
    assert plaintext_anywhere() == []


def _die(step: str, address: str, shreds: Path) -> int:
    environment = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "UNSPRAWL_DATA_DIR": str(django_settings.DATA_DIR),
        "UNSPRAWL_SHREDS_DIR": str(shreds),
        "DATABASE_URL": address,
        **TO_BE_KILLED,
    }
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, step],
        cwd=BASE_DIR,
        env=environment,
        check=False,
        timeout=300,
    )
    wait_for_the_killed()
    return ended.returncode
