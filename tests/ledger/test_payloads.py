from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import zstandard
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import connection, transaction

from kernel import clock
from kernel.refs import Ref
from kernel.sealing import (
    CannotOpen,
    RingUnreadable,
    add_ring_key,
    drop_ring_keys,
    ensure_key_rings,
)
from ledger import entries, queries
from ledger.entries import (
    DataKeyInUse,
    EntryTooLarge,
    PayloadAltered,
    PayloadDigest,
    decrypt_payload,
    encrypt_payload,
    open_payload,
)
from ledger.errors import (
    EntryNotFound,
    EvidenceAltered,
    PayloadAbsent,
    PayloadsClosed,
    PayloadShredded,
    ReasonMissing,
)
from ledger.models import ChainHead, DataKey, Entry, Payload, RetiredRingKey, Writer
from ledger.payloads import read_payload
from ledger.record import record
from ledger.verbs import Verb
from tests.ledger.conftest import Tamperer

ALICE = Ref("person", "per_alice")
AGENT = Ref("agent", "agt_one")
CANARY = b"canary-2f9d61c0aa7b4e"
KEY = DataKeyInUse("dek_1", AESGCM.generate_key(256))


@pytest.fixture
def entry_id(db: None) -> str:
    return record(
        Verb.CALL_INTENDED, AGENT, actor=AGENT, kind="intent", agent_id="agt_one",
        stream="run_a", payload=CANARY,
    ).entry_id  # fmt: skip


def test_a_reading_is_on_record_with_its_reason(entry_id: str) -> None:
    assert read_payload(entry_id, actor=ALICE, reason=" incident 7 ") == CANARY
    access = queries.seen(Entry.objects.get(kind="access"))
    assert (access.actor, access.subject, access.stream) == (
        "person:per_alice", f"entry:{entry_id}", "agent:agt_one",
    )  # fmt: skip
    assert access.facts == {"reason": "incident 7", "stream": "run_a", "size": len(CANARY)}


def test_the_reading_of_what_is_no_agents_is_recorded_in_its_stream(db: None) -> None:
    added = record(Verb.CATALOGUE_LOADED, Ref("catalogue", "x"), actor=ALICE, payload=CANARY)
    assert DataKey.objects.get().scope == "org"
    assert read_payload(added.entry_id, actor=ALICE, reason="x") == CANARY
    assert Entry.objects.get(kind="access").stream == "catalogue:x"


@pytest.mark.django_db(transaction=True)
def test_bytes_are_not_returned_inside_a_transaction_that_may_still_fail() -> None:
    with transaction.atomic():
        added = record(Verb.CALL_INTENDED, AGENT, actor=AGENT, payload=CANARY)
        with pytest.raises(RuntimeError, match="durable"):
            read_payload(added.entry_id, actor=ALICE, reason="x")


def test_a_key_whose_row_is_lost_is_replaced_by_the_next_record(
    entry_id: str, tamperer: Tamperer, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        record(Verb.CALL_INTENDED, AGENT, actor=AGENT, agent_id="agt_one", payload=CANARY)
    tamperer.execute("DELETE FROM ledger_datakey")  # as after a restore
    added = record(Verb.CALL_INTENDED, AGENT, actor=AGENT, agent_id="agt_one", payload=CANARY)
    assert read_payload(added.entry_id, actor=ALICE, reason="x") == CANARY


def test_a_process_that_may_not_open_cannot(entry_id: str, settings: Any) -> None:
    settings.OPENS = frozenset({"vendor"})
    with pytest.raises(PayloadsClosed):
        read_payload(entry_id, actor=ALICE, reason="x")
    assert not Entry.objects.filter(kind="access").exists()


def test_a_process_without_the_private_ring_writes_and_cannot_read(
    db: None, settings: Any, tmp_path: Path
) -> None:
    ensure_key_rings(tmp_path)
    (tmp_path / "payload.key.json").unlink()
    settings.KEYS_DIR = tmp_path
    added = record(Verb.CALL_INTENDED, AGENT, actor=AGENT, payload=CANARY)
    with pytest.raises(RingUnreadable):
        read_payload(added.entry_id, actor=ALICE, reason="x")
    assert not Entry.objects.filter(kind="access").exists()


def test_a_ring_key_that_is_gone_is_said(db: None, settings: Any, tmp_path: Path) -> None:
    ensure_key_rings(tmp_path)
    settings.KEYS_DIR = tmp_path
    added = record(Verb.CALL_INTENDED, AGENT, actor=AGENT, payload=CANARY)
    add_ring_key(tmp_path, "payload")
    drop_ring_keys(tmp_path, "payload", {"k1"})
    with pytest.raises(CannotOpen):
        read_payload(added.entry_id, actor=ALICE, reason="x")


def test_what_is_not_there_is_said(entry_id: str, tamperer: Tamperer) -> None:
    with pytest.raises(EntryNotFound):
        read_payload("ent_none", actor=ALICE, reason="x")
    bare = record(Verb.AGENT_CHANGED, AGENT, actor=ALICE)
    with pytest.raises(PayloadAbsent, match="has no payload"):
        read_payload(bare.entry_id, actor=ALICE, reason="x")
    tamperer.execute("DELETE FROM ledger_payload")
    with pytest.raises(PayloadAbsent, match="no longer kept"):
        read_payload(entry_id, actor=ALICE, reason="x")
    with pytest.raises(ReasonMissing):
        read_payload(entry_id, actor=ALICE, reason="  ")


def test_a_shredded_payload_is_gone_for_good(entry_id: str, tamperer: Tamperer) -> None:
    tamperer.execute(
        "UPDATE ledger_datakey SET state = 'shredded', wrapped_key = NULL, shredded_at = now()"
    )
    with pytest.raises(PayloadShredded):
        read_payload(entry_id, actor=ALICE, reason="x")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ledger_payload SET ciphertext = ciphertext || 'x' WHERE entry_id = %(id)s",
        "UPDATE ledger_payload SET nonce = 'short' WHERE entry_id = %(id)s",
        "UPDATE ledger_payload SET dek_id = 'dek_x' WHERE entry_id = %(id)s",
        "DELETE FROM ledger_datakey",
        "UPDATE ledger_entry SET header = 'x' WHERE entry_id = %(id)s",
    ],
)
def test_what_was_altered_is_not_shown(entry_id: str, tamperer: Tamperer, change: str) -> None:
    tamperer.execute(change, {"id": entry_id})
    with pytest.raises(EvidenceAltered) as refused:
        read_payload(entry_id, actor=ALICE, reason="x")
    assert CANARY.decode() not in repr(refused.value) + refused.value.detail
    assert not Entry.objects.filter(kind="access").exists()


def test_payloads_swapped_between_entries_open_nowhere(entry_id: str, tamperer: Tamperer) -> None:
    other = record(Verb.CALL_INTENDED, AGENT, actor=AGENT, agent_id="agt_one", payload=b"other")
    tamperer.execute(
        "UPDATE ledger_payload p SET nonce = q.nonce, ciphertext = q.ciphertext"
        " FROM ledger_payload q WHERE p.entry_id <> q.entry_id"
    )
    for swapped in (entry_id, other.entry_id):
        with pytest.raises(EvidenceAltered):
            read_payload(swapped, actor=ALICE, reason="x")


def test_no_plaintext_reaches_the_tables(entry_id: str) -> None:
    tables = ("ledger_entry", "ledger_payload", "ledger_datakey", "ledger_chainhead")
    dump = ""
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"SELECT coalesce(string_agg(t::text, ''), '') FROM {table} t")
            dump += str((cursor.fetchone() or ("",))[0])
    for form in (CANARY.decode(), CANARY.hex(), CANARY[:9].decode(), CANARY[::-1].hex()):
        assert form not in dump


# --- the pure part


def digest_of(stored: entries.EncryptedPayload) -> PayloadDigest:
    header = json.loads(json.dumps(stored.header))
    return PayloadDigest(
        header["dek"], header["ciphertext_sha256"], header["commitment"], header["size"]
    )


def test_equal_payloads_have_unequal_commitments() -> None:
    one, two = (encrypt_payload(b"yes", KEY, "ent_1") for _ in range(2))
    assert one.commitment != two.commitment
    assert one.ciphertext != two.ciphertext


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dek_id": "dek_2"}, "another data key"),
        ({"ciphertext_sha256": "0" * 64}, "not the one its entry committed to"),
        ({"commitment": "0" * 64}, "the plaintext is not the one"),
        ({"size": 4}, "the plaintext is not the one"),
    ],
)
def test_a_payload_is_held_to_what_the_header_says(change: dict[str, Any], said: str) -> None:
    stored = encrypt_payload(b"hello", KEY, "ent_1")
    digest = digest_of(stored)
    assert open_payload(digest, stored.nonce, stored.ciphertext, KEY, "ent_1") == b"hello"
    whole = {name: getattr(digest, name) for name in PayloadDigest.__slots__} | change
    with pytest.raises(PayloadAltered, match=said):
        open_payload(PayloadDigest(**whole), stored.nonce, stored.ciphertext, KEY, "ent_1")


def test_a_payload_opens_only_for_its_own_entry() -> None:
    stored = encrypt_payload(b"hello", KEY, "ent_1")
    for nonce, entry in ((stored.nonce, "ent_2"), (b"short", "ent_1")):
        with pytest.raises(PayloadAltered, match="does not open"):
            decrypt_payload(nonce, stored.ciphertext, KEY, entry)


@pytest.mark.parametrize(
    ("packed", "said"),
    [(b"not zstd", "does not open|does not unpack"), (b"", "does not")],
)
def test_what_does_not_unpack_is_said(packed: bytes, said: str) -> None:
    ciphertext = AESGCM(KEY.key).encrypt(bytes(12), bytes(32) + packed, b"ent_1")
    with pytest.raises(PayloadAltered, match=said):
        decrypt_payload(bytes(12), ciphertext, KEY, "ent_1")


def test_what_is_too_large_is_refused_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "MAX_PAYLOAD_BYTES", 1000)
    with pytest.raises(EntryTooLarge):
        encrypt_payload(bytes(1001), KEY, "ent_1")
    packed = zstandard.ZstdCompressor().compress(bytes(1001))
    ciphertext = AESGCM(KEY.key).encrypt(bytes(12), bytes(32) + packed, b"ent_1")
    with pytest.raises(PayloadAltered, match="more than an entry can hold"):
        decrypt_payload(bytes(12), ciphertext, KEY, "ent_1")


# --- reading entries


def test_entries_are_read_from_their_headers(entry_id: str) -> None:
    seen = queries.entry_for(entry_id)
    assert (seen.entry_id, seen.stream, seen.kind, seen.verb, seen.seq) == (
        entry_id, "run_a", "intent", "call.intended", 1,
    )  # fmt: skip
    assert seen.payload is not None
    assert seen.payload.size == len(CANARY)
    assert (seen.prev_hash, len(seen.leaf_hash)) == ("0" * 64, 64)
    with pytest.raises(EntryNotFound):
        queries.entry_for("ent_none")


def test_a_row_that_is_no_entry_is_not_shown(entry_id: str, tamperer: Tamperer) -> None:
    tamperer.execute("UPDATE ledger_entry SET header = 'x'")
    with pytest.raises(EvidenceAltered):
        queries.entry_for(entry_id)


def test_entries_are_found_by_stream_agent_and_subject(entry_id: str) -> None:
    later = record(Verb.AGENT_CHANGED, AGENT, actor=ALICE, agent_id="agt_one")
    record(Verb.AGENT_CHANGED, Ref("agent", "agt_two"), actor=ALICE, agent_id="agt_two")
    found = [row.entry_id for row in queries.entries_of_stream("run_a")]
    assert found == [entry_id]
    assert [row.entry_id for row in queries.entries_of_agent("agt_one")] == [
        entry_id, later.entry_id,
    ]  # fmt: skip
    assert [row.entry_id for row in queries.entries_of_subject(AGENT)] == [later.entry_id]
    soon = clock.now() + timedelta(minutes=1)
    assert [row.entry_id for row in queries.open_intents(before=soon)] == [entry_id]
    assert not queries.open_intents(before=datetime(2020, 1, 1, tzinfo=UTC)).exists()


def test_rows_name_themselves(entry_id: str) -> None:
    assert str(Entry.objects.get()) == f"{entry_id} call.intended"
    assert str(Payload.objects.get()) == f"payload of {entry_id}"
    assert str(DataKey.objects.get()).startswith("dek_")
    assert str(ChainHead.objects.get()) == "run_a/app at 1"
    assert str(Writer(writer="gw_1")) == "gw_1"
    assert str(RetiredRingKey(ring="vendor", ring_key_id="k1")) == "vendor k1"
