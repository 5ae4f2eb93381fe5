from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction

from kernel.db import constraint_of
from kernel.refs import Ref
from ledger import queries, reading
from ledger.errors import PayloadShredded, ShredJournalUnusable, StreamTooLarge
from ledger.models import DataKey, Entry, Epoch, Shredding, Suspension
from ledger.payloads import read_payload
from ledger.retention import legal_holds, shredding
from ledger.retention.legal_holds import Covers
from ledger.retention.shredding import shred, shred_again
from ledger.verification import verify_all
from tests.ledger.conftest import Tamperer
from tests.ledger.retention.scenes import SECURITY, say

ERASURE = Ref("erasure", "ers_1")
OPERATOR = Ref("system", "operator")


def every_key() -> list[str]:
    return sorted(DataKey.objects.values_list("dek_id", flat=True))


def destroy(keys: list[str], why: str = "request") -> shredding.Shredded:
    return shred(keys, why=why, subject=ERASURE, actor=SECURITY)


def read(entry_id: str) -> bytes:
    return read_payload(entry_id, actor=SECURITY, reason="a look")


def read_whole(**over: int) -> list[reading.Said]:
    read = reading.read_stream("run_a", actor=SECURITY, reason="a look", **over)
    return [said for _, said in read]


def refusal(statement: str, *values: str) -> str:
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        _run(statement, *values)
    return constraint_of(caught.value)


def _run(statement: str, *values: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_what_is_shredded_is_gone_and_every_proof_holds(db: None, shreds: Path) -> None:
    said = say()
    assert read(said.entry_id) == b"canary"
    done = destroy(every_key())
    assert done.keys == 1
    with pytest.raises(PayloadShredded):
        read(said.entry_id)
    key = DataKey.objects.get()
    assert (key.state, key.wrapped_key, key.shredded_by) == ("shredded", None, done.entry_id)
    assert verify_all().is_valid
    tombstone = queries.entry_for(done.entry_id)
    (line,) = (shreds / "journal.jsonl").read_text().splitlines()
    told = json.loads(line)
    assert tombstone.facts == {
        "deks": [key.dek_id], "keys": 1, "why": "request", "line": 1,
        "shred": told["shred"], "line_sha256": Shredding.objects.get().line_sha256.hex(),
    }  # fmt: skip
    assert (told["deks"], told["entry"], told["n"]) == ([key.dek_id], done.entry_id, 1)


def test_more_than_fits_in_memory_is_not_read_at_once(db: None) -> None:
    say()
    say(b"further")
    with pytest.raises(StreamTooLarge, match="more than 12 bytes"):
        read_whole(most=12)
    assert not Entry.objects.filter(verb="payload.read").exists()
    assert len(read_whole(most=13)) == 2


def test_what_is_recorded_afterwards_gets_a_new_key(db: None) -> None:
    say()
    before = every_key()
    destroy(before)
    again = say(b"later")
    assert read(again.entry_id) == b"later"
    assert DataKey.objects.exclude(dek_id__in=before).get().state == "active"


def test_shredding_twice_destroys_once(db: None) -> None:
    say()
    keys = every_key()
    assert destroy(keys).keys == 1
    assert destroy(keys) == shredding.Shredded(0)
    assert Entry.objects.filter(verb="datakey.shredded").count() == 1


@pytest.mark.parametrize(
    ("covers", "is_held"),
    [
        (Covers("everything"), True),
        (Covers("agent", "agt_one"), True),
        (Covers("agent", "agt_two"), False),
        (Covers("run", "run_a"), True),
        (Covers("run", "run_b"), False),
        (Covers("data_subject", "sub_x"), False),
    ],
)
def test_what_a_hold_covers_stays(db: None, covers: Covers, is_held: bool) -> None:
    say()
    hold = legal_holds.place(covers, actor=SECURITY, reason="case 7")
    keys = every_key()
    assert legal_holds.holds_over(keys) == ({hold.public_id: keys} if is_held else {})
    assert destroy(keys).keys == (0 if is_held else 1)
    if is_held:
        legal_holds.end(hold, actor=SECURITY, reason="settled", review="rev_1")
        assert destroy(keys).keys == 1


def test_a_journal_that_is_gone_or_shorter_closes_payloads(db: None, shreds: Path) -> None:
    kept = say(b"kept", agent="agt_two")
    say()
    destroy(sorted(DataKey.objects.filter(scope="agt_one").values_list("dek_id", flat=True)))
    file = shreds / "journal.jsonl"
    whole = file.read_bytes()
    file.unlink()
    with pytest.raises(ShredJournalUnusable, match="it has 0 lines, and the database knows of 1"):
        read(kept.entry_id)
    with pytest.raises(ShredJournalUnusable):
        read_whole()
    with pytest.raises(ShredJournalUnusable):
        destroy(every_key())
    file.write_bytes(whole.replace(b'"why":"request"', b'"why":"age"'))
    with pytest.raises(ShredJournalUnusable, match="not written with the key"):
        read(kept.entry_id)
    file.write_bytes(whole)
    assert read(kept.entry_id) == b"kept"


def test_a_line_that_was_cut_off_is_written_anew(db: None, shreds: Path) -> None:
    say()
    shreds.mkdir()
    (shreds / "journal.jsonl").write_bytes(b'{"at":"20')
    assert destroy(every_key()).keys == 1
    assert len((shreds / "journal.jsonl").read_bytes().splitlines()) == 1


def test_what_a_backup_brings_back_is_destroyed_again(
    db: None, tamperer: Tamperer, shreds: Path
) -> None:
    said, other = say(), say(b"other", agent="agt_two")
    row = DataKey.objects.get(scope="agt_one")
    destroy([row.dek_id])
    _restore(tamperer, row)
    with pytest.raises(PayloadShredded):  # even before anybody has looked at the journal
        read(said.entry_id)
    assert [one.payload for one in read_whole()] == [None, b"other"]
    assert shred_again(actor=OPERATOR) == 1
    assert shred_again(actor=OPERATOR) == 0
    now = DataKey.objects.get(dek_id=row.dek_id)
    assert (now.state, now.wrapped_key) == ("shredded", None)
    tombstone = queries.entry_for(str(now.shredded_by))
    assert (tombstone.verb, tombstone.facts["why"]) == ("datakey.shredded", "journal")
    assert read(other.entry_id) == b"other"


def test_a_key_that_the_backup_never_had_can_never_come(db: None, tamperer: Tamperer) -> None:
    say()
    row = DataKey.objects.get()
    destroy([row.dek_id])
    _restore(tamperer, row, with_key=False)
    assert shred_again(actor=OPERATOR) == 1
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ledger_datakey (dek_id, scope, data_class, ring_key_id, wrapped_key,"
            " state, created_at) VALUES (%s, 's', 'c', 'k1', 'w', 'active', now())"
            " ON CONFLICT (dek_id) DO NOTHING",
            [row.dek_id],
        )
    assert DataKey.objects.get().state == "shredded"


def test_while_nothing_may_be_recorded_keys_are_destroyed_all_the_same(
    db: None, tamperer: Tamperer
) -> None:
    say()
    row = DataKey.objects.get()
    destroy([row.dek_id])
    _restore(tamperer, row)
    tamperer.execute("INSERT INTO ledger_epoch VALUES (1, 'o/1', '', 1, 1, now(), '')")
    tamperer.execute(
        "INSERT INTO ledger_suspension (epoch_id, found, suspended_at) VALUES (1, 'less', now())"
    )
    assert shred_again(actor=OPERATOR) == 1
    assert DataKey.objects.get().state == "shredded"
    assert Shredding.objects.get().entry is None
    assert Suspension.objects.exists()
    tamperer.execute("INSERT INTO ledger_epoch VALUES (2, 'o/2', '', 1, 1, now(), 'restored')")
    assert Epoch.objects.count() == 2
    assert shredding.link_tombstones(actor=OPERATOR) == 1
    assert DataKey.objects.get().shredded_by == Shredding.objects.get().entry


def _restore(tamperer: Tamperer, row: DataKey, *, with_key: bool = True) -> None:
    """Make the database what it was before the key was destroyed."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    tamperer.execute("DELETE FROM ledger_shredding")
    tamperer.execute("DELETE FROM ledger_entry WHERE verb = 'datakey.shredded'")
    tamperer.execute("DELETE FROM ledger_chainhead WHERE stream LIKE 'erasure:%%'", [])
    tamperer.execute("DELETE FROM ledger_datakey WHERE dek_id = %s", [row.dek_id])
    if with_key:
        row.save(force_insert=True)


def test_the_database_destroys_nothing_off_the_record(db: None, aged: Callable[..., None]) -> None:
    say()
    (dek,) = every_key()
    statement = "SELECT ledger_shred('shr_1', %s, %s, ARRAY[%s], 1, 'x')"
    assert refusal(statement, "ent_none", "request", dek) == "ledger_must_be_recorded"
    assert refusal(statement, "ent_none", "age", dek) == "ledger_not_shreddable"
    legal_holds.place(Covers("everything"), actor=SECURITY, reason="case 7")
    assert refusal(statement, "ent_none", "request", dek) == "ledger_not_shreddable"


def test_an_older_tombstone_stands_for_no_further_destruction(db: None, tamperer: Tamperer) -> None:
    say()
    older = destroy(every_key()).entry_id
    say(b"later")
    (dek,) = DataKey.objects.filter(state="active").values_list("dek_id", flat=True)
    statement = "SELECT ledger_shred('shr_2', %s, 'request', ARRAY[%s], 2, 'x')"
    _run("SELECT 1")  # what is deferred has been looked at, as at the commit
    tamperer.execute("UPDATE ledger_entry SET xid = '3' WHERE entry_id = %s", [older])
    assert refusal(statement, older, dek) == "ledger_must_be_recorded"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_datakey SET state = 'shredded', wrapped_key = NULL, shredded_at = now()",
        "INSERT INTO ledger_retentionage (data_class, days, set_by, set_at, effective_at, entry)"
        " VALUES ('', 30, 'x', now(), now() + interval '8 days', 'e')",
        "INSERT INTO ledger_retentionage (data_class, days, set_by, set_at, effective_at, entry)"
        " VALUES ('', 365, 'x', now(), now(), 'e')",
        "INSERT INTO ledger_retentionage (data_class, days, set_by, set_at, effective_at, entry)"
        " VALUES ('', 365, 'x', now() - interval '8 days', now() - interval '1 day', 'e')",
        "INSERT INTO ledger_retentionage (data_class, days, set_by, set_at, effective_at, entry)"
        " VALUES ('', 365, 'x', now(), now() + interval '8 days', 'ent_none')",
        "INSERT INTO ledger_retentionfloor (days, set_at) VALUES (1, now())",
        "UPDATE ledger_retentionage SET days = 1",
        "DELETE FROM ledger_retentionage",
        "DELETE FROM ledger_legalhold",
        "UPDATE ledger_legalhold SET reason = 'x'",
        "UPDATE ledger_legalhold SET ended_at = now(), ended_by = 'x'",
        "UPDATE ledger_legalhold SET scope = 'agent', subject = 'agt_x'",
        "INSERT INTO ledger_shredding VALUES ('s', 'request', 1, 9, 'x', 'e', now())",
        "DELETE FROM ledger_shredding",
        "DELETE FROM ledger_droppedmonth",
        "SELECT ledger_shred_again('s', ARRAY['dek_held'], 1, 'x')",
        "SELECT ledger_shred('s', 'e', 'request', ARRAY['dek_held'], 1, 'x')",
        "SELECT ledger_shred('s', 'e', 'journal', ARRAY['dek_held'], 1, 'x')",
        "SELECT ledger_drop_month(to_char(now(), 'YYYY-MM'), 'ent_x')",
        "SELECT ledger_drop_month('1999-01', 'ent_x')",
        "SELECT ledger_drop_month('entry; --', 'ent_x')",
        "SET session_replication_role = replica",
        "DROP TABLE ledger_payload_default",
    ],
)
def test_the_application_role_gets_round_no_hold_and_no_floor(
    held: psycopg.Connection[Any], statement: str
) -> None:
    with pytest.raises(psycopg.Error) as caught, held.transaction():
        held.execute(f"{statement}; SET CONSTRAINTS ALL IMMEDIATE")
    assert caught.value.sqlstate in {"23001", "42501", "22023", "23514"}


@pytest.fixture
def held(app: psycopg.Connection[Any]) -> Any:
    """Yield the application's session with one key, held, none of it to last."""
    with app.transaction(force_rollback=True):
        app.execute("SELECT ledger_keep_months_ahead()")
        app.execute(
            "INSERT INTO ledger_datakey (dek_id, scope, data_class, ring_key_id, wrapped_key,"
            " state, created_at) VALUES ('dek_held', 'org', 'internal', 'k1', 'w', 'active',"
            " now())"
        )
        app.execute(
            "INSERT INTO ledger_legalhold (public_id, scope, subject, subject_name, reason,"
            " placed_by, placed_at, entry, ended_by, ended_reason, ended_review)"
            " VALUES ('hld_1', 'everything', '', '', 'r', 'p', now(), 'e', '', '', '')"
        )
        yield app
