"""A backup is restored, for real: files of a stopped server, and a dump into a new one."""

from __future__ import annotations

import pytest

from ledger.transparency.notes import ED25519, SignedNote, VerifierKey
from tests.ledger.restoring.conftest import Installation

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("restoring")]


def public_of(installation: Installation, number: int) -> bytes:
    ((public,),) = installation.query(
        "SELECT public_key FROM ledger_epoch WHERE number = %s", number
    )
    return bytes(public)


def test_a_restored_backup_records_nothing_until_a_further_epoch_is_opened(
    installation: Installation,
) -> None:
    first = installation.committed  # what making it records
    installation.record(5)
    installation.settle(1)
    installation.stop("sequencer")
    installation.copy_cluster("backup")
    installation.start_sequencer()
    assert installation.manage("epoch", "open", "--reason", "just so", "--yes").returncode == 1
    installation.record(7)
    installation.settle(1)
    installation.stop("sequencer")

    installation.put_back("backup")
    prepared = installation.manage("prepare")

    assert prepared.returncode == 0, prepared.stderr
    assert "THE LEDGER IS SUSPENDED" in prepared.stdout
    assert f"has seen {first + 12} entries" in prepared.stdout
    assert f"the tree here has {first + 5}" in prepared.stdout
    refused = installation.record(1)
    assert "LedgerSuspended" in refused.stderr
    assert installation.committed == first + 5
    installation.start_sequencer()  # nor does it go on by itself
    assert "SUSPENDED. Witness" in installation.manage("epoch", "show").stdout
    assert installation.leaves == first + 5

    asked = installation.manage("epoch", "open", "--reason", "disk failure, see note 7")
    assert asked.returncode == 1
    assert "LOST       7 witnessed entries" in asked.stdout
    assert "Nobody is there to ask" in asked.stderr
    opened = installation.manage("epoch", "open", "--reason", "disk\nfailure, note 7", "--yes")

    assert opened.returncode == 0, opened.stderr
    assert installation.record(3).returncode == 0
    installation.settle(2)
    installation.check()
    ((opening,),) = installation.query(
        "SELECT verb FROM ledger_leaf JOIN ledger_entry ON id = entry"
        ' WHERE epoch = 2 AND "index" = 0'
    )
    assert opening == "epoch.opened"
    record = SignedNote.parse(installation.manage("epoch", "show", "--record", "2").stdout.encode())
    ((origin,),) = installation.query("SELECT origin FROM ledger_epoch WHERE number = 2")
    record.verify(VerifierKey(origin, ED25519, public_of(installation, 2)))
    assert f"left {origin[:-1]}1 {first + 5} " in record.text
    assert f"witnessed {origin[:-1]}1 {first + 12} " in record.text
    assert "because disk failure, note 7\n" in record.text
    assert installation.manage("verify").returncode == 0


def test_in_a_new_cluster_no_entry_is_passed_over(installation: Installation) -> None:
    installation.query("SELECT pg_current_xact_id() FROM generate_series(1, 3)")
    first = installation.committed  # what making it records
    installation.record(5)
    installation.settle(1)
    installation.stop("sequencer")
    installation.record(4)  # on record, and without a place when the dump is taken
    assert (installation.committed, installation.leaves) == (first + 9, first + 5)

    installation.dump_into_a_new_cluster()
    prepared = installation.manage("prepare")

    assert "agrees" in prepared.stdout
    assert installation.manage("epoch", "show").returncode == 0
    installation.record(2)
    opened = installation.manage("epoch", "open", "--reason", "moved to another server", "--yes")
    assert opened.returncode == 0, opened.stderr
    assert "another database cluster" in opened.stdout
    installation.record(2)
    installation.start_sequencer()
    installation.settle(2)
    installation.check()
    order = installation.query('SELECT entry FROM ledger_leaf WHERE epoch = 2 ORDER BY "index"')
    older = [entry for (entry,) in order[1:]]
    assert older == sorted(older)


def test_the_logs_key_changes_with_an_epoch_and_the_witness_is_told(
    installation: Installation,
) -> None:
    installation.record(3)
    installation.settle(1)
    before = (installation.rig.keys_dir / "ledger.pub").read_text()

    opened = installation.manage(
        "epoch", "open", "--new-key", "--reason", "the yearly change of the key", "--yes"
    )

    assert opened.returncode == 0, opened.stderr
    assert "The witness of this machine accepts the new key" in opened.stdout
    after = (installation.rig.keys_dir / "ledger.pub").read_text()
    assert before != after
    ((origin,),) = installation.query("SELECT origin FROM ledger_epoch WHERE number = 1")
    assert f"trust {origin.removesuffix('/1')} {after.strip()}" in opened.stdout
    assert (installation.rig.keys_dir / "ledger-1.pub").read_text() == before
    assert installation.processes["sequencer"].wait(60) == 1  # its key is another epoch's
    installation.start_sequencer()
    installation.record(2)
    installation.settle(2)
    installation.check()
    record = SignedNote.parse(installation.manage("epoch", "show", "--record", "2").stdout.encode())
    assert len(record.signatures) == 2  # both keys say so
