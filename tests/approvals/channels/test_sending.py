"""The outbox: written with its event, sent at least once, and nobody waits for a receiver."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from standardwebhooks import Webhook

from approvals.actions import decide_review
from approvals.actions.announcing import announce_review
from approvals.actions.sending import LEASE, MOST_ATTEMPTS, pause_after, send_notices
from approvals.channels.signatures import new_signing_secret
from approvals.models import Channel, Notice, Review
from kernel import clock
from ledger.models import Entry
from registry.actors import Actor
from tests.approvals.channels.receivers import Receiver, make_channel, receiving
from tests.factories import Cast, actor, make_agent

SENDER = Actor.system("channels")


def sweep(times: int = 1) -> int:
    return sum(send_notices(actor=SENDER) for _ in range(times))


@pytest.fixture
def secret() -> str:
    return new_signing_secret()


@pytest.fixture
def channel(cast: Cast, receiver: Receiver, secret: str) -> Channel:
    return make_channel(secret=secret, address=receiver.address)


def test_a_review_is_told_of_when_it_opens_and_when_it_ends(
    channel: Channel, receiver: Receiver, secret: str, cast: Cast, opened: Callable[..., Review]
) -> None:
    review = opened()
    assert sweep() == 1
    decide_review(review.public_id, actor=actor(cast.sam), decision="approve")
    assert sweep() == 1
    asked, ended = receiver.requests
    told = Webhook(secret).verify(asked.body, asked.headers)
    assert told["type"] == "approval.requested"
    assert told["state"] == "pending"
    assert told["id"] == review.public_id
    assert told["action_requests"][0]["args_sha256"] == review.digest
    assert json.loads(ended.body)["state"] == "approved"
    assert asked.headers["webhook-id"] != ended.headers["webhook-id"]
    assert Notice.objects.filter(state="sent").count() == 2
    assert Entry.objects.filter(verb="notice.sent").count() == 2


def test_a_title_alone_leaves_unless_a_channel_carries_more(
    channel: Channel, receiver: Receiver, opened: Callable[..., Review]
) -> None:
    opened(justification="IBAN DE00 1234", operation="bank.pay")
    sweep()
    said = receiver.requests[0].body.decode()
    assert "bank.pay" in said
    assert "IBAN" not in said
    assert "alice" not in said


def test_what_is_rolled_back_was_never_announced(
    channel: Channel, opened: Callable[..., Review]
) -> None:
    def fail() -> None:
        with transaction.atomic():
            opened()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not Notice.objects.exists()


def test_saying_it_twice_tells_it_once(channel: Channel, opened: Callable[..., Review]) -> None:
    review = opened()
    announce_review(review, "opened")
    assert Notice.objects.filter(event="opened").count() == 1


@pytest.mark.parametrize(
    ("wants", "is_told"),
    [
        ({}, True),
        ({"kinds": ["promotion"]}, False),
        ({"kinds": ["proposal"]}, True),
        ({"events": ["settled"]}, False),
        ({"audience": ["role:platform"]}, False),
        ({"audience": ["role:security"]}, True),
        ({"min_effect": "delete"}, False),
        ({"min_effect": "message"}, True),
        ({"agents": ["somebody-else"]}, False),
        ({"teams": ["research"]}, False),
        ({"removed_at": datetime.now(UTC)}, False),
    ],
)
def test_a_channel_is_told_of_what_it_wants(
    cast: Cast, opened: Callable[..., Review], wants: dict[str, Any], is_told: bool
) -> None:
    make_channel(address="http://127.0.0.1:9/", **wants)
    opened()
    assert Notice.objects.exists() is is_told


def test_agents_and_teams_narrow_it_further(cast: Cast, opened: Callable[..., Review]) -> None:
    agent = make_agent("sorter", owner=cast.alice)
    wanted: dict[str, dict[str, Any]] = {
        "by-agent": {"agents": ["sorter"]},
        "by-team": {"teams": ["finance"]},
        "neither": {"agents": ["sorter"], "teams": ["research"]},
    }
    for name, wants in wanted.items():
        make_channel(name=name, address="http://127.0.0.1:9/", **wants)
    opened(kind="registration", subject=agent.ref)
    told = Notice.objects.values_list("channel__name", flat=True)
    assert sorted(told) == ["by-agent", "by-team"]


def test_a_receiver_that_fails_is_asked_again_later_under_the_same_id(
    channel: Channel, receiver: Receiver, opened: Callable[..., Review]
) -> None:
    receiver.status = 500
    opened()
    assert sweep(3) == 0
    assert len(receiver.requests) == 1  # it rests
    receiver.status = 200
    with clock.held_at(clock.now() + timedelta(minutes=5)):
        assert sweep() == 1
    first, second = receiver.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    channel.refresh_from_db()
    assert channel.failures == 0
    assert channel.failure == ""


def test_a_message_is_given_up_in_the_end_and_shown(
    channel: Channel, receiver: Receiver, opened: Callable[..., Review]
) -> None:
    receiver.status = 500
    opened()
    at = clock.now()
    for number in range(MOST_ATTEMPTS + 2):
        with clock.held_at(at + timedelta(hours=2 * number)):
            sweep()
    notice = Notice.objects.get()
    assert (notice.state, notice.attempts) == ("given_up", MOST_ATTEMPTS)
    assert notice.failure == "It answered 500."
    assert Entry.objects.filter(verb="notice.given_up").count() == 1


def test_the_pauses_double_and_are_never_the_same() -> None:
    assert 2 <= pause_after(1) <= 6
    assert 1800 <= pause_after(30) <= 5400
    assert len({pause_after(3) for _ in range(20)}) > 10


def test_gone_means_gone(
    channel: Channel, receiver: Receiver, opened: Callable[..., Review]
) -> None:
    receiver.status = 410
    opened()
    sweep()
    channel.refresh_from_db()
    assert channel.state == "gone"
    opened()
    assert Notice.objects.count() == 1


def test_a_receiver_says_when_to_come_again(
    channel: Channel, receiver: Receiver, opened: Callable[..., Review]
) -> None:
    receiver.status, receiver.headers = 429, {"Retry-After": "900"}
    opened()
    sweep()
    wait = (Notice.objects.get().again_at - clock.now()).total_seconds()
    assert 890 < wait <= 900


def test_what_was_settled_meanwhile_asks_nobody(
    channel: Channel, receiver: Receiver, cast: Cast, opened: Callable[..., Review]
) -> None:
    review = opened()
    decide_review(review.public_id, actor=actor(cast.sam), decision="approve")
    sweep()
    assert [json.loads(each.body)["type"] for each in receiver.requests] == ["approval.settled"]
    assert Notice.objects.get(event="opened").state == "skipped"


def test_a_worker_killed_between_sending_and_marking_costs_a_repeat_under_one_id(
    channel: Channel, receiver: Receiver, opened: Callable[..., Review], monkeypatch: Any
) -> None:
    from approvals.actions import sending

    class Killed(BaseException):
        pass

    def die(*_: Any) -> int:
        raise Killed

    opened()
    with monkeypatch.context() as patched:
        patched.setattr(sending, "_conclude", die)
        with pytest.raises(Killed):
            sweep()
    assert sweep() == 0  # its lease still runs
    with clock.held_at(clock.now() + LEASE + timedelta(seconds=1)):
        assert sweep() == 1
    first, second = receiver.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


def test_a_worker_that_lost_its_lease_concludes_nothing(
    channel: Channel, receiver: Receiver, opened: Callable[..., Review], monkeypatch: Any
) -> None:
    from approvals.actions import sending

    opened()
    usual = sending._conclude

    def stolen(flight: Any, *rest: Any) -> int:
        Notice.objects.update(fence=99)
        return usual(flight, *rest)

    monkeypatch.setattr(sending, "_conclude", stolen)
    assert sweep() == 0
    assert Notice.objects.get().state == "waiting"


def test_a_slow_receiver_delays_no_other(
    cast: Cast, receiver: Receiver, secret: str, opened: Callable[..., Review]
) -> None:
    receiver.seconds = 1.5
    with receiving() as quick:
        make_channel(secret=secret, address=receiver.address)
        make_channel(secret=secret, address=quick.address)
        for _ in range(4):
            opened()
        assert sweep() == 8
        assert len(quick.requests) == 4
        assert max(each.at for each in quick.requests) < min(
            each.at for each in receiver.requests[1:]
        )


def test_a_receiver_that_never_ends_its_answer_is_cut_off(
    channel: Channel, receiver: Receiver, opened: Callable[..., Review], monkeypatch: Any
) -> None:
    from approvals.channels import sending

    hasty = {"headers": None, "read": None, "seconds": 0.3}
    monkeypatch.setattr(sending.post_json, "__kwdefaults__", hasty)
    receiver.seconds = 60.0
    opened()
    began = time.monotonic()
    assert sweep() == 0
    assert time.monotonic() - began < 20
    assert Notice.objects.get().failure == "The answer took too long."


def test_an_address_inside_is_refused_as_it_is_sent_too(
    cast: Cast, receiver: Receiver, secret: str, opened: Callable[..., Review]
) -> None:
    make_channel(secret=secret, address=receiver.address, allow_private=False)
    opened()
    assert sweep() == 0
    assert receiver.requests == []
    assert "address" in Notice.objects.get().failure.lower()
