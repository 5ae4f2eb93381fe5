"""What the sequencer's own database role may do: read what was recorded, add to the tree."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

from tests.ledger.sequencing.conftest import Log

pytestmark = pytest.mark.xdist_group("sequencing")


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO ledger_entry (entry_id) VALUES ('x')",
        "DELETE FROM ledger_entry",
        "UPDATE ledger_entry SET verb = 'x'",
        "TRUNCATE ledger_leaf",
        "UPDATE ledger_leaf SET entry = 1",
        "DELETE FROM ledger_tile",
        "UPDATE ledger_checkpoint SET root = ''",
        "DELETE FROM ledger_checkpointsignature",
        "DELETE FROM ledger_suspension",
        "UPDATE ledger_epoch SET public_key = ''",
        "SELECT * FROM ledger_payload",
        "SELECT * FROM ledger_datakey",
        "SELECT * FROM registry_person",
        "SELECT * FROM registry_agentkey",
        "SET session_replication_role = replica",
        "CREATE TABLE public.mine (n int)",
        "ALTER TABLE ledger_leaf DISABLE TRIGGER ALL",
        "SELECT ledger_shreddable(ARRAY['dek_1'], 'request')",
        "SELECT ledger_shred('shr_1', 'ent_1', 'request', ARRAY['dek_1'], 1, 'x')",
        "SELECT ledger_shred_again('shr_1', ARRAY['dek_1'], 1, 'x')",
        "SELECT ledger_drop_month('1999-01', 'ent_1')",
        "SELECT ledger_keep_months_ahead()",
    ],
)
def test_the_sequencers_role_may_add_to_the_tree_and_nothing_else(log: Log, statement: str) -> None:
    with (
        psycopg.connect(log.rig.sequencer, autocommit=True) as session,
        pytest.raises(errors.InsufficientPrivilege),
    ):
        session.execute(statement)


@pytest.mark.parametrize("table", ["leaf", "tile", "checkpoint", "checkpointsignature", "epoch"])
def test_the_applications_role_reads_the_tree_and_cannot_add_to_it(log: Log, table: str) -> None:
    with psycopg.connect(log.rig.login, autocommit=True) as session:
        session.execute(f"SELECT count(*) FROM ledger_{table}")
        with pytest.raises(errors.InsufficientPrivilege):
            session.execute(f"INSERT INTO ledger_{table} DEFAULT VALUES")
