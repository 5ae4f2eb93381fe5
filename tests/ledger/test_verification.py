"""A superuser with the guards off changes one thing; the check names the first bad entry."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection, transaction
from psycopg import sql

from kernel.canonical import canonical
from kernel.refs import Ref
from ledger.checking import FINDINGS_KEPT, Verdict
from ledger.entries import Fields, leaf_hash, link
from ledger.errors import LedgerUnreadable
from ledger.models import Entry
from ledger.record import append, record
from ledger.verbs import Verb
from ledger.verification import verify_all, verify_stream
from tests.ledger.conftest import Tamperer

ALICE = Ref("person", "per_alice")
pytestmark = pytest.mark.django_db


def call(run: str, agent: str = "agt_one", *, answer: bool = True) -> None:
    """Record one call as the gateway does: an intent, then its result."""
    ref = Ref("agent", agent)
    with transaction.atomic():
        intent = record(
            Verb.CALL_INTENDED, ref, actor=ref, kind="intent", agent_id=agent, stream=run,
            payload=b"a question", facts={"route": "sandbox", "note": "ü"},
        )  # fmt: skip
    if answer:
        with transaction.atomic():
            fields = Fields(
                kind="result", verb="call.completed", actor=ref, subject=ref, agent_id=agent,
                recorded_at=intent.fields.recorded_at, intent_id=intent.entry_id,
            )  # fmt: skip
            append(fields, stream=run)


@pytest.fixture
def log(db: None) -> list[Entry]:
    """Three runs of three answered calls each, and some changes: every chain longer than one."""
    for run in ("run_a", "run_b", "run_c"):
        for _ in range(3):
            call(run)
    with transaction.atomic():
        for _ in range(3):
            record(Verb.AGENT_CHANGED, Ref("agent", "agt_one"), actor=ALICE, agent_id="agt_one")
    return list(Entry.objects.order_by("stream", "writer", "seq"))


def at(log: list[Entry], stream: str, seq: int) -> Entry:
    return next(row for row in log if (row.stream, row.seq) == (stream, seq))


def rehash(tamperer: Tamperer, row: Entry, change: dict[str, object]) -> None:
    """Rewrite an entry's header and make its leaf hash fit again."""
    header = canonical(json.loads(bytes(row.header)) | change)
    tamperer.execute(
        "UPDATE ledger_entry SET header = %s, leaf_hash = %s WHERE entry_id = %s",
        [header, leaf_hash(header), row.entry_id],
    )


def expect(verdict: Verdict, stream: str, seq: int, entry_id: str, wrong: str) -> None:
    assert verdict.first is not None
    found = verdict.first
    assert (found.stream, found.seq, found.entry_id) == (stream, seq, entry_id), found
    assert wrong in found.wrong, found


# --- clean logs


def test_a_clean_log_raises_no_alarm(log: list[Entry]) -> None:
    said: list[int] = []
    assert verify_all(said.append) == Verdict(
        entries=21, chains=4, payloads=9, absent=0, open_intents=0, bad=0, findings=()
    )
    assert said == [21]


def test_an_empty_ledger_holds() -> None:
    assert verify_all().is_valid


def test_open_intents_are_counted_and_are_no_fault(log: list[Entry]) -> None:
    call("run_d", answer=False)
    verdict = verify_all()
    assert (verdict.open_intents, verdict.is_valid) == (1, True)


def test_batches_do_not_show(log: list[Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = verify_all()
    for size in (1, 2, 7, 21):
        monkeypatch.setattr("ledger.verification.BATCH", size)
        assert verify_all() == whole


def test_a_rollback_leaves_no_gap(log: list[Entry]) -> None:
    with transaction.atomic():
        record(Verb.AGENT_CHANGED, Ref("agent", "agt_one"), actor=ALICE, agent_id="agt_one")
        transaction.set_rollback(True)
    with transaction.atomic():
        record(Verb.AGENT_CHANGED, Ref("agent", "agt_one"), actor=ALICE, agent_id="agt_one")
    assert verify_all().is_valid


@pytest.mark.django_db(transaction=True)
def test_two_connections_that_race_for_one_chain_both_get_a_place() -> None:
    ready = threading.Barrier(2)

    def write() -> None:
        ready.wait()
        for _ in range(20):
            with transaction.atomic():
                record(Verb.AGENT_CHANGED, Ref("agent", "agt_r"), actor=ALICE)
        connection.close()

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seqs = list(Entry.objects.order_by("seq").values_list("seq", flat=True))
    assert seqs == list(range(1, 41))
    assert verify_all().is_valid


def test_a_result_by_another_writer_answers_the_intent(log: list[Entry]) -> None:
    """A crashed writer's intent is closed by its successor, whose chain may sort before."""
    call("run_x", answer=False)
    intent = Entry.objects.get(stream="run_x")
    write_chain("run_x", "a-later-writer", [result_of(intent)])
    verdict = verify_all()
    assert (verdict.is_valid, verdict.open_intents) == (True, 0)


def test_a_shredded_key_leaves_the_proof_intact(log: list[Entry], tamperer: Tamperer) -> None:
    tamperer.execute(
        "UPDATE ledger_datakey SET state = 'shredded', wrapped_key = NULL, shredded_at = now()"
    )
    assert verify_all().is_valid


def test_payloads_past_their_retention_are_absent_and_no_fault(
    log: list[Entry], tamperer: Tamperer
) -> None:
    tamperer.execute("DELETE FROM ledger_payload")
    tamperer.execute(
        "UPDATE ledger_datakey SET state = 'shredded', wrapped_key = NULL, shredded_at = now()"
    )
    verdict = verify_all()
    assert (verdict.is_valid, verdict.payloads, verdict.absent) == (True, 0, 9)


def test_a_payload_that_is_gone_while_its_key_lives_was_deleted(
    log: list[Entry], tamperer: Tamperer
) -> None:
    row = at(log, "run_b", 3)
    tamperer.execute("DELETE FROM ledger_payload WHERE entry_id = %s", [row.entry_id])
    expect(verify_all(), "run_b", 3, row.entry_id, "its data key was never destroyed")


def test_the_check_runs_inside_a_transaction_too(log: list[Entry]) -> None:
    with transaction.atomic():
        assert verify_all().is_valid


def result_of(intent: Entry, **change: Any) -> Fields:
    ref = Ref("agent", "agt_one")
    fields: dict[str, Any] = {
        "kind": "result", "verb": "call.completed", "actor": ref, "subject": ref,
        "recorded_at": intent.recorded_at, "intent_id": intent.entry_id, "agent_id": "agt_one",
    }  # fmt: skip
    return Fields(**(fields | change))


def write_chain(stream: str, writer: str, chain: list[Fields]) -> list[str]:
    """Extend a chain of a writer that keeps no head row, as the gateway's do."""
    made, previous = [], bytes(32)
    for seq, fields in enumerate(chain, 1):
        added = link(fields, stream=stream, writer=writer, seq=seq, prev_hash=previous)
        previous = added.leaf_hash
        made.append(added.entry_id)
        Entry.objects.create(
            entry_id=added.entry_id, stream=stream, writer=writer, seq=seq,
            prev_hash=added.prev_hash, header=added.header, leaf_hash=added.leaf_hash,
            kind=fields.kind, verb=fields.verb, actor=str(fields.actor),
            subject=str(fields.subject), agent_id=fields.agent_id, intent_id=fields.intent_id,
            recorded_at=fields.recorded_at,
        )  # fmt: skip
    return made


# --- one change, one finding


def test_an_edited_header_is_found(log: list[Entry], tamperer: Tamperer) -> None:
    row = at(log, "run_b", 3)
    changed = canonical(json.loads(bytes(row.header)) | {"facts": {"route": "other"}})
    tamperer.execute(
        "UPDATE ledger_entry SET header = %s WHERE entry_id = %s", [changed, row.entry_id]
    )
    expect(verify_all(), "run_b", 3, row.entry_id, "its leaf hash is not the hash of its header")


def test_an_edited_header_with_its_leaf_recomputed_breaks_the_next_link(
    log: list[Entry], tamperer: Tamperer
) -> None:
    rehash(tamperer, at(log, "run_b", 3), {"facts": {"route": "other"}})
    verdict = verify_all()
    expect(verdict, "run_b", 4, at(log, "run_b", 4).entry_id, "its prev is not the leaf hash")
    assert verdict.bad == 1


def test_the_last_entry_rewritten_disagrees_with_the_head(
    log: list[Entry], tamperer: Tamperer
) -> None:
    row = at(log, "run_b", 6)
    rehash(tamperer, row, {"facts": {"cost": 0}})
    expect(verify_all(), "run_b", 6, row.entry_id, "the head of its chain does not agree")


COLUMNS: list[tuple[str, object]] = [
    ("entry_id", "ent_forged"), ("writer", "another"), ("seq", 77), ("prev_hash", bytes(32)),
    ("kind", "effect"), ("verb", "call.denied"), ("actor", "person:per_mallory"),
    ("subject", "agent:agt_two"), ("agent_id", "agt_two"), ("recorded_at", "2020-01-01T00:00:00Z"),
    ("stream", "run_zz"),
]  # fmt: skip


@pytest.mark.parametrize(("column", "value"), COLUMNS)
def test_an_edited_column_is_found(
    log: list[Entry], tamperer: Tamperer, column: str, value: object
) -> None:
    row = at(log, "run_b", 3)
    statement = sql.SQL("UPDATE ledger_entry SET {} = %s WHERE entry_id = %s")
    tamperer.execute(statement.format(sql.Identifier(column)), [value, row.entry_id])
    verdict = verify_all()
    said = {str(found) for found in verdict.findings}
    assert any(f"its column {column} is not what its header says" in text for text in said), said
    first = verdict.first
    assert first is not None
    moved = {"seq": 4, "stream": 4, "writer": 3}  # where the scan first meets the change
    expected = moved.get(column, 3)
    assert (first.stream, first.seq) == ("run_b", expected), first


def test_a_result_pointed_at_another_intent_is_found(log: list[Entry], tamperer: Tamperer) -> None:
    row = at(log, "run_b", 2)
    tamperer.execute(
        "UPDATE ledger_entry SET intent_id = 'ent_x' WHERE entry_id = %s", [row.entry_id]
    )
    expect(verify_all(), "run_b", 2, row.entry_id, "its column intent_id")


def test_a_swapped_leaf_hash_is_found(log: list[Entry], tamperer: Tamperer) -> None:
    row = at(log, "run_b", 3)
    tamperer.execute(
        "UPDATE ledger_entry SET leaf_hash = %s WHERE entry_id = %s", [bytes(32), row.entry_id]
    )
    expect(verify_all(), "run_b", 3, row.entry_id, "its leaf hash is not the hash of its header")


@pytest.mark.parametrize(
    ("seq", "wrong"), [(1, "begins with seq 2"), (3, "goes on after seq 2 with seq 4")]
)
def test_a_deleted_entry_is_missed_by_the_one_after(
    log: list[Entry], tamperer: Tamperer, seq: int, wrong: str
) -> None:
    gone, after = at(log, "run_b", seq), at(log, "run_b", seq + 1)
    tamperer.execute("DELETE FROM ledger_payload WHERE entry_id = %s", [gone.entry_id])
    tamperer.execute("DELETE FROM ledger_entry WHERE entry_id = %s", [gone.entry_id])
    expect(verify_all(), "run_b", seq + 1, after.entry_id, wrong)


def test_a_deleted_tail_is_missed_by_the_head(log: list[Entry], tamperer: Tamperer) -> None:
    tamperer.execute("DELETE FROM ledger_entry WHERE stream = 'run_b' AND seq >= 5")
    tamperer.execute(
        "DELETE FROM ledger_payload p WHERE NOT EXISTS"
        " (SELECT FROM ledger_entry e WHERE e.entry_id = p.entry_id)"
    )
    expect(verify_all(), "run_b", 5, "", "its chain ended at seq 6 and now ends at 4")


def test_a_deleted_chain_is_missed_by_the_head(log: list[Entry], tamperer: Tamperer) -> None:
    tamperer.execute("DELETE FROM ledger_entry WHERE stream = 'agent:agt_one'")
    expect(verify_all(), "agent:agt_one", 1, "", "now ends at 0: entries are missing")


def test_a_deleted_head_is_missed(log: list[Entry], tamperer: Tamperer) -> None:
    tamperer.execute("DELETE FROM ledger_chainhead WHERE stream = 'run_b'")
    expect(verify_all(), "run_b", 1, at(log, "run_b", 1).entry_id, "its chain has no head")


def test_a_head_set_back_is_found(log: list[Entry], tamperer: Tamperer) -> None:
    tamperer.execute("UPDATE ledger_chainhead SET seq = 0 WHERE stream = 'run_b'")
    expect(verify_all(), "run_b", 6, at(log, "run_b", 6).entry_id, "does not agree")


def test_two_entries_in_each_others_place_are_found(log: list[Entry], tamperer: Tamperer) -> None:
    one, two = at(log, "run_b", 3), at(log, "run_b", 4)
    for row, seq in ((one, 99), (two, 3), (one, 4)):
        tamperer.execute(
            "UPDATE ledger_entry SET seq = %s WHERE entry_id = %s", [seq, row.entry_id]
        )
    expect(verify_all(), "run_b", 3, two.entry_id, "its column seq is not what its header says")


def test_an_entry_moved_into_another_stream_is_found(log: list[Entry], tamperer: Tamperer) -> None:
    row = at(log, "run_c", 6)
    tamperer.execute(
        "UPDATE ledger_entry SET stream = 'run_a', seq = 7 WHERE entry_id = %s", [row.entry_id]
    )
    expect(verify_all(), "run_a", 7, row.entry_id, "its column stream is not what its header says")


def test_an_inserted_entry_breaks_the_chain(log: list[Entry], tamperer: Tamperer) -> None:
    """Forged at the end with a true link, it is still not what the head says."""
    last = at(log, "run_b", 6)
    forged = link(
        result_of(last, kind="change", intent_id=None), stream="run_b", writer="app", seq=7,
        prev_hash=bytes(last.leaf_hash),
    )  # fmt: skip
    tamperer.execute(
        "INSERT INTO ledger_entry (entry_id, stream, writer, seq, prev_hash, header, leaf_hash,"
        " kind, verb, actor, subject, agent_id, recorded_at) SELECT %s, stream, writer, 7,"
        " leaf_hash, %s, %s, 'change', 'call.completed', actor, subject, agent_id, recorded_at"
        " FROM ledger_entry WHERE entry_id = %s",
        [forged.entry_id, forged.header, forged.leaf_hash, last.entry_id],
    )
    expect(verify_all(), "run_b", 7, forged.entry_id, "the head of its chain does not agree")


@pytest.mark.parametrize(
    ("header", "wrong"),
    [
        (b"not json", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[]", "not an object"),
        (lambda raw: raw + b" ", "not in canonical form"),
        (lambda raw: raw.replace(b'"v":1', b'"v":2'), "has version 2"),
        (lambda raw: raw.replace(b'"v":1', b'"v":1,"w":1'), "unknown field 'w'"),
        (lambda raw: raw.replace(b'"v":1', b'"v":true'), "v has the wrong type"),
        (lambda raw: raw.replace(b'"facts":{', b'"facts":{"a":1.5,'), "a fact is not"),
    ],
)
def test_what_is_no_header_is_found(
    log: list[Entry], tamperer: Tamperer, header: bytes | Callable[[bytes], bytes], wrong: str
) -> None:
    row = at(log, "run_b", 3)
    changed = header if isinstance(header, bytes) else header(bytes(row.header))
    tamperer.execute(
        "UPDATE ledger_entry SET header = %s, leaf_hash = %s WHERE entry_id = %s",
        [changed, leaf_hash(changed), row.entry_id],
    )
    expect(verify_all(), "run_b", 3, row.entry_id, wrong)


def test_swapped_payloads_are_found(log: list[Entry], tamperer: Tamperer) -> None:
    one, two = at(log, "run_a", 1), at(log, "run_b", 1)
    tamperer.execute(
        "UPDATE ledger_payload p SET nonce = q.nonce, ciphertext = q.ciphertext"
        " FROM ledger_payload q WHERE p.entry_id = ANY(%(ids)s) AND q.entry_id = ANY(%(ids)s)"
        " AND p.entry_id <> q.entry_id",
        {"ids": [one.entry_id, two.entry_id]},
    )
    verdict = verify_all()
    expect(verdict, "run_a", 1, one.entry_id, "its payload's ciphertext has another digest")
    assert verdict.bad == 2


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ("ciphertext = ciphertext || 'x'", "ciphertext has another digest"),
        ("nonce = decode(repeat('00', 12), 'hex')", "ciphertext has another digest"),
        ("dek_id = 'dek_forged'", "names another data key"),
        ("recorded_at = recorded_at + interval '1 s'", "carries another time"),
    ],
)
def test_a_changed_payload_is_found(
    log: list[Entry], tamperer: Tamperer, change: str, wrong: str
) -> None:
    row = at(log, "run_b", 3)
    tamperer.execute(f"UPDATE ledger_payload SET {change} WHERE entry_id = %s", [row.entry_id])
    expect(verify_all(), "run_b", 3, row.entry_id, wrong)


def test_a_second_payload_beside_the_true_one_is_found(
    log: list[Entry], tamperer: Tamperer
) -> None:
    row = at(log, "run_b", 3)
    tamperer.execute(
        "INSERT INTO ledger_payload SELECT entry_id, recorded_at + interval '1 year', dek_id,"
        " nonce, 'forged' FROM ledger_payload WHERE entry_id = %s",
        [row.entry_id],
    )
    expect(verify_all(), "run_b", 3, row.entry_id, "carries another time")


def test_a_payload_given_to_an_entry_without_one_is_found(
    log: list[Entry], tamperer: Tamperer
) -> None:
    row = at(log, "run_b", 2)
    tamperer.execute(
        "INSERT INTO ledger_payload SELECT %s, recorded_at, dek_id, nonce, ciphertext"
        " FROM ledger_payload LIMIT 1",
        [row.entry_id],
    )
    expect(verify_all(), "run_b", 2, row.entry_id, "a payload lies beside it, and it names none")


def test_a_payload_without_an_entry_is_found(log: list[Entry], tamperer: Tamperer) -> None:
    tamperer.execute(
        "INSERT INTO ledger_payload SELECT 'ent_none', recorded_at, dek_id, nonce, ciphertext"
        " FROM ledger_payload LIMIT 1"
    )
    expect(verify_all(), "", 0, "ent_none", "a payload is left of an entry that is not there")


def test_a_deleted_data_key_is_found(log: list[Entry], tamperer: Tamperer) -> None:
    tamperer.execute("DELETE FROM ledger_datakey")
    expect(verify_all(), "run_a", 1, at(log, "run_a", 1).entry_id, "data key has no row")


def test_a_result_without_an_intent_is_found(log: list[Entry]) -> None:
    stranger = at(log, "run_a", 1)
    (entry_id, _) = write_chain(
        "run_n",
        "gw",
        [result_of(stranger, intent_id="ent_none"), result_of(stranger, intent_id="ent_two")],
    )
    expect(verify_all(), "run_n", 1, entry_id, "it answers no open intent of its stream")


def test_a_second_answer_to_one_intent_is_found(log: list[Entry], tamperer: Tamperer) -> None:
    tamperer.execute("DROP INDEX ledger_entry_one_result_per_intent")
    intent = at(log, "run_b", 1)
    made = write_chain("run_b", "zz", [result_of(intent), result_of(intent)])
    verdict = verify_all()
    expect(verdict, "run_b", 1, made[0], "it answers no open intent of its stream")
    assert (verdict.bad, len(verdict.findings)) == (2, 2)


def test_the_first_of_several_changes_is_named_first(log: list[Entry], tamperer: Tamperer) -> None:
    """Also when it shows only at the end of its stream."""
    rehash(tamperer, at(log, "run_c", 2), {"facts": {"x": 1}})
    stranger = at(log, "run_a", 1)
    (entry_id,) = write_chain("run_a", "aa", [result_of(stranger, intent_id="ent_none")])
    rehash(tamperer, at(log, "run_a", 4), {"facts": {"x": 1}})
    verdict = verify_all()
    expect(verdict, "run_a", 1, entry_id, "it answers no open intent")
    assert [(found.stream, found.seq) for found in verdict.findings] == [
        ("run_a", 1), ("run_a", 5), ("run_c", 3),
    ]  # fmt: skip


def test_only_so_many_findings_are_kept_and_the_first_is_among_them(tamperer: Tamperer) -> None:
    with transaction.atomic():
        for _ in range(FINDINGS_KEPT + 20):
            record(Verb.AGENT_CHANGED, Ref("agent", "agt_one"), actor=ALICE)
    tamperer.execute("UPDATE ledger_entry SET verb = 'x'")
    verdict = verify_all()
    assert verdict.bad == FINDINGS_KEPT + 20
    assert [found.seq for found in verdict.findings] == list(range(1, FINDINGS_KEPT + 1))


def test_one_stream_is_checked_alone(log: list[Entry], tamperer: Tamperer) -> None:
    assert verify_stream("run_b") == Verdict(
        entries=6, chains=1, payloads=3, absent=0, open_intents=0, bad=0, findings=()
    )
    tamperer.execute("DELETE FROM ledger_entry WHERE stream = 'run_b' AND seq = 6")
    tamperer.execute("DELETE FROM ledger_chainhead WHERE stream = 'run_c'")
    assert verify_stream("run_a").is_valid
    expect(verify_stream("run_b"), "run_b", 6, "", "its chain ended at seq 6")
    expect(verify_stream("run_c"), "run_c", 1, at(log, "run_c", 1).entry_id, "has no head")


# --- the command


def run(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    status = 0
    try:
        call_command("verify", *arguments)
    except SystemExit as ended:
        status = int(str(ended.code))
    return status, capsys.readouterr().out


def test_the_command_says_what_holds(log: list[Entry], capsys: pytest.CaptureFixture[str]) -> None:
    status, out = run(capsys=capsys)
    assert status == 0
    assert "21 entries in 4 chains, 9 payloads checked, 0 absent, 0 open intents" in out
    assert out.endswith("The ledger holds.\n")
    status, out = run("--json", capsys=capsys)
    assert status == 0
    assert json.loads(out)["verdict"] == "valid"


def test_the_command_names_the_first_bad_entry(
    log: list[Entry], tamperer: Tamperer, capsys: pytest.CaptureFixture[str]
) -> None:
    row = at(log, "run_b", 3)
    tamperer.execute("UPDATE ledger_entry SET verb = 'x' WHERE stream = 'run_b' AND seq >= 3")
    tamperer.execute("UPDATE ledger_entry SET verb = 'x' WHERE stream = 'run_c'")
    tamperer.execute(
        "UPDATE ledger_entry SET verb = 'x' WHERE stream = 'agent:agt_one' AND seq > 2"
    )
    tamperer.execute("UPDATE ledger_entry SET verb = 'x' WHERE stream = 'run_a' AND seq > 5")
    status, out = run(capsys=capsys)
    assert status == 1
    assert "INVALID: entry" in out
    assert "and 2 more" in out
    status, out = run("--json", capsys=capsys)
    assert status == 1
    document = json.loads(out)
    assert document["verdict"] == "invalid"
    assert row.entry_id in {found["entry_id"] for found in document["findings"]}


def test_a_ledger_that_cannot_be_read_is_incomplete(
    log: list[Entry], tamperer: Tamperer, capsys: pytest.CaptureFixture[str]
) -> None:
    tamperer.execute("ALTER TABLE ledger_datakey RENAME TO away")
    with pytest.raises(LedgerUnreadable):
        verify_all()
    status, out = run(capsys=capsys)
    assert (status, out) == (
        2, "INCOMPLETE: The ledger could not be read after 0 entries (ProgrammingError).\n",
    )  # fmt: skip
    status, out = run("--json", capsys=capsys)
    assert status == 2
    assert json.loads(out)["verdict"] == "incomplete"


def test_a_database_that_is_away_is_said_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise OperationalError

    monkeypatch.setattr("ledger.verification._batches", refuse)
    with pytest.raises(LedgerUnreadable, match="Start the service with `make run`"):
        verify_all()


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_a_long_check_says_how_far_it_is(log: list[Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.verification.BATCH", 10)
    shown = Terminal()
    call_command("verify", stdout=StringIO(), stderr=shown)
    assert shown.getvalue() == ("\r10 entries checked\r20 entries checked\r21 entries checked\r")
    logged = StringIO()
    call_command("verify", stdout=StringIO(), stderr=logged)
    assert logged.getvalue() == ""
    monkeypatch.setattr("ledger.management.commands.verify.SECONDS_BETWEEN_LINES", 0.0)
    call_command("verify", stdout=StringIO(), stderr=logged)
    assert logged.getvalue().splitlines() == [f"{n} entries checked" for n in (10, 20, 21)]


def test_a_file_that_is_not_there_is_incomplete(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out = run("--export", str(tmp_path / "none"), capsys=capsys)
    assert status == 2
    assert "cannot be read" in out
