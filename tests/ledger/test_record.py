from __future__ import annotations

import threading

import psycopg
import pytest
from django.db import connection, transaction

from kernel.canonical import strict_loads
from kernel.refs import Ref
from ledger.models import ChainHead, DataKey, Entry, Payload
from ledger.record import OutsideTransaction, hold_chains, record
from ledger.verbs import Verb
from ledger.verification import verify_all

ALICE = Ref("person", "per_alice")
AGENT = Ref("agent", "agt_one")


@pytest.mark.django_db(transaction=True)
def test_a_fact_outside_a_transaction_is_refused() -> None:
    with pytest.raises(OutsideTransaction, match=r"agent.changed recorded outside"):
        record(Verb.AGENT_CHANGED, AGENT, actor=ALICE)
    assert not Entry.objects.exists()


@pytest.mark.django_db
def test_the_stream_is_the_subjects_own_unless_named() -> None:
    added = record(Verb.TEAM_ADDED, Ref("team", "tea_1"), actor=ALICE, facts={"a": [], "b": None})
    assert added.stream == "team:tea_1"
    assert record(Verb.KEY_ISSUED, Ref("key", "k"), actor=ALICE, agent_id="a").stream == "agent:a"
    assert record(Verb.CALL_DENIED, AGENT, actor=ALICE, stream="run_1").stream == "run_1"
    document = strict_loads(added.header)
    assert isinstance(document, dict)
    assert document["facts"] == {"a": [], "b": None}


@pytest.mark.django_db(transaction=True)
def test_a_change_that_fails_takes_its_record_along() -> None:
    with transaction.atomic():
        record(Verb.CALL_INTENDED, AGENT, actor=ALICE, agent_id="agt_one", payload=b"x")
        transaction.set_rollback(True)
    assert not Entry.objects.exists()
    assert not ChainHead.objects.exists()
    with transaction.atomic():
        record(Verb.CALL_INTENDED, AGENT, actor=ALICE, agent_id="agt_one", payload=b"x")
    assert DataKey.objects.count() == 1  # the same key; its row was not lost by the rollback
    with transaction.atomic():
        record(Verb.CALL_INTENDED, AGENT, actor=ALICE, agent_id="agt_one", payload=b"x")
    assert DataKey.objects.count() == 1
    assert verify_all().is_valid


@pytest.mark.django_db(transaction=True)
def test_one_who_waits_for_a_chain_continues_it() -> None:
    """The second transaction waits for the first, then takes the next place, not the same."""
    holding, waiting = threading.Event(), threading.Event()

    def second() -> None:
        holding.wait(60)
        waiting.set()
        with transaction.atomic():
            record(Verb.AGENT_CHANGED, AGENT, actor=ALICE)
        connection.close()

    thread = threading.Thread(target=second)
    thread.start()
    with transaction.atomic():
        record(Verb.AGENT_CHANGED, AGENT, actor=ALICE)
        holding.set()
        waiting.wait(60)
        thread.join(0.2)
        assert thread.is_alive()
    thread.join(60)
    assert list(Entry.objects.order_by("seq").values_list("seq", flat=True)) == [1, 2]
    assert verify_all().is_valid


@pytest.mark.django_db(transaction=True)
def test_after_a_part_that_was_taken_back_the_chain_goes_on_from_where_it_stands() -> None:
    with transaction.atomic():
        record(Verb.AGENT_CHANGED, AGENT, actor=ALICE)
        with transaction.atomic():
            record(Verb.AGENT_CHANGED, AGENT, actor=ALICE)
            transaction.set_rollback(True)
        record(Verb.AGENT_CHANGED, AGENT, actor=ALICE, payload=b"x")
    with transaction.atomic():
        record(Verb.AGENT_CHANGED, AGENT, actor=ALICE)
        transaction.set_rollback(True)
    with transaction.atomic():
        record(Verb.AGENT_CHANGED, AGENT, actor=ALICE)
    assert list(Entry.objects.order_by("seq").values_list("seq", flat=True)) == [1, 2, 3]
    assert Payload.objects.count() == 1
    assert verify_all().is_valid


@pytest.mark.django_db(transaction=True)
def test_chains_are_held_whether_or_not_they_are_begun() -> None:
    streams = ["run_1", str(AGENT)]
    for _ in range(2):
        with transaction.atomic():
            hold_chains(streams)
            for one in streams:
                record(Verb.AGENT_CHANGED, AGENT, actor=ALICE, stream=one)
    assert set(Entry.objects.values_list("stream", "seq")) == {
        (one, seq) for one in streams for seq in (1, 2)
    }
    assert verify_all().is_valid


@pytest.mark.django_db(transaction=True)
def test_of_two_who_hold_the_same_chains_the_second_waits() -> None:
    """Named the other way round, too: they are locked in one order, whatever was said."""
    streams = ["run_1", str(AGENT)]
    with transaction.atomic():
        hold_chains(streams)
        for one in streams:
            record(Verb.AGENT_CHANGED, AGENT, actor=ALICE, stream=one)

    def extend(order: list[str]) -> None:
        for _ in range(10):
            with transaction.atomic():
                hold_chains(order)
                for one in order:
                    record(Verb.AGENT_CHANGED, AGENT, actor=ALICE, stream=one)
        connection.close()

    threads = [threading.Thread(target=extend, args=(order,)) for order in (streams, streams[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert Entry.objects.filter(stream="run_1").count() == 21
    assert verify_all().is_valid


@pytest.mark.django_db(transaction=True)
def test_what_a_superuser_changes_from_outside_is_found(superuser_address: str) -> None:
    with transaction.atomic():
        for _ in range(3):
            record(Verb.AGENT_CHANGED, AGENT, actor=ALICE)
    with psycopg.connect(superuser_address) as superuser:
        superuser.execute("SET session_replication_role = replica")
        superuser.execute("DELETE FROM ledger_entry WHERE seq = 2")
    verdict = verify_all()
    assert verdict.first is not None
    assert (verdict.first.stream, verdict.first.seq) == ("agent:agt_one", 3)
