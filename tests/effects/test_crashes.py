"""A worker is killed at every step: the system outside sees one effect at most, always."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest

from effects.actions.carrying_out import carry_out_waiting
from effects.actions.reconciling import reconcile
from effects.crashing import CrashPoint
from effects.models import Effect, Proposal
from tests.effects.acts import (
    EXECUTOR,
    let_time_come,
    lose_leases,
    make_approved,
    make_connection,
    make_operation,
    state_of,
)
from tests.effects.sinks import HttpSink
from tests.effects.workers import Workers, workers
from tests.transactions import wait_for_the_killed

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
TIMES = int(os.environ.get("UNSPRAWL_SOAK_EFFECT_CRASHES", "1"))
IN_FLIGHT = "in-flight"  # sent, and killed before the answer: the sink sees to it
POINTS = [*(point.value for point in CrashPoint), IN_FLIGHT, "acked"]
# Before the intent is on record the next worker begins anew; after it nobody knows.
BEFORE = {CrashPoint.CLAIMED.value}


def _killed_at(point: str, proposal: Proposal, sink: HttpSink, running: Workers) -> None:
    if point != IN_FLIGHT:
        assert running.turn(point, proposal.public_id) == signal.SIGKILL, point
        return
    before, sink.delay = len(sink.asked), 60.0
    child = running.begin("none", proposal.public_id)
    while len(sink.asked) == before:
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    sink.delay = 0.0
    assert running.ended() == signal.SIGKILL


def _recovered() -> None:
    """Let everything that runs by itself have its turns, until nothing is left to do."""
    lose_leases()
    for _ in range(4):
        Effect.objects.filter(sent_at__isnull=False).update(sent_at="2026-01-01T00:00:00Z")
        let_time_come()
        reconcile(actor=EXECUTOR)
        let_time_come()
        carry_out_waiting(actor=EXECUTOR)


@pytest.mark.parametrize("idempotency", ["native", "lookup", "none"])
def test_a_worker_killed_at_any_step_leaves_one_effect_at_most(
    sink: HttpSink, owner_address: str, idempotency: str
) -> None:
    settings: dict[str, Any] = {"base_url": sink.url, "timeout_seconds": 30}
    operation = make_operation(make_connection(settings=settings), idempotency=idempotency)
    if idempotency == "native":
        # The clock is moved below. The template is one for all tests: theirs stays as it is.
        operation.template = operation.template | {"key_hours": 8760}
        operation.save(update_fields=["template"])
    sink.honours_keys = idempotency == "native"
    with workers(owner_address) as running:
        for point in POINTS * TIMES:
            sink.done.clear()
            sink.keys.clear()
            proposal = make_approved(operation)
            _killed_at(point, proposal, sink, running)
            wait_for_the_killed()
            assert len(sink.done) <= 1, point
            _recovered()
            assert len(sink.done) <= 1, point
            state = state_of(proposal)
            if idempotency == "none" and point not in {*BEFORE, "effect-recorded", "acked"}:
                assert state == "unknown", point  # a person looks; nothing is sent again
            else:
                assert (state, len(sink.done)) == ("succeeded", 1), point
