from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from effects.actions.carrying_out import carry_out, carry_out_waiting
from effects.actions.claiming import claim
from effects.actions.ending import ClaimLost, settle
from effects.actions.reconciling import look_again, note_lost, reconcile
from effects.adapters.adapter import Ending, Sent
from effects.models import Connection, Effect, Operation, Proposal
from kernel import clock
from ledger.models import Entry
from registry.models import Agent, AgentKey
from routing.models import Stop
from tests.effects.acts import (
    EXECUTOR,
    NATIVE,
    effect_of,
    let_time_come,
    lose_leases,
    make_approved,
    make_connection,
    make_operation,
    state_of,
    verbs_of,
)
from tests.effects.sinks import HttpSink
from tests.factories import make_agent, make_person
from tests.ports import free_port

pytestmark = pytest.mark.django_db(transaction=True)


def operation_at(sink: HttpSink, **over: Any) -> Operation:
    settings = {"base_url": sink.url, "timeout_seconds": 5}
    return make_operation(make_connection(settings=settings), **over)


def carried(proposal: Proposal) -> str | None:
    return carry_out(proposal.public_id, actor=EXECUTOR)


def test_an_approved_action_is_sent_once_and_its_story_is_told(sink: HttpSink) -> None:
    proposal = make_approved(operation_at(sink), run_id="run_x")
    assert carried(proposal) == "succeeded"
    assert [asked.json() for asked in sink.done] == [{"memo": "hello"}]
    assert verbs_of(proposal) == ["effect.begun", "effect.succeeded"]
    effect = effect_of(proposal)
    assert effect.outcome == {"status": "http:201", "reference": "thing-1"}
    assert (effect.fence, effect.attempts, effect.leased_until) == (1, 1, None)
    begun = Entry.objects.get(entry_id=effect.intent_entry)
    assert begun.stream == "run_x"
    assert effect.wire_digest in bytes(begun.header).decode()
    assert "hello" not in bytes(begun.header).decode()


def test_a_message_that_comes_again_finds_it_done(sink: HttpSink) -> None:
    proposal = make_approved(operation_at(sink))
    assert [carried(proposal) for _ in range(5)] == ["succeeded", None, None, None, None]
    assert len(sink.done) == 1


def test_the_sweep_finds_what_no_doorbell_was_heard_for(sink: HttpSink) -> None:
    operation = operation_at(sink)
    made = [make_approved(operation) for _ in range(3)]
    late = make_approved(operation, expires_at=clock.now() - timedelta(seconds=1))
    assert carry_out_waiting(actor=EXECUTOR) == 3
    assert {state_of(each) for each in made} == {"succeeded"}
    assert len(sink.done) == 3
    assert state_of(late) == "expired"


@pytest.mark.parametrize("state", ["denied", "expired", "withdrawn", "failed", "succeeded"])
def test_what_is_over_is_not_sent(sink: HttpSink, state: str) -> None:
    proposal = make_approved(operation_at(sink), state=state, ended_at=clock.now())
    assert carried(proposal) is None
    assert sink.asked == []


def test_an_approval_that_has_run_out_by_the_databases_clock_is_not_sent(sink: HttpSink) -> None:
    proposal = make_approved(operation_at(sink), expires_at=clock.now() + timedelta(milliseconds=1))
    assert carried(proposal) is None
    assert sink.asked == []


def _new_version(proposal: Proposal) -> None:
    from tests.factories import make_manifest, make_version

    version = make_version(
        proposal.agent, make_manifest("clerk", version="2.0.0"), version="2.0.0",
        state="accepted", settled_at=clock.now(),
    )  # fmt: skip
    Agent.objects.filter(pk=proposal.agent_id).update(current_version=version)


def _stop(proposal: Proposal) -> None:
    from routing.actions.stops import place_stop

    place_stop("agent", proposal.agent.public_id, actor=EXECUTOR, reason="enough")


def _operations(**change: Any) -> Callable[[Proposal], object]:
    return lambda proposal: Operation.objects.filter(pk=proposal.operation_id).update(**change)


def _connections(**change: Any) -> Callable[[Proposal], object]:
    return lambda proposal: Connection.objects.filter(operations=proposal.operation_id).update(
        **change
    )


def _agents(**change: Any) -> Callable[[Proposal], object]:
    return lambda proposal: Agent.objects.filter(pk=proposal.agent_id).update(**change)


def _proposals(**change: Any) -> Callable[[Proposal], object]:
    return lambda proposal: Proposal.objects.filter(pk=proposal.pk).update(**change)


def _revoked(proposal: Proposal) -> None:
    AgentKey.objects.filter(agent=proposal.agent).update(
        revoked_at=clock.now(), revoked_by="system:test"
    )


VOID = ("failed", "voided", ["effect.failed"])
WHATEVER: list[tuple[str, Callable[[Proposal], object]]] = [
    ("path", _operations(template=NATIVE | {"path": "/other"})),
    ("body", _operations(template=NATIVE | {"json": {"memo": "else"}})),
    ("order of a body", _operations(template=NATIVE | {"json": {"a": {"$argument": "/memo"}}})),
    ("header", _operations(template=NATIVE | {"headers": {"X-Extra": "1"}})),
    ("method", _operations(template=NATIVE | {"method": "PUT"})),
    ("digest of the operation", _operations(digest="sha256:other")),
    ("operation retired", _operations(retired_at=clock.now())),
    ("host", _connections(settings={"base_url": "http://127.0.0.1:9", "timeout_seconds": 5})),
    ("revision", _connections(revision=2)),
    ("adapter", _connections(adapter="agent", credential="none")),
    ("credential", _connections(credential="static")),
    ("connection disabled", _connections(disabled_at=clock.now())),
    ("version of the agent", _new_version),
    ("agent suspended", _agents(suspended_at=clock.now(), suspended_reason="why")),
    ("agent stopped", _stop),
    ("key revoked", _revoked),
    ("run", _proposals(run_id="run_other")),
    ("policy", _proposals(bundle_digest="sha256:other")),
    ("deadline", _proposals(expires_at=clock.now() + timedelta(days=9))),
    ("digest", _proposals(decided_digest="sha256:other")),
    ("entry", _proposals(decided_entry="ent_other")),
]


def test_one_difference_from_what_was_decided_voids_it(sink: HttpSink) -> None:
    left = {}
    for number, (what, change) in enumerate(WHATEVER):
        connection = make_connection(
            f"crm-{number}", settings={"base_url": sink.url, "timeout_seconds": 5}
        )
        agent = make_agent(f"clerk-{number}", owner=make_person(f"olga-{number}"), stage="live")
        operation = make_operation(connection, idempotency="native")
        proposal = make_approved(operation, agent)
        change(proposal)
        carried(proposal)
        status = effect_of(proposal).outcome.get("status")
        left[what] = (state_of(proposal), status, verbs_of(proposal))
    assert {what: ends for what, ends in left.items() if ends != VOID} == {}
    assert sink.asked == []


def test_an_action_that_was_swapped_for_another_approved_one_is_void(sink: HttpSink) -> None:
    operation = operation_at(sink)
    one, other = make_approved(operation), make_approved(operation, arguments={"memo": "other"})
    Proposal.objects.filter(pk=one.pk).update(
        decided_entry=other.decided_entry, decided_digest=other.decided_digest
    )
    assert carried(one) == "failed"
    assert sink.asked == []


def test_what_was_surely_not_sent_is_tried_again_under_the_same_key(sink: HttpSink) -> None:
    gone = {"base_url": f"http://127.0.0.1:{free_port()}", "timeout_seconds": 5}
    proposal = make_approved(make_operation(make_connection(settings=gone)))
    assert carried(proposal) == "approved"
    effect = effect_of(proposal)
    assert effect.outcome["status"] == "unsent:unreachable"
    assert effect.sent_at is None
    assert effect.again_at is not None
    assert carried(proposal) is None  # not before its time
    for _ in range(5):
        let_time_come()
        carried(proposal)
    assert state_of(proposal) == "failed"
    assert effect_of(proposal).attempts == 6
    assert effect_of(proposal).key == effect.key
    assert verbs_of(proposal)[-2:] == ["effect.begun", "effect.failed"]


def test_a_refusal_is_a_failure_and_is_not_repeated(sink: HttpSink) -> None:
    sink.status = 422
    proposal = make_approved(operation_at(sink))
    assert carried(proposal) == "failed"
    assert carried(proposal) is None
    assert len(sink.asked) == 1


def test_a_system_that_says_later_is_asked_later(sink: HttpSink) -> None:
    sink.status, sink.answer_headers = 429, {"Retry-After": "120"}
    proposal = make_approved(operation_at(sink))
    assert carried(proposal) == "approved"
    again_at = effect_of(proposal).again_at
    assert again_at is not None
    assert timedelta(seconds=110) < again_at - clock.now() < timedelta(seconds=121)


def test_without_key_and_look_up_what_is_not_known_waits_for_a_person(sink: HttpSink) -> None:
    sink.breaks = "after"
    proposal = make_approved(operation_at(sink))
    assert carried(proposal) == "unknown"
    sink.breaks = ""
    let_time_come()
    assert effect_of(proposal).again_at is None
    assert reconcile(actor=EXECUTOR) == 0
    assert carried(proposal) is None
    assert len(sink.done) == len(sink.asked) == 1
    assert verbs_of(proposal) == ["effect.begun", "effect.unknown"]


def test_a_system_that_knows_our_key_is_sent_it_again(sink: HttpSink) -> None:
    sink.breaks = "after"
    proposal = make_approved(operation_at(sink, idempotency="native"))
    assert carried(proposal) == "unknown"
    let_time_come()
    assert look_again(proposal.public_id, actor=EXECUTOR) == "unknown"
    sink.breaks = ""
    let_time_come()
    assert reconcile(actor=EXECUTOR) == 1
    assert state_of(proposal) == "succeeded"
    assert (len(sink.asked), len(sink.done)) == (3, 1)
    assert len({asked.headers["idempotency-key"] for asked in sink.asked}) == 1
    effect = effect_of(proposal)
    assert (effect.reconciled_how, effect.reconciled_by) == ("lookup", "system:executor")
    assert verbs_of(proposal)[-1] == "effect.reconciled"


def test_a_refusal_of_the_second_request_says_nothing_of_the_first(sink: HttpSink) -> None:
    sink.breaks = "after"
    proposal = make_approved(operation_at(sink, idempotency="native"))
    carried(proposal)
    sink.breaks, sink.status = "", 401
    let_time_come()
    assert look_again(proposal.public_id, actor=EXECUTOR) == "unknown"


def test_a_key_that_the_other_side_has_forgotten_is_not_sent_again(sink: HttpSink) -> None:
    sink.breaks = "after"
    proposal = make_approved(operation_at(sink, idempotency="native"))
    carried(proposal)
    Effect.objects.update(sent_at=clock.now() - timedelta(hours=25))
    let_time_come()
    assert look_again(proposal.public_id, actor=EXECUTOR) == "unknown"
    assert len(sink.asked) == 1


def test_after_its_approval_a_key_is_not_sent_again(
    sink: HttpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink.breaks = "before"
    proposal = make_approved(operation_at(sink, idempotency="native"))
    carried(proposal)
    sink.breaks = ""
    let_time_come()
    after = proposal.expires_at + timedelta(seconds=1)
    monkeypatch.setattr(clock, "now", lambda: after)
    assert look_again(proposal.public_id, actor=EXECUTOR) == "unknown"
    assert sink.done == []  # it would have been done for the first time, and too late


def test_what_was_done_is_found_by_looking(sink: HttpSink) -> None:
    sink.breaks = "after"
    proposal = make_approved(operation_at(sink, idempotency="lookup"))
    assert carried(proposal) == "unknown"
    sink.breaks = ""
    let_time_come()
    assert look_again(proposal.public_id, actor=EXECUTOR) == "succeeded"
    assert effect_of(proposal).outcome["reference"] == "thing-1"
    assert len(sink.done) == 1


def test_what_was_not_done_is_sent_again_once_the_look_up_can_be_believed(sink: HttpSink) -> None:
    sink.breaks = "before"
    proposal = make_approved(operation_at(sink, idempotency="lookup"))
    assert carried(proposal) == "unknown"
    sink.breaks = ""
    let_time_come()
    assert look_again(proposal.public_id, actor=EXECUTOR) == "unknown"  # too fresh to be believed
    Effect.objects.update(sent_at=clock.now() - timedelta(seconds=5))
    let_time_come()
    assert look_again(proposal.public_id, actor=EXECUTOR) == "approved"
    let_time_come()
    assert carried(proposal) == "succeeded"
    assert len(sink.done) == 1


def test_a_worker_that_died_before_it_sent_leaves_its_turn_to_the_next(sink: HttpSink) -> None:
    proposal = make_approved(operation_at(sink))
    taken = claim(proposal.public_id, actor=EXECUTOR)
    assert taken is not None
    assert carried(proposal) is None  # while its lease lasts
    lose_leases()
    assert carried(proposal) == "succeeded"
    assert effect_of(proposal).fence == 2
    assert len(sink.done) == 1


def test_what_a_dead_worker_had_not_begun_is_not_begun_after_its_time(sink: HttpSink) -> None:
    proposal = make_approved(operation_at(sink))
    assert claim(proposal.public_id, actor=EXECUTOR) is not None
    past = clock.now() - timedelta(seconds=1)
    Proposal.objects.filter(pk=proposal.pk).update(expires_at=past)
    carry_out_waiting(actor=EXECUTOR)
    assert state_of(proposal) == "claimed"  # its worker may still be there
    lose_leases()
    assert carried(proposal) is None
    assert carry_out_waiting(actor=EXECUTOR) == 0
    assert state_of(proposal) == "expired"
    assert sink.asked == []


def test_a_worker_that_died_after_it_began_leaves_it_unknown(sink: HttpSink) -> None:
    proposal = make_approved(operation_at(sink), state="sent")
    Effect.objects.create(
        public_id="eff_1", proposal=proposal, key="k", fence=1, intent_entry="ent_1",
        sent_at=clock.now(), leased_until=clock.now() - timedelta(seconds=1),
    )  # fmt: skip
    assert carried(proposal) is None
    assert reconcile(actor=EXECUTOR) == 1
    assert state_of(proposal) == "unknown"
    assert effect_of(proposal).outcome["status"] == "worker_lost"
    assert sink.asked == []


def test_a_worker_whose_claim_was_taken_writes_no_end(sink: HttpSink) -> None:
    proposal = make_approved(operation_at(sink))
    slow = claim(proposal.public_id, actor=EXECUTOR)
    assert slow is not None
    Proposal.objects.filter(pk=proposal.pk).update(state="sent")
    Effect.objects.update(intent_entry="ent_1", sent_at=clock.now())
    lose_leases()
    assert note_lost(proposal.public_id, actor=EXECUTOR) == "unknown"
    with pytest.raises(ClaimLost):
        settle(slow, "succeeded", Sent(Ending.DONE, "http:200"), actor=EXECUTOR)
    assert state_of(proposal) == "unknown"
    assert "effect.succeeded" not in verbs_of(proposal)


def test_nothing_leaves_while_the_intent_is_not_as_sure_as_the_policy_wants(sink: HttpSink) -> None:
    proposal = make_approved(operation_at(sink), constraints={"receipt_level": "L2"})
    assert carried(proposal) == "approved"
    assert effect_of(proposal).outcome["status"] == "receipt:L2"
    assert sink.asked == []


def test_nothing_leaves_while_the_ledger_takes_nothing(sink: HttpSink) -> None:
    from django.db import connection

    from ledger.errors import LedgerSuspended

    proposal = make_approved(operation_at(sink))
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ledger_epoch SELECT 1, 'h/ledger/log_a/1', '', system_identifier, 1,"
            " now(), 'a test' FROM pg_control_system()"
        )
        cursor.execute(
            "INSERT INTO ledger_suspension (epoch_id, found, suspended_at)"
            " VALUES (1, 'less', now())"
        )
    with pytest.raises(LedgerSuspended):
        carried(proposal)
    assert sink.asked == []


def test_a_stop_is_lifted_and_the_action_stays_void(sink: HttpSink) -> None:
    proposal = make_approved(operation_at(sink))
    _stop(proposal)
    assert carried(proposal) == "failed"
    Stop.objects.update(lifted_at=clock.now(), lifted_by="system:test")
    assert carried(proposal) is None
    assert sink.asked == []
