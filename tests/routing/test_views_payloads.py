"""Reading what was said: on record before it is shown, readable, and kept nowhere."""

from __future__ import annotations

import json
import logging

import pytest
from django.db import connection, transaction

from ledger.models import DataKey, Entry
from ledger.record import record
from ledger.verbs import Verb
from tests.factories import browser_of, make_agent, make_cast, make_exchange, make_run

pytestmark = pytest.mark.django_db(transaction=True)
ASKED = {
    "model": "acme-1",
    "messages": [{"role": "user", "content": "Where is the parcel?"}],
    "tools": [{"type": "function", "function": {"name": "track_parcel"}}],
}
ANSWERED = {"choices": [{"message": {"role": "assistant", "tool_calls": [
    {"id": "c1", "function": {"name": "track_parcel", "arguments": '{"number":"JD01"}'}}
]}}]}  # fmt: skip


@pytest.fixture
def cast():
    return make_cast()


@pytest.fixture
def agent(cast):
    return make_agent("sorter", owner=cast.alice, stage="live")


@pytest.fixture
def run(agent):
    return make_run(agent)


@pytest.fixture
def call(agent, run):
    return make_exchange(
        agent, run, json.dumps(ASKED).encode(), json.dumps(ANSWERED).encode(),
        payload_cut=True, found_in_request=["email:2:redact"], secrets_removed=1,
    )  # fmt: skip


def reads():
    return Entry.objects.filter(verb="payload.read").count()


def read(person, run, entry, reason="case 7", side=""):
    end = f"{side}/bytes/" if side else ""
    return browser_of(person).post(f"/runs/{run.run_id}/calls/{entry}/{end}", {"reason": reason})


def test_both_sides_are_laid_out_for_reading(cast, run, call):
    answer = read(cast.alice, run, call)
    page = answer.content.decode()
    for words in (
        "Where is the parcel?", "track_parcel", "1 tool offered", "JD01",
        "Only the beginning is kept", "2 e-mail addresses in the call redacted",
        "1 secret left out of the record",
    ):  # fmt: skip
        assert words in page
    assert answer["Cache-Control"] == "no-store"
    assert reads() == 2


def test_the_bytes_are_given_as_they_are_kept_and_that_is_a_reading_too(cast, run, call):
    answer = read(cast.alice, run, call, side="request")
    assert json.loads(answer.content) == ASKED
    assert answer["Content-Disposition"].startswith("attachment")
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Cache-Control"] == "no-store"
    assert reads() == 1
    assert json.loads(read(cast.sam, run, call, side="response").content) == ANSWERED
    assert read(cast.alice, run, call, side="middle").status_code == 404
    assert read(cast.alice, run, call, side="request", reason=" ").status_code == 422
    assert reads() == 2


@pytest.mark.parametrize("side", ["", "request"])
def test_who_may_not_read_it_is_told_that_there_is_no_such_run(cast, run, call, side):
    for person in (cast.bob, cast.mallory):
        assert read(person, run, call, side=side).status_code == 404
    assert reads() == 0


def test_what_was_destroyed_is_said_to_be(cast, agent, run, call):
    DataKey.objects.update(state="shredded", wrapped_key=None, shredded_at=run.started_at)
    page = read(cast.alice, run, call).content.decode()
    assert "destroyed" in page or "shredded" in page
    assert "Where is the parcel?" not in page
    assert reads() == 0


def test_what_is_no_longer_kept_is_said_to_be(cast, run, call):
    with connection.cursor() as cursor, transaction.atomic():
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("DELETE FROM ledger_payload")
    page = read(cast.alice, run, call).content.decode()
    assert "no longer kept" in page
    assert reads() == 0


def test_a_reported_step_is_read_the_same_way(cast, agent, run):
    with transaction.atomic():
        entry = record(
            Verb.TOOL_REPORTED, agent.ref, actor=agent.ref, kind="report",
            facts={"reported": True, "type": "tool", "name": "crm"}, agent_id=agent.public_id,
            stream=run.run_id, payload=b'{"arguments": {"customer": 4711}, "output": "known"}',
        )  # fmt: skip
    page = read(cast.alice, run, entry.fields.entry_id).content.decode()
    assert "4711" in page
    assert "known" in page
    assert "No answer is on record yet" not in page


def test_nothing_of_it_reaches_a_log(cast, run, call, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    read(cast.alice, run, call)
    read(cast.alice, run, call, side="response")
    heard = caplog.text + "".join(capfd.readouterr())
    assert "parcel" not in heard
    assert "case 7" not in heard
