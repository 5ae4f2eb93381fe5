from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection, transaction

from kernel.refs import Ref
from ledger.entries import leaf_hash
from ledger.models import Checkpoint, CheckpointSignature, Entry, Epoch, Leaf, Suspension, Tile
from ledger.record import record
from ledger.sequencing.epochs import CannotSequence
from ledger.sequencing.keys import SigningKey
from ledger.sequencing.stored import StoredTiles
from ledger.transparency import checkpoints
from ledger.transparency.merkle import Frontier, inclusion_proof, verify_inclusion
from ledger.transparency.notes import SignatureLine, SignedNote
from ledger.verbs import Verb
from tests.ledger.sequenced import HOST, LOG_KEY, sequence_now

pytestmark = pytest.mark.django_db

ALICE = Ref("user", "alice@example.com")


def fill(count: int) -> list[bytes]:
    with transaction.atomic():
        for number in range(count):
            record(Verb.AGENT_CHANGED, Ref("agent", f"agt_{number % 7}"), actor=ALICE)
    return [leaf_hash(bytes(row.header)) for row in Entry.objects.order_by("id")]


def root_of(leaves: list[bytes]) -> bytes:
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


def test_the_first_step_opens_epoch_1_and_gives_every_entry_its_place():
    leaves = fill(5)
    (stepped,) = sequence_now()
    epoch = Epoch.objects.get()
    assert (epoch.number, epoch.first_entry, epoch.reason) == (1, 1, "")
    assert epoch.origin.startswith(f"{HOST}/ledger/log_")
    assert epoch.origin.endswith("/1")
    assert bytes(epoch.public_key) == LOG_KEY.public
    kept = [(leaf.index, bytes(leaf.leaf_hash)) for leaf in Leaf.objects.order_by("index")]
    assert kept == list(enumerate(leaves))
    checkpoint = Checkpoint.objects.get()
    assert (stepped.entries, checkpoint.size, bytes(checkpoint.root)) == (5, 5, root_of(leaves))


def test_every_checkpoint_carries_the_logs_own_signature():
    fill(3)
    sequence_now(limit=1)
    epoch = Epoch.objects.get()
    for row in Checkpoint.objects.order_by("size"):
        line = CheckpointSignature.objects.get(size=row.size)
        text = checkpoints.Checkpoint(epoch.origin, row.size, bytes(row.root)).text
        SignedNote(text, (SignatureLine.parse(line.line),)).verify(LOG_KEY.vkey(epoch.origin))
        assert (line.signer, line.is_witness) == (epoch.origin, False)


@pytest.mark.parametrize("limit", [1, 100, 256, 300])
def test_the_tree_is_the_same_however_its_batches_were_cut(limit):
    leaves = fill(600)
    sequence_now(limit=limit)
    newest = Checkpoint.objects.latest("size")
    assert bytes(newest.root) == root_of(leaves)
    assert [(tile.level, tile.index) for tile in Tile.objects.order_by("level", "index")] == [
        (0, 0),
        (0, 1),
    ]


def test_whole_and_partial_tiles_prove_every_leaf():
    leaves = fill(520)
    sequence_now()
    nodes = StoredTiles(connection.connection, 1).nodes(520)
    root = root_of(leaves)
    for index in (0, 255, 256, 511, 512, 519):
        proof = inclusion_proof(index, 520, nodes)
        verify_inclusion(leaves[index], index, 520, proof, root)


def test_a_sequencer_that_starts_again_goes_on_where_the_last_one_stopped():
    fill(300)
    sequence_now()
    leaves = fill(10)
    (stepped,) = sequence_now()
    assert stepped.entries == 10
    assert bytes(Checkpoint.objects.get(size=310).root) == root_of(leaves)


def test_a_crash_between_commit_and_signature_is_mended_with_the_same_bytes(tamperer):
    fill(3)
    sequence_now()
    line = CheckpointSignature.objects.get().line
    tamperer.execute("DELETE FROM ledger_checkpointsignature")
    assert sequence_now() == []
    assert CheckpointSignature.objects.get().line == line


ALTERATIONS = {
    "a leaf": "UPDATE ledger_leaf SET leaf_hash = sha256('x') WHERE \"index\" = 258",
    "a whole tile": "UPDATE ledger_tile SET hashes = sha256('x') || substr(hashes, 33)",
    "a cut tile": "UPDATE ledger_tile SET hashes = substr(hashes, 33)",
    "a missing tile": "DELETE FROM ledger_tile",
    "a missing leaf": 'DELETE FROM ledger_leaf WHERE "index" = 258',
    "a further leaf": (
        'INSERT INTO ledger_leaf (epoch, "index", entry, leaf_hash)'
        " SELECT 1, 260, max(id) + 1, sha256('x') FROM ledger_entry"
    ),
    "the root": "UPDATE ledger_checkpoint SET root = sha256('x')",
    "the signature": "UPDATE ledger_checkpointsignature SET line = line || 'x'",
}


@pytest.mark.parametrize("what", ALTERATIONS)
def test_a_tree_that_does_not_lead_to_its_last_root_is_not_grown(what, tamperer):
    fill(260)
    sequence_now()
    tamperer.execute(ALTERATIONS[what])
    fill(1)
    with pytest.raises(CannotSequence, match="altered"):
        sequence_now()
    assert Checkpoint.objects.count() == 1


def test_another_key_is_not_signed_with():
    fill(1)
    sequence_now()
    fill(1)
    with pytest.raises(CannotSequence, match="key"):
        sequence_now(key=SigningKey.of(Ed25519PrivateKey.generate()))


def test_an_epoch_of_another_cluster_is_not_grown(tamperer):
    fill(1)
    sequence_now()
    tamperer.execute("UPDATE ledger_epoch SET system_identifier = 7")
    with pytest.raises(CannotSequence, match="another database cluster"):
        sequence_now()


def test_nothing_is_appended_while_the_epoch_is_suspended():
    fill(2)
    sequence_now()
    fill(1)
    Suspension.objects.create(epoch_id=1, found="a smaller tree", suspended_at="2026-01-01T00:00Z")
    assert sequence_now() == []
    assert Leaf.objects.count() == 2


def test_a_further_epoch_begins_with_its_opening_then_takes_what_was_left_by_id(tamperer):
    fill(3)
    sequence_now()
    fill(4)
    # As after a restore: what lay unsequenced carries transaction ids of another cluster.
    tamperer.execute("UPDATE ledger_entry SET xid = (1000000000000 - id)::text::xid8")
    kept = list(Entry.objects.order_by("id").values_list("id", flat=True))
    opened = Epoch.objects.get()
    Epoch.objects.create(
        number=2,
        origin=opened.origin[:-1] + "2",
        public_key=LOG_KEY.public,
        system_identifier=opened.system_identifier,
        first_entry=kept[-1] + 1,
        opened_at="2026-01-01T00:00Z",
        reason="restored",
    )
    leaves = fill(3)
    kept = list(Entry.objects.order_by("id").values_list("id", flat=True))
    sequence_now(limit=2)
    order = list(Leaf.objects.filter(epoch=2).order_by("index").values_list("entry", flat=True))
    assert order == [kept[7], *kept[3:7], *kept[8:]]
    expected = [leaves[7], *leaves[3:7], *leaves[8:]]
    assert bytes(Checkpoint.objects.filter(epoch=2).latest("size").root) == root_of(expected)


def test_the_tree_commits_to_the_header_and_not_to_a_column_beside_it(tamperer):
    leaves = fill(2)
    tamperer.execute("UPDATE ledger_entry SET leaf_hash = sha256('x')")
    sequence_now()
    assert bytes(Checkpoint.objects.get().root) == root_of(leaves)


def test_entries_loaded_from_another_cluster_come_first_and_by_id(tamperer):
    fill(3)
    tamperer.execute("UPDATE ledger_entry SET xid = (1000000000000 - id)::text::xid8")
    leaves = fill(0)
    sequence_now()
    assert Epoch.objects.get().first_entry > 1
    leaves = fill(2)
    sequence_now()
    assert bytes(Checkpoint.objects.latest("size").root) == root_of(leaves)
