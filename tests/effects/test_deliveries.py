"""One approved action, delivered thousands of times: one effect. And none is ever lost."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from celery import Celery

from config.places import BASE_DIR
from effects.actions.carrying_out import TASK, carry_out, carry_out_waiting
from effects.models import Operation
from tests.effects import rabbitmq
from tests.effects.acts import (
    EXECUTOR,
    effect_of,
    make_approved,
    make_connection,
    make_operation,
    state_of,
)
from tests.effects.sinks import HttpSink
from tests.effects.workers import environment

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.xdist_group("deliveries"),
]
DELIVERIES = int(os.environ.get("UNSPRAWL_SOAK_DELIVERIES", "640"))
# The address of a RabbitMQ, such as amqp://guest:guest@127.0.0.1:5672//; without it a node of
# the test's own is begun, where the system has the package. It is no requirement of ours: where
# it is not, that half of the promise is not tried, and the summary says so.
RABBITMQ = os.environ.get("UNSPRAWL_SOAK_RABBITMQ", "")
CLAIMERS = 32


def operation_at(sink: HttpSink) -> Operation:
    sink.honours_keys = False
    return make_operation(make_connection(settings={"base_url": sink.url, "timeout_seconds": 10}))


def test_of_32_who_claim_one_action_one_sends(sink: HttpSink, record_property: Any) -> None:
    from django.db import connection

    proposal = make_approved(operation_at(sink))
    ends: list[str | None] = []
    begin = threading.Barrier(CLAIMERS)

    def claimer() -> None:
        begin.wait()
        try:
            for _ in range(DELIVERIES // CLAIMERS):
                ends.append(carry_out(proposal.public_id, actor=EXECUTOR))
        finally:
            connection.close()

    threads = [threading.Thread(target=claimer) for _ in range(CLAIMERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ends) == DELIVERIES // CLAIMERS * CLAIMERS
    assert [end for end in ends if end] == ["succeeded"]
    assert (len(sink.done), effect_of(proposal).fence) == (1, 1)
    record_property("deliveries of one action, effects", f"{len(ends)}, {len(sink.done)}")


@contextmanager
def celery_worker(address: str, broker: str, queue: str) -> Iterator[None]:
    """Run a worker of ours with 32 threads, as it is run in service otherwise."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "celery", "-A", "config.celery", "--quiet",
         "worker", "-P", "threads", "-c", str(CLAIMERS), "-Q", queue, "--without-gossip",
         "--without-mingle", "--without-heartbeat", "-l", "error"],
        cwd=BASE_DIR,
        env=environment(address, BROKER_URL=broker),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(60)
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def rabbitmq_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if RABBITMQ:
        yield RABBITMQ
        return
    if not rabbitmq.is_installed():
        sys.stderr.write("\n!! NO RABBITMQ: one effect over its deliveries is not tried\n")
        pytest.skip("there is no rabbitmq-server on this machine")
    with rabbitmq.rabbitmq(tmp_path_factory.mktemp("rabbitmq") / "node") as address:
        yield address


@pytest.fixture(params=["valkey", "rabbitmq"])
def broker(request: pytest.FixtureRequest, broker_address: str) -> str:
    if request.param == "valkey":
        return broker_address
    return str(request.getfixturevalue("rabbitmq_address"))


def wait_until(is_so: Any, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


def test_a_broker_that_delivers_again_and_again_makes_one_effect(
    sink: HttpSink, owner_address: str, broker: str, record_property: Any
) -> None:
    one = make_approved(operation_at(sink))
    last = make_approved(one.operation)
    queue = f"deliveries-{secrets.token_hex(4)}"
    sender = Celery(broker=broker)
    began = time.monotonic()
    with celery_worker(owner_address, broker, queue):
        with sender.connection_for_write() as wire:
            producer = sender.amqp.Producer(wire)
            for _ in range(DELIVERIES):
                sender.send_task(TASK, args=[one.public_id], queue=queue, producer=producer)
            # In order on one queue: when this one is done, the others were taken.
            sender.send_task(TASK, args=[last.public_id], queue=queue, producer=producer)
        # What they found to do may end after it, for they are many who take.
        wait_until(lambda: state_of(one) == state_of(last) == "succeeded", 120 + DELIVERIES / 20)
    took = time.monotonic() - began
    assert len(sink.done) == 2
    assert effect_of(one).fence == 1
    said = f"{DELIVERIES}, {len(sink.done) - 1}, {took:.1f} s over {broker.partition(':')[0]}"
    record_property("messages for one action, effects", said)


def test_what_the_broker_lost_is_carried_out_all_the_same(
    sink: HttpSink, owner_address: str, broker: str
) -> None:
    operation = operation_at(sink)
    made = [make_approved(operation) for _ in range(20)]
    queue = f"purged-{secrets.token_hex(4)}"
    sender = Celery(broker=broker)
    with sender.connection_for_write() as wire:
        producer = sender.amqp.Producer(wire)  # on the channel that purges, so that it is later
        for proposal in made:
            sender.send_task(TASK, args=[proposal.public_id], queue=queue, producer=producer)
        purged = wire.default_channel.queue_purge(queue)
    assert purged == 20
    assert carry_out_waiting(actor=EXECUTOR) == 20
    assert {state_of(proposal) for proposal in made} == {"succeeded"}
    assert len(sink.done) == 20
