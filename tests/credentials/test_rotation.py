from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from credentials import queries
from credentials.actions import rotate_ring, seal_secret
from credentials.broker import COLUMNS, SealedRow, SecretOpener
from credentials.errors import RotationUnderWay
from credentials.models import RingRotation, Secret
from credentials.rotation import Rotated
from kernel.refs import Ref
from kernel.sealing import CannotOpen, PublicRing, RingUnreadable
from ledger.models import DataKey, Entry, RetiredRingKey
from ledger.payloads import read_payload
from ledger.record import record
from ledger.verbs import Verb

ALICE = Ref("person", "per_alice")
pytestmark = pytest.mark.django_db


class CutOff(Exception):
    """The process ends here."""


def seal(count: int = 3, ring: str = "vendor") -> None:
    for number in range(count):
        seal_secret(Ref(ring, f"h{number}"), f"secret {number}", ring=ring, actor=ALICE)


def opened(rings: Path, ring: str = "vendor") -> list[str]:
    opener = SecretOpener(rings, ring)
    rows = Secret.objects.filter(ring=ring).order_by("id").values_list(*COLUMNS)
    return [opener.open(SealedRow(*row)).reveal() for row in rows]


def test_a_rotation_brings_every_row_to_the_new_key_and_ends_the_old(rings: Path) -> None:
    seal()
    seal(1, "tool")
    ciphertexts = set(Secret.objects.values_list("ciphertext", flat=True))
    rotated = rotate_ring("vendor", actor=ALICE)
    assert (rotated.ring_key_id, rotated.rows, rotated.dropped) == ("k2", 3, ("k1",))
    assert opened(rings) == ["secret 0", "secret 1", "secret 2"]
    assert opened(rings, "tool") == ["secret 0"]
    assert set(Secret.objects.values_list("ciphertext", flat=True)) == ciphertexts
    assert queries.rows_by_ring_key("vendor") == {"k2": 3}
    assert set(PublicRing.load(rings, "vendor").keys) == {"k2"}
    assert "k1" not in (rings / "vendor.key.json").read_text()
    assert str(RetiredRingKey.objects.get()) == "vendor k1"
    entry = Entry.objects.get(verb="ring.rotated")
    assert (entry.subject, entry.stream) == ("ring:vendor", "ring:vendor")
    assert RingRotation.objects.get().finished_at is not None


def test_payload_keys_rotate_like_secrets(rings: Path) -> None:
    agent = Ref("agent", "agt_one")
    added = record(Verb.CALL_INTENDED, agent, actor=ALICE, agent_id="agt_one", payload=b"bytes")
    rotate_ring("payload", actor=ALICE)
    assert DataKey.objects.get().ring_key_id == "k2"
    assert read_payload(added.entry_id, actor=ALICE, reason="a look") == b"bytes"
    # The key this process holds was made before; what it encrypts now opens as well.
    later = record(Verb.CALL_INTENDED, agent, actor=ALICE, agent_id="agt_one", payload=b"later")
    assert read_payload(later.entry_id, actor=ALICE, reason="a look") == b"later"
    assert queries.rows_by_ring_key("payload") == {"k2": 1}


def test_old_keys_may_be_kept_and_are_dropped_by_the_next_rotation(rings: Path) -> None:
    seal()
    assert rotate_ring("vendor", actor=ALICE, keep_old=True).dropped == ()
    assert set(PublicRing.load(rings, "vendor").keys) == {"k1", "k2"}
    assert not RetiredRingKey.objects.exists()
    assert rotate_ring("vendor", actor=ALICE).dropped == ("k1", "k2")
    assert set(PublicRing.load(rings, "vendor").keys) == {"k3"}
    assert len(opened(rings)) == 3


def test_an_empty_ring_rotates_too(rings: Path) -> None:
    assert rotate_ring("tool", actor=ALICE).rows == 0


def steps_of(ring: str) -> list[str]:
    said: list[str] = []
    rotate_ring(ring, actor=ALICE, progress=said.append)
    return said


@pytest.mark.parametrize("step", range(6))
def test_a_rotation_cut_off_at_any_step_is_resumed(
    rings: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("credentials.rotation.BATCH", 2)
    seal()
    said: list[str] = []

    def cut(line: str) -> None:
        said.append(line)
        if len(said) == step + 1:
            raise CutOff

    with pytest.raises(CutOff):
        rotate_ring("vendor", actor=ALICE, progress=cut)
    assert opened(rings) == ["secret 0", "secret 1", "secret 2"]
    rotated = rotate_ring("vendor", actor=ALICE)
    assert (rotated.ring_key_id, rotated.rows) == ("k2", 3)
    assert opened(rings) == ["secret 0", "secret 1", "secret 2"]
    assert set(PublicRing.load(rings, "vendor").keys) == {"k2"}
    assert Entry.objects.filter(verb="ring.rotated").count() == 1


def test_every_step_is_said(rings: Path) -> None:
    seal()
    assert steps_of("vendor") == [
        "rotation to k2 begun",
        "key k2 is active",
        "3 rows sealed to k2",
        "old keys retired: k1",
        "old keys destroyed: k1",
    ]


def test_a_crash_between_the_two_files_is_resumed(rings: Path) -> None:
    seal()
    before = (rings / "vendor.pub.json").read_text()
    with pytest.raises(CutOff):
        rotate_ring("vendor", actor=ALICE, progress=_cut_at("key k2 is active"))
    (rings / "vendor.pub.json").write_text(before)  # the private half was written first
    rotate_ring("vendor", actor=ALICE)
    assert len(opened(rings)) == 3


def _cut_at(wanted: str) -> Any:
    def cut(line: str) -> None:
        if line == wanted:
            raise CutOff

    return cut


def test_who_still_seals_to_the_old_key_is_refused_by_the_database(rings: Path) -> None:
    seal(1)
    stale = (rings / "vendor.pub.json").read_text()
    rotate_ring("vendor", actor=ALICE)
    (rings / "vendor.pub.json").write_text(stale)
    with pytest.raises(Exception, match="key k1 of ring vendor is retired"):
        seal_secret(Ref("vendor", "late"), "late", ring="vendor", actor=ALICE)


def test_a_row_that_does_not_open_keeps_its_key_and_the_rotation_unfinished(
    rings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seal(2)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE credentials_secret SET wrapped_key = 'x' WHERE holder = 'vendor:h0'")
    bad = Secret.objects.get(holder="vendor:h0").public_id
    rotated = rotate_ring("vendor", actor=ALICE)
    assert (rotated.unopened, rotated.dropped, rotated.rows) == ((bad,), (), 1)
    assert set(PublicRing.load(rings, "vendor").keys) == {"k1", "k2"}
    assert not Entry.objects.filter(verb="ring.rotated").exists()
    with pytest.raises(CommandError, match=f"1 rows could not be opened.*{bad}"):
        call_command("rotate_keys", "--ring", "vendor", "--settle-seconds", "0")
    assert "going on with the rotation to k2" in capsys.readouterr().out
    Secret.objects.filter(holder="vendor:h0").delete()
    assert rotate_ring("vendor", actor=ALICE).ring_key_id == "k2"


def test_a_row_sealed_to_the_old_key_at_the_last_moment_is_found(rings: Path) -> None:
    seal(1)
    stale, fresh = (rings / "vendor.pub.json").read_text(), ""

    def meddle(line: str) -> None:
        nonlocal fresh
        if line == "1 rows sealed to k2":
            fresh = (rings / "vendor.pub.json").read_text()
            (rings / "vendor.pub.json").write_text(stale)
            seal_secret(Ref("vendor", "late"), "late", ring="vendor", actor=ALICE)
            (rings / "vendor.pub.json").write_text(fresh)

    assert rotate_ring("vendor", actor=ALICE, progress=meddle).rows == 2
    assert opened(rings) == ["secret 0", "late"]


def test_an_unopenable_row_found_at_the_last_moment_keeps_the_old_keys(rings: Path) -> None:
    seal(2)

    def meddle(line: str) -> None:
        if line == "2 rows sealed to k2":
            Secret.objects.filter(holder="vendor:h1").update(ring_key_id="k1", wrapped_key=b"x")

    rotated = rotate_ring("vendor", actor=ALICE, progress=meddle)
    assert len(rotated.unopened) == 1
    assert set(PublicRing.load(rings, "vendor").keys) == {"k1", "k2"}


def test_a_ring_that_cannot_be_read_is_not_rotated(rings: Path) -> None:
    (rings / "vendor.key.json").write_text("{}")
    with pytest.raises(RingUnreadable):
        rotate_ring("vendor", actor=ALICE)
    with pytest.raises(CommandError, match="key ring vendor"):
        call_command("rotate_keys", "--ring", "vendor")
    assert not RingRotation.objects.exists()


def test_the_command_says_what_it_does(rings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seal()
    call_command("rotate_keys", "--ring", "vendor", "--settle-seconds", "0")
    out = capsys.readouterr().out
    assert "3 rows under k2" in out
    assert out.rstrip().endswith("Ring vendor is on k2.")


def test_one_ring_is_rotated_by_one_at_a_time(rings: Path, owner_address: str) -> None:
    with psycopg.connect(owner_address, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(hashtext('unsprawl.rotation'), hashtext('vendor'))")
        with pytest.raises(RotationUnderWay):
            rotate_ring("vendor", actor=ALICE)
        rotate_ring("tool", actor=ALICE)


@pytest.mark.django_db(transaction=True)
def test_secrets_open_at_every_moment_of_a_rotation(rings: Path) -> None:
    seal(20)
    opener = SecretOpener(rings, "vendor")
    failures: list[Exception] = []
    opens = [0]
    over = threading.Event()

    def keep_opening() -> None:
        while not over.is_set():
            # A snapshot is read, then used while the rotation goes on.
            for row in list(Secret.objects.filter(ring="vendor").values_list(*COLUMNS)):
                try:
                    opener.open(SealedRow(*row))
                    opens[0] += 1
                except CannotOpen as error:
                    failures.append(error)
        connection.close()

    thread = threading.Thread(target=keep_opening)
    thread.start()
    for rotations in range(3):
        while opens[0] <= 20 * rotations and not failures and thread.is_alive():
            time.sleep(0.001)  # until some were opened since the last rotation
        rotate_ring("vendor", actor=ALICE)
    over.set()
    thread.join()
    assert failures == []
    assert opens[0] > 20
    assert PublicRing.load(rings, "vendor").active == "k4"


def resumed() -> Rotated:
    """Rotate once PostgreSQL has noticed that the one who held the lock is gone."""
    until = time.monotonic() + 60
    while True:
        try:
            return rotate_ring("vendor", actor=ALICE)
        except RotationUnderWay:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("said", ["begun", "active", "2 rows", "retired"])
def test_a_rotation_that_was_killed_is_resumed(rings: Path, owner_address: str, said: str) -> None:
    seal()
    script = (
        "import django, os, signal; django.setup()\n"
        "from credentials import rotation\n"
        "from kernel.refs import Ref\n"
        "rotation.BATCH = 2\n"
        "def die(line):\n"
        f"    if {said!r} in line: os.kill(os.getpid(), signal.SIGKILL)\n"
        "rotation.rotate_ring('vendor', actor=Ref('system', 'test'), progress=die)\n"
    )
    environment = os.environ | {"DATABASE_URL": owner_address, "UNSPRAWL_KEYS_DIR": str(rings)}
    killed = subprocess.run([sys.executable, "-c", script], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(opened(rings)) == 3
    assert resumed().ring_key_id == "k2"
    assert set(PublicRing.load(rings, "vendor").keys) == {"k2"}
    assert opened(rings) == ["secret 0", "secret 1", "secret 2"]
