"""Receipts and the log over REST: what proves that an entry is there, and who may ask."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection, transaction

from kernel.refs import new_id
from ledger.levels import Announced, Level
from ledger.models import CheckpointSignature, Entry, Epoch
from ledger.record import record
from ledger.sequencing.signing import keep_line
from ledger.transparency.checkpoints import Checkpoint
from ledger.transparency.merkle import consistency_proof, verify_consistency, verify_inclusion
from ledger.transparency.notes import SignedNote, VerifierKey, cosign
from ledger.transparency.tiles import Nodes, Tile, read_bundle
from ledger.verbs import Verb
from tests.factories import Cast, client_of, make_agent, make_cast, make_run
from tests.ledger.sequenced import sequence_now

pytestmark = pytest.mark.django_db

WITNESS = Ed25519PrivateKey.from_private_bytes(bytes(32))


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def agent(cast):
    return make_agent("sorter", owner=cast.alice, backup_owner=cast.bob, stage="live")


@pytest.fixture
def entry(agent) -> str:
    return say(agent)


def say(agent, count: int = 1) -> str:
    run, entry_id = make_run(agent, new_id("label")), ""
    with transaction.atomic():
        for _ in range(count):
            entry_id = record(
                Verb.CALL_INTENDED,
                agent.ref,
                actor=agent.ref,
                kind="intent",
                agent_id=agent.public_id,
                stream=run.run_id,
            ).entry_id
    return entry_id


def witness_newest() -> None:
    epoch = Epoch.objects.get()
    newest = CheckpointSignature.objects.latest("size")
    row = connection.cursor()
    row.execute("SELECT root FROM ledger_checkpoint WHERE size = %s", [newest.size])
    text = Checkpoint(epoch.origin, newest.size, bytes(row.fetchone()[0])).text
    line = cosign(text, "witness.example", WITNESS, at=1)
    keep_line(connection.connection, Announced(1, newest.size, Level.WITNESSED), line)


def receipt(person, entry: str, query: str = ""):
    answer = client_of(person).get(f"/api/v1/entries/{entry}/receipt{query}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_a_receipt_climbs_from_durable_to_witnessed(cast, agent, entry):
    assert receipt(cast.alice, entry)["level"] == "durable"
    assert receipt(cast.alice, entry)["proof"] is None
    sequence_now()
    assert receipt(cast.alice, entry)["level"] == "signed"
    witness_newest()
    assert receipt(cast.alice, entry)["level"] == "witnessed"


def test_a_receipt_is_checked_without_us(cast, agent):
    entry = say(agent, 300)
    sequence_now(limit=100)
    said = receipt(cast.alice, entry)
    proof = said["proof"]
    key = VerifierKey.parse(proof["key"])
    note = SignedNote.parse(proof["checkpoint"].encode())
    note.verify(key)
    checkpoint = Checkpoint.parse(note.text)
    assert (checkpoint.origin, checkpoint.size) == (proof["origin"], proof["size"])
    header = base64.b64decode(said["header"])
    assert entry.encode() in header
    verify_inclusion(
        base64.b64decode(said["leaf_hash"]),
        proof["index"],
        proof["size"],
        list(map(base64.b64decode, proof["hashes"])),
        checkpoint.root,
    )


def test_a_receipt_once_given_stays_as_it_is(cast, agent, entry):
    sequence_now()
    before = receipt(cast.alice, entry)
    say(agent, 5)
    sequence_now()
    assert receipt(cast.alice, entry) == before


def test_a_wait_ends_when_its_time_is_over_and_says_what_is(cast, agent, entry):
    assert receipt(cast.alice, entry, "?level=signed&wait_ms=150")["level"] == "durable"
    sequence_now()
    assert receipt(cast.alice, entry, "?level=L2&wait_ms=150")["level"] == "signed"


@pytest.mark.parametrize("query", ["?level=L9", "?wait_ms=60000", "?wait_ms=-1", "?x=1"])
def test_what_cannot_be_waited_for_is_refused(cast, agent, entry, query):
    answer = client_of(cast.alice).get(f"/api/v1/entries/{entry}/receipt{query}")
    assert answer.status_code == 422


def test_whoever_may_not_see_an_entry_gets_no_receipt(cast, agent, entry):
    path = f"/api/v1/entries/{entry}/receipt"
    assert client_of(cast.mallory).get(path).status_code == 404
    assert client_of(cast.mallory).get("/api/v1/entries/ent_none/receipt").status_code == 404
    for person in (cast.alice, cast.bob, cast.sam, cast.pat, cast.ann):
        assert client_of(person).get(path).status_code == 200


def test_an_altered_entry_gets_no_receipt(cast, agent, entry):
    sequence_now()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE ledger_entry SET header = header || 'x'")
    answer = client_of(cast.alice).get(f"/api/v1/entries/{entry}/receipt")
    assert (answer.status_code, answer.json()["code"]) == (409, "ledger.evidence_altered")


# --- the log


def test_the_tiles_lead_from_any_checkpoint_to_any_later_one(cast, agent):
    say(agent, 400)
    sequence_now(limit=100)
    sizes = list(CheckpointSignature.objects.order_by("size").values_list("size", flat=True))
    browser = client_of(cast.ann)
    note = SignedNote.parse(browser.get("/api/v1/ledger/1/checkpoint").content)
    (epoch,) = browser.get("/api/v1/ledger/epochs").json()
    note.verify(VerifierKey.parse(epoch["key"]))
    newest = Checkpoint.parse(note.text)
    assert newest.size == sizes[-1] == epoch["size"]

    def read(tile: Tile):
        answer = browser.get(f"/api/v1/ledger/1/{tile.path}")
        assert answer.status_code == 200, tile
        assert answer["Content-Type"] == "application/octet-stream"
        assert ("immutable" in answer["Cache-Control"]) == (tile.width == 256)
        assert "private" in answer["Cache-Control"]
        return answer.content

    nodes = Nodes(newest.size, read)
    for row in connection.cursor().execute("SELECT size, root FROM ledger_checkpoint").fetchall():
        proof = consistency_proof(row[0], newest.size, nodes)
        verify_consistency(row[0], newest.size, bytes(row[1]), newest.root, proof)


def test_entry_bundles_hold_the_headers_and_are_for_security_alone(cast, agent):
    say(agent, 260)
    sequence_now()
    headers = [bytes(row.header) for row in Entry.objects.order_by("id")]
    browser = client_of(cast.sam)
    whole = browser.get("/api/v1/ledger/1/tile/entries/000")
    assert read_bundle(whole.content) == headers[:256]
    assert "immutable" in whole["Cache-Control"]
    rest = len(headers) - 256
    partial = browser.get(f"/api/v1/ledger/1/tile/entries/001.p/{rest}")
    assert read_bundle(partial.content) == headers[256:]
    for person in (cast.pat, cast.ann, cast.alice, cast.mallory):
        refused = client_of(person).get("/api/v1/ledger/1/tile/entries/000")
        assert refused.status_code == 403


def test_the_newest_epoch_is_meant_where_none_is_named_and_nothing_of_it_is_kept(cast, agent):
    say(agent, 256)
    sequence_now()
    browser = client_of(cast.pat)
    for path in ("checkpoint", "tile/0/000"):
        short = browser.get(f"/api/v1/ledger/{path}")
        assert short.content == browser.get(f"/api/v1/ledger/1/{path}").content
        assert "no-cache" in short["Cache-Control"]


@pytest.mark.parametrize(
    "path",
    [
        "0/001", "0/000.p/9", "0/000.p/0", "0/000.p/256", "0/00", "9/000", "00/000", "x/000",
        "0/-01", "0/000.p/x", "entries/000", "0",
    ],
)  # fmt: skip
def test_what_the_signed_tree_does_not_hold_is_not_there(cast, agent, entry, path):
    sequence_now()
    answer = client_of(cast.sam).get(f"/api/v1/ledger/1/tile/{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "ledger.tile_not_found")


def test_an_epoch_that_is_not_there_is_said(cast):
    for path in ("checkpoint", "1/checkpoint", "tile/0/000"):
        answer = client_of(cast.sam).get(f"/api/v1/ledger/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "ledger.epoch_not_found")


def test_the_log_is_for_those_who_govern(cast, agent, entry):
    sequence_now()
    for path in ("epochs", "checkpoint", "1/checkpoint", "1/tile/0/000.p/1"):
        assert client_of(cast.alice).get(f"/api/v1/ledger/{path}").status_code == 403
        assert client_of(cast.mallory).get(f"/api/v1/ledger/{path}").status_code == 403


def test_why_an_agent_is_held_is_not_for_every_employee(cast, agent):
    made = {}
    with transaction.atomic():
        for verb in (Verb.AGENT_CHANGED, Verb.HOLD_PLACED, Verb.ERASURE_REQUESTED):
            made[verb] = record(
                verb, agent.ref, actor=cast.sam.ref, agent_id=agent.public_id,
                facts={"reason": "Case 7 against A. Person."},
            ).entry_id  # fmt: skip
    sequence_now()
    for verb, status in zip(made, (200, 404, 404), strict=True):
        address = f"/api/v1/entries/{made[verb]}/receipt"
        assert client_of(cast.mallory).get(address).status_code == status
        assert client_of(cast.ann).get(address).status_code == 200
