from __future__ import annotations

import pytest

from kernel.refs import Ref
from ledger.models import Entry, Payload
from ledger.payloads import read_payload
from ledger.record import OutsideTransaction, record
from ledger.verbs import Verb

ALICE = Ref("person", "per_alice")
AGENT = Ref("agent", "agt_one")


@pytest.mark.django_db
def test_a_payload_comes_back_and_its_reading_is_on_record() -> None:
    added = record(
        Verb.CALL_INTENDED,
        AGENT,
        actor=ALICE,
        kind="intent",
        agent_id="agt_one",
        payload=b"hello",
        data_class="internal",
    )
    assert read_payload(added.entry_id, actor=ALICE, reason="a look") == b"hello"
    access = Entry.objects.get(verb="payload.read")
    assert access.kind == "access"
    assert b"hello" not in bytes(Payload.objects.get().ciphertext)


@pytest.mark.django_db(transaction=True)
def test_a_fact_outside_a_transaction_is_refused() -> None:
    with pytest.raises(OutsideTransaction):
        record(Verb.AGENT_CHANGED, AGENT, actor=ALICE)
    assert not Entry.objects.exists()
