"""Telling people: once to each, by the ways they chose, and nothing lost on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import transaction
from django.test import Client
from standardwebhooks import Webhook

from approvals.channels.signatures import new_signing_secret
from approvals.models import Channel, NoticePreference
from fleet.telling.actions.sending import MOST_ATTEMPTS, send_copies
from fleet.telling.actions.telling import tell
from fleet.telling.models import Copy, Message
from kernel import clock
from kernel.refs import Ref
from registry.actors import Actor
from registry.models import Role
from tests.approvals.channels.receivers import Receiver, make_channel, receiving
from tests.factories import Cast, make_agent, make_cast, make_person

WORKER = Actor.system("telling")
HOSTILE = "<!channel> *bold* [x](javascript:1) <script>\u202e\nBcc: eve@evil.test"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as kept:
        yield kept


@pytest.fixture
def mails(settings: Any) -> list[Any]:
    settings.EMAIL_HOST = "mail.acme.test"
    return mail.outbox


def told(key: str = "k", **over: Any) -> int:
    given: dict[str, Any] = {
        "key": key,
        "kind": "incident.opened",
        "subject": Ref("incident", "inc_1"),
        "title": "invoice-sorter is down",
        "lines": ["It answers 503."],
        "path": "/health/incidents/inc_1/",
    }
    with transaction.atomic():
        return tell(**given | over)


def test_each_receiver_is_told_once_under_a_key(cast: Cast) -> None:
    assert told(people=[cast.alice], teams=[cast.finance], roles=[Role.SECURITY]) == 4
    assert told(people=[cast.alice, cast.pat]) == 1
    assert Message.objects.count() == 1
    assert Copy.objects.filter(person=cast.alice).count() == 1


def test_whoever_has_left_is_told_nothing(cast: Cast) -> None:
    gone = make_person("gone", team=cast.finance, deactivated_at=clock.now())
    told(people=[gone], teams=[cast.finance])
    assert not Copy.objects.filter(person=gone).exists()


def test_what_is_rolled_back_was_never_told(cast: Cast) -> None:
    with transaction.atomic():
        told(people=[cast.alice])
        transaction.set_rollback(True)
    assert not Message.objects.exists()


def test_quiet_mails_leave_together_and_urgent_ones_at_once(cast: Cast, mails: list[Any]) -> None:
    told("a", people=[cast.alice])
    told("b", people=[cast.alice], title="Another")
    assert send_copies(actor=WORKER) == 1
    assert "2 things to know" in mails[0].subject
    told("c", people=[cast.alice])
    assert send_copies(actor=WORKER) == 0  # a quiet mail left a moment ago
    told("d", people=[cast.alice], title="It burns", urgent=True)
    assert send_copies(actor=WORKER) == 1
    assert mails[1].subject == "[Unsprawl] It burns"
    with clock.held_at(clock.now() + timedelta(minutes=16)):
        assert send_copies(actor=WORKER) == 1
    assert len(mails) == 3


def test_whoever_wants_no_mails_gets_none_and_still_reads_the_list(
    cast: Cast, mails: list[Any]
) -> None:
    NoticePreference.objects.create(person=cast.alice, mail="off", changed_at=clock.now())
    told(people=[cast.alice], urgent=True)
    send_copies(actor=WORKER)
    assert mails == []
    client = Client()
    client.force_login(cast.alice)
    assert "invoice-sorter is down" in client.get("/notices/").content.decode()


def test_a_channel_is_told_what_it_chose_signed_and_once(cast: Cast, receiver: Receiver) -> None:
    secret = new_signing_secret()
    make_channel(address=receiver.address, secret=secret, tells=["incident"])
    make_channel(address=receiver.address, secret=secret)  # of reviews only
    make_channel(address=receiver.address, secret=secret, tells=["*"], teams=["research"])
    told(title=HOSTILE)
    send_copies(actor=WORKER)
    send_copies(actor=WORKER)
    (request,) = receiver.requests
    said = Webhook(secret).verify(request.body, request.headers)
    assert said["type"] == "incident.opened"
    assert "\n" not in said["title"]


def test_a_channel_of_some_agents_is_told_of_those(cast: Cast, receiver: Receiver) -> None:
    agent = make_agent(owner=cast.alice)
    given: dict[str, Any] = {
        "address": receiver.address,
        "secret": new_signing_secret(),
        "tells": ["incident"],
    }
    make_channel(agents=[agent.name], **given)
    make_channel(agents=["another"], **given)
    make_channel(teams=["finance"], **given)
    told(subject=agent.ref)
    assert Copy.objects.filter(channel__isnull=False).count() == 2


def test_in_slack_nothing_is_markup_and_what_follows_stands_in_the_thread(
    cast: Cast, receiver: Receiver
) -> None:
    receiver.answer = b'{"ok": true, "channel": "C1", "ts": "12.5"}'
    make_channel(
        kind="slack", address=receiver.address, place="C0123456", secret="xoxb-secret-token",
        tells=["incident"],
    )  # fmt: skip
    told("a", title=HOSTILE)
    send_copies(actor=WORKER)
    told("b", kind="incident.resolved", title="Resolved")
    send_copies(actor=WORKER)
    first, second = (json.loads(each.body) for each in receiver.requests)
    assert "<!channel>" not in first["text"]
    assert all(
        block["text"]["type"] == "plain_text" for block in first["blocks"] if "text" in block
    )
    assert second["thread_ts"] == "12.5"


def test_a_receiver_that_fails_is_tried_again_and_given_up_in_sight(
    cast: Cast, receiver: Receiver
) -> None:
    receiver.status = 500
    channel = make_channel(
        address=receiver.address, secret=new_signing_secret(), tells=["incident"]
    )
    told()
    moment = clock.now()
    for _ in range(MOST_ATTEMPTS):
        with clock.held_at(moment):
            send_copies(actor=WORKER)
        moment += timedelta(hours=2)
    copy = Copy.objects.get()
    assert (copy.state, copy.failure) == ("given_up", "It answered 500.")
    assert Channel.objects.get(pk=channel.pk).failures == MOST_ATTEMPTS


def test_mails_escape_what_others_wrote_and_no_header_is_smuggled(
    cast: Cast, mails: list[Any]
) -> None:
    told(people=[cast.alice], title=HOSTILE, lines=[HOSTILE], urgent=True)
    send_copies(actor=WORKER)
    (sent,) = mails
    assert "\n" not in sent.subject
    assert "Bcc" not in dict(sent.message().items())
    assert "<script>" not in sent.alternatives[0][0]


def test_the_bell_counts_and_reading_lowers_it(cast: Cast) -> None:
    told("a", people=[cast.alice], title=HOSTILE)
    told("b", people=[cast.alice])
    client = Client()
    client.force_login(cast.alice)
    page = client.get("/notices/?state=unread").content.decode()
    assert "Notices, 2 unread" in page
    assert "<script>\u202e" not in page
    copy = Copy.objects.get(message__key="a")
    assert client.get(f"/notices/{copy.public_id}/")["Location"] == "/health/incidents/inc_1/"
    assert "Notices, 1 unread" in client.get("/notices/").content.decode()
    client.post("/notices/read/")
    assert "Notice fits" not in client.get("/notices/").content.decode()
    assert not Copy.objects.filter(read_at__isnull=True).exists()


def test_nobody_reads_what_others_were_told(cast: Cast) -> None:
    told(people=[cast.alice])
    client = Client()
    client.force_login(cast.mallory)
    copy = Copy.objects.get()
    assert client.get(f"/notices/{copy.public_id}/").status_code == 404
    client.post("/notices/read/", {"notice": copy.public_id})
    assert Copy.objects.get().read_at is None
    assert "invoice-sorter" not in client.get("/notices/").content.decode()
