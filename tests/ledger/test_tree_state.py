from __future__ import annotations

import psycopg
import pytest
from django.db import connection

from ledger.sequencing import reports
from ledger.sequencing.epochs import SEQUENCER_LOCK
from ledger.tree_state import TreeState, tree_state

pytestmark = pytest.mark.django_db


@pytest.fixture
def held(owner_address):
    with psycopg.connect(owner_address, autocommit=True) as session:
        session.execute("SELECT pg_advisory_lock(%s)", [SEQUENCER_LOCK])
        yield


def say(state: str, found: str = "", about: str = reports.SEQUENCER) -> None:
    reports.report(connection.connection, state, found, about=about)


def test_without_a_sequencer_it_is_stopped():
    assert tree_state() == TreeState("stopped")


def test_whoever_holds_the_lock_runs(held):
    assert tree_state() == TreeState("running")
    assert tree_state().degraded == {}


def test_the_newest_word_holds(held):
    say("running")
    say("behind", "an import holds the horizon")
    assert tree_state().sequencer == "behind"
    assert tree_state().found == "an import holds the horizon"
    say("running")
    assert tree_state().degraded == {}


def test_why_it_halted_is_said_after_it_has_gone():
    say("halted", "the tree was altered")
    assert tree_state() == TreeState("halted", "the tree was altered")


def test_the_witness_is_said_apart(held):
    say("behind", "it does not answer", reports.WITNESS)
    assert tree_state().degraded == {"witness": "behind"}
    assert tree_state().witness_found == "it does not answer"


def test_what_is_said_again_is_one_row():
    for _ in range(3):
        say("halted", "the tree was altered")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM ledger_sequencerreport")
        assert cursor.fetchone() == (1,)
