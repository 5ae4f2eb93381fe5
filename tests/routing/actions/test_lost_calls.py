"""A gateway that is gone leaves nothing open, and one that lives is left alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from kernel import clock
from kernel.refs import Ref, new_id
from ledger.entries import GENESIS, Fact, Fields, link
from ledger.headers import read_header
from ledger.models import Entry, Writer
from ledger.verification import verify_all
from registry.actors import Actor
from routing.actions.lost_calls import reap_lost_calls
from routing.models import BudgetWindow, Call
from tests.factories import make_budget

pytestmark = pytest.mark.django_db

REAPER = Actor.system("lost-calls")
FACTS: dict[str, Fact] = {
    "route": "sandbox",
    "requested_model": "sandbox",
    "vendor": "v",
    "model": "m",
    "streamed": True,
}


def make_writer(
    process: str = "gateway:a:1:x", *, beat_ago: float = 0, closed: bool = False
) -> Writer:
    beaten = clock.now() - timedelta(seconds=beat_ago)
    return Writer.objects.create(
        writer=new_id("gw"),
        process=process,
        started_at=beaten - timedelta(minutes=5),
        heartbeat_at=beaten,
        closed_at=beaten if closed else None,
    )


def make_intent(
    writer: Writer, *, stream: str = "", agent_id: str = "agt_1", **more: Fact
) -> Entry:
    fields = Fields(
        kind="intent",
        verb="call.intended",
        actor=Ref("agent", agent_id or "x"),
        subject=Ref("model", "mod_1"),
        recorded_at=clock.now(),
        agent_id=agent_id,
        facts=FACTS | more,
    )
    return insert(fields, writer, stream or new_id("run"))


def insert(fields: Fields, writer: Writer, stream: str) -> Entry:
    last = Entry.objects.filter(stream=stream, writer=writer.writer).order_by("-seq").first()
    added = link(
        fields,
        stream=stream,
        writer=writer.writer,
        seq=last.seq + 1 if last else 1,
        prev_hash=bytes(last.leaf_hash) if last else GENESIS,
    )
    return Entry.objects.create(
        entry_id=added.entry_id, stream=stream, writer=writer.writer, seq=added.seq,
        prev_hash=added.prev_hash, header=added.header, leaf_hash=added.leaf_hash,
        kind=fields.kind, verb=fields.verb, actor=str(fields.actor), subject=str(fields.subject),
        agent_id=fields.agent_id, intent_id=fields.intent_id, recorded_at=fields.recorded_at,
    )  # fmt: skip


def test_what_a_dead_gateway_left_open_is_concluded_as_unknown():
    writer = make_writer(beat_ago=60)
    intent = make_intent(writer)
    assert reap_lost_calls(actor=REAPER) == 1
    writer.refresh_from_db()
    assert writer.closed_at is not None
    result = Entry.objects.get(kind="result", intent_id=intent.entry_id)
    assert (result.verb, result.actor, result.stream) == (
        "call.lost",
        "system:lost-calls",
        intent.stream,
    )
    call = Call.objects.get(intent_id=intent.entry_id)
    assert (call.status, call.cost_micros, call.route, call.streamed) == (
        "unknown",
        None,
        "sandbox",
        True,
    )
    assert verify_all().is_valid


def test_what_was_lost_of_our_own_asking_stays_ours():
    make_intent(make_writer(beat_ago=60), reevaluation="gld_1")
    assert reap_lost_calls(actor=REAPER) == 1
    assert Call.objects.get().made_for == "gld_1"


def test_it_is_concluded_once():
    make_intent(make_writer(beat_ago=60))
    assert [reap_lost_calls(actor=REAPER) for _ in range(3)] == [1, 0, 0]


def test_a_gateway_that_beats_is_left_alone():
    writer = make_writer(beat_ago=10)
    make_intent(writer)
    assert reap_lost_calls(actor=REAPER) == 0
    writer.refresh_from_db()
    assert writer.closed_at is None


def test_a_process_that_goes_on_under_a_new_epoch_owes_its_results_itself():
    before = make_writer(beat_ago=60, closed=True)
    make_intent(before)
    now = make_writer()
    assert reap_lost_calls(actor=REAPER) == 0
    Writer.objects.filter(pk=now.pk).update(heartbeat_at=clock.now() - timedelta(seconds=60))
    assert reap_lost_calls(actor=REAPER) == 1


def test_concluded_calls_and_other_writers_are_none_of_it():
    writer = make_writer(beat_ago=60)
    intent = make_intent(writer)
    done = Fields(
        kind="result", verb="call.completed", actor=Ref("agent", "a"), subject=Ref("model", "m"),
        recorded_at=clock.now(), agent_id="agt_1", intent_id=intent.entry_id,
    )  # fmt: skip
    insert(done, writer, intent.stream)
    make_intent(make_writer("importer:1", beat_ago=600))
    assert reap_lost_calls(actor=REAPER) == 0


def test_a_lost_try_of_a_vendor_is_concluded_without_a_call():
    intent = make_intent(make_writer(beat_ago=60), stream="vendor:ven_1", agent_id="")
    assert reap_lost_calls(actor=REAPER) == 1
    assert Entry.objects.filter(intent_id=intent.entry_id, verb="call.lost").exists()
    assert not Call.objects.exists()


def test_a_lost_attempt_stays_with_its_call():
    writer = make_writer(beat_ago=60)
    second = make_intent(writer, call="ent_1", attempt=2, fallback_reason="http_503")
    shadow = make_intent(writer, call="ent_1", shadow=True)
    assert reap_lost_calls(actor=REAPER) == 2
    rows = Call.objects.values_list("intent_id", "call_id", "attempt", "is_shadow")
    assert set(rows) == {(second.entry_id, "ent_1", 2, False), (shadow.entry_id, "ent_1", 0, True)}
    assert Call.objects.get(attempt=2).fallback_reason == "http_503"


def test_what_a_lost_call_held_is_spent_once_and_marked():
    budget = make_budget()
    other = make_budget(measure="open_calls", period="always", currency="", cap=5)
    since = datetime(2026, 11, 1, tzinfo=UTC)
    ever = datetime(1970, 1, 1, tzinfo=UTC)
    BudgetWindow.objects.create(budget=budget, starts_at=since, spent=7, held=1000)
    BudgetWindow.objects.create(budget=other, starts_at=ever, held=2)
    reserved = [
        f"{budget.public_id} 2026-11-01T00:00:00.000000Z cost 400",
        f"{other.public_id} 1970-01-01T00:00:00.000000Z open_calls 1",
        "not a line of ours",
    ]
    intent = make_intent(make_writer(beat_ago=60), reserved=reserved)
    assert [reap_lost_calls(actor=REAPER) for _ in range(2)] == [1, 0]
    found = BudgetWindow.objects.order_by("budget_id").values_list("spent", "held")
    assert list(found) == [(407, 600), (0, 1)]
    facts = read_header(bytes(Entry.objects.get(intent_id=intent.entry_id).header)).facts
    assert facts["charged"] == "reserved"
    assert facts["settled"] == reserved[:1]
