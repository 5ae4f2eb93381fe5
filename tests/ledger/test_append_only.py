from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction
from psycopg import errors

from kernel import clock
from kernel.db import constraint_of
from kernel.refs import Ref
from ledger.errors import LedgerSuspended
from ledger.grants import FUNCTIONS, apply_grants, apply_sequencer_grants, can_rewrite
from ledger.models import DataKey, Entry, Payload, RetiredRingKey
from ledger.partitions import ensure_partitions
from ledger.record import record
from ledger.verbs import Verb

ALICE = Ref("person", "per_alice")
AGENT = Ref("agent", "agt_one")


def run(statement: str, *parameters: Any) -> list[Any]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall()) if cursor.description else []


def refusal_of(statement: str, *parameters: Any) -> str:
    with pytest.raises(IntegrityError) as caught:
        run(statement, *parameters)
    return constraint_of(caught.value)


@pytest.fixture
def entry(db: None) -> Entry:
    added = record(
        Verb.CALL_INTENDED, AGENT, actor=ALICE, kind="intent", agent_id="agt_one", payload=b"a"
    )
    return Entry.objects.get(entry_id=added.entry_id)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_entry SET verb = 'x'",
        "UPDATE ledger_entry SET verb = 'x' WHERE false",
        "DELETE FROM ledger_entry",
        "TRUNCATE ledger_entry",
        "TRUNCATE ledger_entry CASCADE",
        "INSERT INTO ledger_entry SELECT * FROM ledger_entry"
        " ON CONFLICT (entry_id) DO UPDATE SET verb = 'x'",
        "MERGE INTO ledger_entry e USING ledger_entry f ON e.id = f.id WHEN MATCHED THEN DELETE",
        "UPDATE ledger_payload SET nonce = ''",
        "DELETE FROM ledger_payload",
        "TRUNCATE ledger_payload",
        "TRUNCATE ledger_payload_default",
        "UPDATE ledger_payload_default SET nonce = ''",
        "DELETE FROM ledger_payload_default",
        "DELETE FROM ledger_datakey",
        "TRUNCATE ledger_datakey",
        "DELETE FROM ledger_retiredringkey",
        "UPDATE ledger_retiredringkey SET ring = 'x'",
        "TRUNCATE ledger_retiredringkey",
        "UPDATE ledger_artifact SET body = ''",
        "DELETE FROM ledger_artifact",
        "TRUNCATE ledger_artifact",
    ],
)
def test_not_even_the_owner_rewrites_the_record(entry: Entry, statement: str) -> None:
    assert refusal_of(statement) == "ledger_append_only"


def test_the_refusal_says_what_was_refused(entry: Entry) -> None:
    with pytest.raises(IntegrityError, match="ledger_entry is append-only: DELETE is refused"):
        run("DELETE FROM ledger_entry")


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        (
            "INSERT INTO ledger_entry (entry_id, stream, writer, seq, prev_hash, header, leaf_hash,"
            " kind, verb, actor, subject, agent_id, recorded_at) SELECT 'ent_2', stream, writer,"
            " seq, prev_hash, header, leaf_hash, kind, verb, actor, subject, agent_id, recorded_at"
            " FROM ledger_entry",
            "ledger_entry_one_place_in_chain",
        ),
        (
            "INSERT INTO ledger_entry (entry_id, stream, writer, seq, prev_hash, header, leaf_hash,"
            " kind, verb, actor, subject, agent_id, recorded_at) SELECT entry_id, stream, writer,"
            " 9, prev_hash, header, leaf_hash, kind, verb, actor, subject, agent_id, recorded_at"
            " FROM ledger_entry",
            "ledger_entry_one_id",
        ),
        (
            "INSERT INTO ledger_entry (entry_id, stream, writer, seq, prev_hash, header, leaf_hash,"
            " kind, verb, actor, subject, agent_id, recorded_at) SELECT 'ent_2', stream, writer,"
            " 0, prev_hash, header, leaf_hash, kind, verb, actor, subject, agent_id, recorded_at"
            " FROM ledger_entry",
            "ledger_entry_seq_from_one",
        ),
        (
            "INSERT INTO ledger_entry (entry_id, stream, writer, seq, prev_hash, header, leaf_hash,"
            " kind, verb, actor, subject, agent_id, recorded_at) SELECT 'ent_2', stream, writer, 9,"
            " prev_hash, header, leaf_hash, 'result', verb, actor, subject, agent_id, recorded_at"
            " FROM ledger_entry",
            "ledger_entry_result_names_intent",
        ),
        (
            "INSERT INTO ledger_entry (entry_id, stream, writer, seq, prev_hash, header, leaf_hash,"
            " kind, verb, actor, subject, agent_id, recorded_at, intent_id) SELECT 'ent_' || n,"
            " stream, writer, n, prev_hash, header, leaf_hash, 'result', verb, actor, subject,"
            " agent_id, recorded_at, entry_id FROM ledger_entry, generate_series(8, 9) n",
            "ledger_entry_one_result_per_intent",
        ),
        ("UPDATE ledger_datakey SET state = 'shredded'", "ledger_datakey_shredded_iff_gone"),
        (
            "UPDATE ledger_datakey SET state = 'shredded', wrapped_key = NULL",
            "ledger_datakey_shredded_iff_gone",
        ),
        ("UPDATE ledger_datakey SET wrapped_key = NULL", "ledger_datakey_shredded_iff_gone"),
        ("UPDATE ledger_datakey SET scope = 'x'", "ledger_datakey_guard"),
        ("UPDATE ledger_datakey SET dek_id = 'dek_x'", "ledger_datakey_guard"),
        ("UPDATE ledger_datakey SET data_class = 'public'", "ledger_datakey_guard"),
        ("UPDATE ledger_datakey SET created_at = now()", "ledger_datakey_guard"),
        (
            "INSERT INTO ledger_payload SELECT 'ent_2', now(), 'dek_unknown', nonce, ciphertext"
            " FROM ledger_payload",
            "ledger_payload_key_active",
        ),
        (
            "INSERT INTO ledger_chainhead (stream, writer, seq, leaf_hash)"
            " SELECT stream, writer, seq, leaf_hash FROM ledger_chainhead",
            "ledger_chainhead_one_per_chain",
        ),
        (
            "INSERT INTO ledger_artifact VALUES ('sha256:00', 'policy_bundle', 'x', now())",
            "ledger_artifact_named_by_its_bytes",
        ),
    ],
)
def test_the_database_refuses_what_must_never_be(
    entry: Entry, statement: str, constraint: str
) -> None:
    assert refusal_of(statement) == constraint


def test_a_data_key_may_be_sealed_anew_and_shredded_once(entry: Entry) -> None:
    run("UPDATE ledger_datakey SET ring_key_id = 'k2', wrapped_key = 'x'")
    run("UPDATE ledger_datakey SET state = 'shredded', wrapped_key = NULL, shredded_at = now()")
    assert DataKey.objects.get().state == "shredded"
    for attempt in (
        "UPDATE ledger_datakey SET state = 'active', wrapped_key = 'x', shredded_at = NULL",
        "UPDATE ledger_datakey SET shredded_at = now()",
    ):
        assert refusal_of(attempt) == "ledger_datakey_guard"


def test_no_payload_is_taken_under_a_shredded_key(entry: Entry) -> None:
    run("UPDATE ledger_datakey SET state = 'shredded', wrapped_key = NULL, shredded_at = now()")
    statement = (
        "INSERT INTO ledger_payload SELECT 'ent_2', recorded_at, dek_id, nonce, ciphertext"
        " FROM ledger_payload"
    )
    assert refusal_of(statement) == "ledger_payload_key_active"


def test_a_key_and_its_first_payload_may_come_in_one_statement(db: None) -> None:
    run(
        "WITH key AS (INSERT INTO ledger_datakey (dek_id, scope, data_class, ring_key_id,"
        " wrapped_key, state, created_at) VALUES ('dek_1', 'org', 'internal', 'k1', 'w',"
        " 'active', now()) RETURNING 1)"
        " INSERT INTO ledger_payload VALUES ('ent_1', now(), 'dek_1', 'n', 'c')"
    )
    assert Payload.objects.count() == 1


def test_nothing_is_sealed_to_a_retired_ring_key(entry: Entry) -> None:
    RetiredRingKey.objects.create(ring="payload", ring_key_id="k0", retired_at=clock.now())
    assert refusal_of("UPDATE ledger_datakey SET ring_key_id = 'k0'") == "ledger_ring_key_retired"
    statement = (
        "INSERT INTO ledger_datakey (dek_id, scope, data_class, ring_key_id, wrapped_key, state,"
        " created_at) VALUES ('dek_1', 'org', 'internal', 'k0', 'w', 'active', now())"
    )
    assert refusal_of(statement) == "ledger_ring_key_retired"
    assert (
        refusal_of(
            "INSERT INTO ledger_retiredringkey (ring, ring_key_id, retired_at)"
            " VALUES ('payload', 'k0', now())"
        )
        == "ledger_retiredringkey_once"
    )


def test_months_ahead_get_partitions_and_the_default_takes_the_rest(db: None) -> None:
    assert ensure_partitions(3) == 4
    assert ensure_partitions(3) == 0
    assert ensure_partitions(4) == 1
    year = clock.now().year
    run(
        "INSERT INTO ledger_datakey (dek_id, scope, data_class, ring_key_id, wrapped_key, state,"
        " created_at) VALUES ('dek_1', 'org', 'internal', 'k1', 'w', 'active', now())"
    )
    for moment in (clock.now(), datetime(year - 3, 1, 1, tzinfo=UTC)):
        run("INSERT INTO ledger_payload VALUES ('ent_1', %s, 'dek_1', 'n', 'c')", moment)
    places = run("SELECT tableoid::regclass::text FROM ledger_payload ORDER BY 1")
    assert places == [(f"ledger_payload_{clock.now():%Y_%m}",), ("ledger_payload_default",)]
    new = f"ledger_payload_{clock.now():%Y_%m}"
    for statement in (f"TRUNCATE {new}", f"DELETE FROM {new}", f"UPDATE {new} SET nonce = ''"):
        assert refusal_of(statement) == "ledger_append_only"


def test_a_month_that_lies_in_the_default_partition_stays_there(entry: Entry) -> None:
    assert ensure_partitions(1) == 1
    assert Payload.objects.count() == 1


@pytest.mark.parametrize("months", [-1, 241])
def test_a_foolish_number_of_partitions_is_refused(db: None, months: int) -> None:
    with pytest.raises(Exception, match="months must be from 0 to 240"):
        ensure_partitions(months)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_entry SET verb = 'x'",
        "DELETE FROM ledger_entry",
        "TRUNCATE ledger_entry",
        "UPDATE ledger_payload SET nonce = ''",
        "DELETE FROM ledger_payload",
        "TRUNCATE ledger_payload",
        "INSERT INTO ledger_payload_default VALUES ('e', now(), 'd', 'n', 'c')",
        "DELETE FROM ledger_payload_default",
        "DELETE FROM ledger_datakey",
        "TRUNCATE ledger_datakey",
        "DELETE FROM ledger_chainhead",
        "DELETE FROM ledger_writer",
        "DELETE FROM ledger_retiredringkey",
        "DELETE FROM django_migrations",
        "ALTER TABLE ledger_entry DISABLE TRIGGER ALL",
        "DROP TABLE ledger_entry",
        "DROP TRIGGER ledger_entry_append_only ON ledger_entry",
        "ALTER TABLE ledger_payload DETACH PARTITION ledger_payload_default",
        "CREATE TABLE mine (id int)",
        "CREATE OR REPLACE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN RETURN NULL; END $$",
        "SET session_replication_role = replica",
        "SET ROLE unsprawl_owner",
        "SET ROLE unsprawl_super",
        "COPY ledger_entry TO '/nowhere/x'",
        "COPY ledger_entry FROM PROGRAM 'true'",
        "SELECT lo_import('/etc/passwd')",
        "ALTER ROLE unsprawl_web SUPERUSER",
        "SELECT ledger_ensure_partitions(1)",
    ],
)
def test_the_application_role_cannot(app: psycopg.Connection[Any], statement: str) -> None:
    with pytest.raises((errors.InsufficientPrivilege, errors.WrongObjectType)):
        app.execute(statement)


def test_the_application_role_can_do_its_work(app: psycopg.Connection[Any]) -> None:
    with app.transaction(force_rollback=True):
        app.execute(
            "INSERT INTO ledger_datakey (dek_id, scope, data_class, ring_key_id, wrapped_key,"
            " state, created_at) VALUES ('dek_1', 'org', 'internal', 'k1', 'w', 'active', now())"
        )
        app.execute("INSERT INTO ledger_payload VALUES ('ent_1', now(), 'dek_1', 'n', 'c')")
        app.execute(
            "INSERT INTO ledger_entry (entry_id, stream, writer, seq, prev_hash, header, leaf_hash,"
            " kind, verb, actor, subject, agent_id, recorded_at)"
            " VALUES ('e', 's', 'w', 1, '', '', '', 'change', 'v', 'a', 's', '', now())"
        )
        app.execute("UPDATE ledger_datakey SET wrapped_key = 'x'")
        app.execute(
            "INSERT INTO ledger_chainhead (stream, writer, seq, leaf_hash) VALUES ('s', 'w', 1, '')"
        )
        app.execute("UPDATE ledger_chainhead SET seq = 2")
        assert app.execute("SELECT count(*) FROM ledger_payload").fetchone() == (1,)


def test_a_grant_made_by_hand_does_not_last(db: None) -> None:
    run("GRANT ALL ON ledger_entry TO unsprawl_app")
    granted = apply_grants()
    assert granted.tables > 20
    assert not granted.reason
    rights = run(
        "SELECT privilege_type FROM information_schema.role_table_grants"
        " WHERE grantee = 'unsprawl_app' AND table_name = 'ledger_entry' ORDER BY 1"
    )
    assert rights == [("INSERT",), ("SELECT",)]


@pytest.mark.parametrize(
    ("apply", "role", "functions"),
    [
        (apply_grants, "unsprawl_app", set(FUNCTIONS)),
        (apply_sequencer_grants, "unsprawl_sequencer", set()),
    ],
)
def test_only_the_applications_role_keeps_the_functions_that_destroy(
    db: None, apply: Callable[[], object], role: str, functions: set[str]
) -> None:
    for function in FUNCTIONS:
        run(f"GRANT EXECUTE ON FUNCTION {function} TO {role}")  # as an older version did
    apply()
    allowed = {
        function
        for function in FUNCTIONS
        if run(f"SELECT has_function_privilege('{role}', '{function}', 'EXECUTE')") == [(True,)]
    }
    assert allowed == functions


@pytest.mark.xdist_group("roles")  # a role is the whole server's, not a database's
def test_a_role_that_may_not_be_made_is_said(db: None) -> None:
    granted = apply_grants("another_role")
    assert granted.tables == 0
    assert "may not make it" in granted.reason


@pytest.mark.xdist_group("roles")  # a role is the whole server's, not a database's
def test_a_missing_role_is_made_where_that_is_permitted(superuser_address: str, db: None) -> None:
    with psycopg.connect(superuser_address) as superuser:
        superuser.execute("ALTER ROLE unsprawl_owner CREATEROLE")
    try:
        assert apply_grants("another_role").tables > 20
    finally:
        with psycopg.connect(superuser_address) as superuser:
            superuser.execute("ALTER ROLE unsprawl_owner NOCREATEROLE")


def test_who_owns_the_tables_can_rewrite_them(db: None) -> None:
    assert can_rewrite()


@pytest.fixture
def tree(db: None) -> None:
    run(
        "INSERT INTO ledger_epoch (number, origin, public_key, system_identifier, first_entry,"
        " opened_at, reason) VALUES (1, 'o/1', '', 1, 1, now(), '')"
    )
    run("INSERT INTO ledger_leaf (epoch, index, entry, leaf_hash) VALUES (1, 0, 1, '')")
    run("INSERT INTO ledger_tile (epoch, level, index, hashes) VALUES (1, 0, 0, '')")
    run(
        "INSERT INTO ledger_checkpoint (epoch, size, root, xid, entry, sequenced_at)"
        " VALUES (1, 1, '', '1', 1, now())"
    )
    run(
        "INSERT INTO ledger_checkpointsignature (epoch, size, signer, is_witness, line, signed_at)"
        " VALUES (1, 1, 'k', false, '', now())"
    )
    run(
        "INSERT INTO ledger_sequencerreport (about, state, found, reported_at)"
        " VALUES ('sequencer', 'running', '', now())"
    )


@pytest.mark.parametrize(
    "table",
    ["epoch", "suspension", "leaf", "tile", "checkpoint", "checkpointsignature", "sequencerreport"],
)
def test_not_even_the_owner_rewrites_the_tree(tree: None, table: str) -> None:
    assert refusal_of(f"DELETE FROM ledger_{table}") == "ledger_append_only"
    assert refusal_of(f"TRUNCATE ledger_{table} CASCADE") == "ledger_append_only"
    column = {"epoch": "reason", "suspension": "found", "sequencerreport": "found"}
    changed = column.get(table, "epoch")
    assert refusal_of(f"UPDATE ledger_{table} SET {changed} = {changed}") == "ledger_append_only"


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("INSERT INTO ledger_leaf VALUES (2, 7, 1, '')", "ledger_leaf_one_place_per_entry"),
        ("INSERT INTO ledger_leaf VALUES (1, 0, 9, '')", "ledger_leaf_pkey"),
        ("INSERT INTO ledger_leaf VALUES (1, -1, 9, '')", "ledger_leaf_index_from_zero"),
        (
            "INSERT INTO ledger_checkpoint VALUES (1, 0, '', '1', 1, now())",
            "ledger_checkpoint_not_empty",
        ),
        (
            "INSERT INTO ledger_checkpoint VALUES (1, 1, 'another', '1', 1, now())",
            "ledger_checkpoint_pkey",
        ),
        (
            "INSERT INTO ledger_checkpointsignature (epoch, size, signer, is_witness, line,"
            " signed_at) VALUES (1, 1, 'k', true, 'another', now())",
            "ledger_signature_one_per_signer",
        ),
        (
            "INSERT INTO ledger_epoch VALUES (0, 'o/0', '', 1, 1, now(), '')",
            "ledger_epoch_from_one",
        ),
        (
            "INSERT INTO ledger_epoch VALUES (2, 'o/2', '', 1, 1, now(), '')",
            "ledger_epoch_says_why",
        ),
        (
            "INSERT INTO ledger_sequencerreport (about, state, found, reported_at)"
            " VALUES ('sequencer', 'halted', '', now())",
            "ledger_sequencerreport_says_what",
        ),
    ],
)
def test_a_tree_has_one_shape(tree: None, statement: str, constraint: str) -> None:
    assert refusal_of(statement) == constraint


def test_nothing_is_recorded_under_a_suspended_epoch(tree: None) -> None:
    run("INSERT INTO ledger_suspension (epoch_id, found, suspended_at) VALUES (1, 'less', now())")
    with pytest.raises(LedgerSuspended), transaction.atomic():
        record(Verb.CALL_INTENDED, AGENT, actor=ALICE, agent_id="agt_one")
    run("INSERT INTO ledger_epoch VALUES (2, 'o/2', '', 1, 1, now(), 'a backup was restored')")
    record(Verb.CALL_INTENDED, AGENT, actor=ALICE, agent_id="agt_one")


_HOLD = (
    "INSERT INTO ledger_legalhold (public_id, scope, subject, subject_name, starts_at, ends_at,"
    " reason, placed_by, placed_at, entry, ended_by, ended_reason, ended_review) VALUES"
)


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        (
            "INSERT INTO ledger_retentionfloor (days, set_at) VALUES (200, now()), (183, now())",
            "ledger_retention_floor",
        ),
        (
            "ALTER TABLE ledger_retentionfloor DISABLE TRIGGER ledger_floor_rises;"
            "INSERT INTO ledger_retentionfloor (days, set_at) VALUES (183, now())",
            "ledger_retentionfloor_at_least",
        ),
        (
            "INSERT INTO ledger_retentionage (data_class, days, set_by, set_at, effective_at,"
            " entry) VALUES ('', NULL, 'x', now(), now() - interval '1 day', 'e')",
            "ledger_retentionage_not_backdated",
        ),
        (
            f"{_HOLD} ('h', 'everything', '', '', NULL, NULL, '', 'p', now(), 'e', '', '', '')",
            "ledger_legalhold_says_why",
        ),
        (
            f"{_HOLD} ('h', 'agent', '', '', NULL, NULL, 'r', 'p', now(), 'e', '', '', '')",
            "ledger_legalhold_names_what",
        ),
        (
            f"{_HOLD} ('h', 'period', '', '', now(), now(), 'r', 'p', now(), 'e', '', '', '')",
            "ledger_legalhold_names_what",
        ),
        (
            f"{_HOLD} ('h', 'everything', '', '', NULL, NULL, 'r', 'p', now(), 'e', '', '', '');"
            "UPDATE ledger_legalhold SET ended_at = now(), ended_by = 'x'",
            "ledger_legalhold_ended_iff_agreed",
        ),
        (
            f"{_HOLD} ('h', 'everything', '', '', NULL, NULL, 'r', 'p', now(), 'e', '', '', '');"
            "UPDATE ledger_legalhold SET reason = 'another'",
            "ledger_legalhold_guard",
        ),
        (
            "INSERT INTO ledger_shredding VALUES ('s', 'age', 1, 1, 'x', NULL, now())",
            "ledger_shredding_has_tombstone",
        ),
        (
            "INSERT INTO ledger_shredding VALUES ('s', 'age', 1, 1, 'x', 'e', now()),"
            " ('t', 'age', 1, 1, 'x', 'e', now())",
            "ledger_shredding_one_per_line",
        ),
    ],
)
def test_what_is_kept_and_what_goes_has_its_rules(
    db: None, statement: str, constraint: str
) -> None:
    assert refusal_of(statement) == constraint


@pytest.mark.parametrize(
    ("table", "column"),
    [("retentionfloor", "days"), ("retentionage", "days"), ("droppedmonth", "payloads")],
)
def test_what_was_said_of_keeping_is_not_rewritten(db: None, table: str, column: str) -> None:
    assert refusal_of(f"DELETE FROM ledger_{table}") == "ledger_append_only"
    assert refusal_of(f"TRUNCATE ledger_{table}") == "ledger_append_only"
    assert refusal_of(f"UPDATE ledger_{table} SET {column} = 1") == "ledger_append_only"


@pytest.mark.parametrize("table", ["legalhold", "shredding"])
def test_holds_and_shreddings_stay(db: None, table: str) -> None:
    assert refusal_of(f"DELETE FROM ledger_{table}") == "ledger_append_only"
    assert refusal_of(f"TRUNCATE ledger_{table}") == "ledger_append_only"
