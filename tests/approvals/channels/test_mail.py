"""Mails with links: looking decides nothing, answering works once, and for one person."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as MessageHandler
from django.core import mail as outbox
from django.test import Client
from django.urls import reverse

from approvals.actions import decide_review
from approvals.actions.announcing import next_digest, remind_deciders
from approvals.models import Channel, DecisionLink, Notice, NoticePreference, Review
from kernel import clock
from ledger.models import Entry
from tests.approvals.channels.receivers import make_channel
from tests.approvals.channels.test_sending import SENDER, sweep
from tests.factories import Cast, actor, browser_of
from tests.ports import free_port


@pytest.fixture(autouse=True)
def mail_server(settings: Any) -> None:
    settings.EMAIL_HOST = "127.0.0.1"


@pytest.fixture
def channel(cast: Cast) -> Channel:
    return make_channel(kind="mail", decides_up_to="message")


def sent_to(email: str) -> Any:
    return next(each for each in outbox.outbox if each.to == [email])


def link_in(mail: Any) -> str:
    found = re.search(r"https?://[^/\s]+(/answer/lnk_\S+)", mail.body)
    assert found is not None
    return found[1]


def mailed(opened: Callable[..., Review], effect: str = "message") -> tuple[Review, str]:
    """Open a review, have its mails sent, and return it with sam's link."""
    review = opened(evidence={"effect": effect})
    sweep()
    return review, link_in(sent_to("sam@acme.test"))


def state_of(review: Review) -> str:
    review.refresh_from_db()
    return review.state


def test_each_decider_gets_a_mail_of_their_own(
    channel: Channel, opened: Callable[..., Review]
) -> None:
    _, link = mailed(opened)
    assert sorted(each.to[0] for each in outbox.outbox) == ["sam@acme.test", "sue@acme.test"]
    assert link != link_in(sent_to("sue@acme.test"))
    mail = sent_to("sam@acme.test")
    notice = Notice.objects.get(person__email="sam@acme.test")
    assert notice.public_id in mail.extra_headers["Message-ID"]
    assert mail.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert link in mail.alternatives[0].content


@pytest.mark.parametrize("method", ["get", "head", "options"])
def test_looking_decides_nothing(
    channel: Channel, opened: Callable[..., Review], method: str
) -> None:
    review, link = mailed(opened)
    for _ in range(3):
        answer = getattr(Client(), method)(
            link + "?decision=approve", headers={"purpose": "prefetch", "sec-purpose": "prefetch"}
        )
        assert answer.status_code in {200, 405}
    assert state_of(review) == "open"
    assert DecisionLink.objects.filter(used_at__isnull=False).count() == 0


def test_a_link_alone_decides_what_its_channel_lets_it_and_once(
    channel: Channel, opened: Callable[..., Review]
) -> None:
    review, link = mailed(opened)
    page = Client().get(link)
    assert b"Approve" in page.content
    assert page["Cache-Control"] == "no-store"
    assert Client().post(link, {"decision": "approve"}).status_code == 200
    assert state_of(review) == "approved"
    assert Entry.objects.filter(verb="answer.taken").count() == 1
    for again in (Client().post(link, {"decision": "reject", "comment": "No"}), Client().get(link)):
        assert again.status_code == 409
    assert review.decisions.get().decider.email == "sam@acme.test"


def test_above_the_limit_a_link_shows_the_title_and_decides_nothing(
    channel: Channel, opened: Callable[..., Review]
) -> None:
    review, link = mailed(opened, "money")
    page = Client().get(link).content
    assert b"asks for an action" in page
    assert b"alice@acme.test" not in page
    assert b"Approve" not in page
    assert Client().post(link, {"decision": "approve"}).status_code == 403
    assert state_of(review) == "open"
    theirs = browser_of(sam())
    assert b"alice@acme.test" in theirs.get(link).content
    assert theirs.post(link, {"decision": "approve"}).status_code == 200
    assert state_of(review) == "approved"


def sam() -> Any:
    from registry.models import Person

    return Person.objects.get(email="sam@acme.test")


def test_a_forwarded_link_is_refused_in_anybody_elses_session(
    channel: Channel, opened: Callable[..., Review], cast: Cast
) -> None:
    review, link = mailed(opened)
    for other in (cast.sue, cast.alice, cast.mallory):
        browser = browser_of(other)
        looked = browser.get(link)
        assert looked.status_code == 403
        assert b"asks for" not in looked.content
        assert browser.post(link, {"decision": "approve"}).status_code == 403
    assert state_of(review) == "open"


def test_a_link_is_bound_to_every_part_of_itself(
    channel: Channel, opened: Callable[..., Review]
) -> None:
    review, link = mailed(opened)
    other = link_in(sent_to("sue@acme.test"))
    ident, proof = link.removeprefix("/answer/").rstrip("/").split(".")
    their_ident, their_proof = other.removeprefix("/answer/").rstrip("/").split(".")
    for forged in (
        f"{ident}.{their_proof}", f"{their_ident}.{proof}", f"{ident}.", ident, "x", ".",
        f"{ident}.{proof[:-1]}", f"{ident}.{proof}A", f"unsubscribe.{proof}", f"{ident}.é",
    ):  # fmt: skip
        for answer in (Client().get(f"/answer/{forged}/"), Client().post(f"/answer/{forged}/")):
            assert answer.status_code == 404
    later = clock.now() + timedelta(days=400)
    DecisionLink.objects.filter(public_id=ident).update(expires_at=later)  # in the database alone
    assert Client().get(link).status_code == 404
    assert state_of(review) == "open"


def test_a_page_of_another_site_cannot_use_a_link(
    channel: Channel, opened: Callable[..., Review]
) -> None:
    review, link = mailed(opened)
    strict = Client(enforce_csrf_checks=True)
    strict.get(link)
    assert strict.post(link, {"decision": "approve"}).status_code == 403
    assert state_of(review) == "open"


def test_of_two_tabs_one_answers(channel: Channel, opened: Callable[..., Review]) -> None:
    review, link = mailed(opened)
    first, second = Client(), Client()
    assert {first.get(link).status_code, second.get(link).status_code} == {200}
    assert first.post(link, {"decision": "approve"}).status_code == 200
    assert second.post(link, {"decision": "approve"}).status_code == 409
    assert review.decisions.count() == 1


def test_a_rejection_without_a_reason_leaves_the_link_usable(
    channel: Channel, opened: Callable[..., Review]
) -> None:
    review, link = mailed(opened)
    assert Client().post(link, {"decision": "reject"}).status_code == 422
    assert Client().post(link, {"decision": "maybe"}).status_code == 422
    assert Client().post(link, {"decision": "reject", "comment": "No"}).status_code == 200
    assert state_of(review) == "rejected"


def test_a_link_ends_with_its_review(channel: Channel, opened: Callable[..., Review]) -> None:
    review, link = mailed(opened)
    from tests.factories import make_person

    decide_review(review.public_id, actor=actor(make_person("zoe", "security")), decision="approve")
    assert Client().get(link).status_code == 409
    assert Client().post(link, {"decision": "approve"}).status_code == 409
    other, its_link = mailed_again(opened)
    with clock.held_at(other.expires_at + timedelta(seconds=1)):
        assert Client().get(its_link).status_code == 409


def mailed_again(opened: Callable[..., Review]) -> tuple[Review, str]:
    outbox.outbox.clear()
    return mailed(opened)


def test_who_lost_the_role_decides_nothing(channel: Channel, opened: Callable[..., Review]) -> None:
    review, link = mailed(opened)
    person = sam()
    person.roles = ["employee"]
    person.save(update_fields=["roles"])
    assert Client().post(link, {"decision": "approve"}).status_code in {403, 404}
    assert state_of(review) == "open"


def test_preferences_are_heeded(
    channel: Channel, opened: Callable[..., Review], cast: Cast
) -> None:
    now = clock.now()
    NoticePreference.objects.create(person=cast.sam, mail="off", changed_at=now)
    NoticePreference.objects.create(person=cast.sue, mail="digest", changed_at=now)
    opened()
    opened()
    assert sweep() == 0
    with clock.held_at(now + timedelta(days=1, minutes=1)):
        assert sweep() == 1
    (mail,) = outbox.outbox
    assert mail.to == ["sue@acme.test"]
    assert mail.subject == "[Unsprawl] 2 questions wait for your answer"
    assert len(re.findall("/answer/lnk_", str(mail.body))) == 2


def test_a_digest_leaves_at_its_hour_of_the_persons_own_day(cast: Cast) -> None:
    cast.sam.time_zone = "Asia/Tokyo"
    preference = NoticePreference(person=cast.sam, mail="digest", digest_hour=8)
    leaves = next_digest(cast.sam, preference, clock.now())
    assert (leaves.hour, leaves.utcoffset()) == (8, timedelta(hours=9))
    assert clock.now() < leaves <= clock.now() + timedelta(days=1)


def test_a_mail_program_ends_the_mails_by_post_alone(
    channel: Channel, opened: Callable[..., Review], cast: Cast
) -> None:
    mailed(opened)
    header = sent_to("sam@acme.test").extra_headers["List-Unsubscribe"]
    path = "/answer/" + header.strip("<>").partition("/answer/")[2]
    Client().get(path)
    assert not NoticePreference.objects.exists()
    one_click = Client(enforce_csrf_checks=True)
    assert one_click.post(path, {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert NoticePreference.objects.get().person == cast.sam
    assert Client().post(path.replace("per_", "per_x")).status_code == 404


def test_one_chooses_on_ones_own_page(cast: Cast) -> None:
    browser = browser_of(cast.alice)
    address = reverse("approvals:notices")
    assert browser.get(address).status_code == 200
    browser.post(address, {"mail": "digest", "digest_hour": "7"})
    kept = NoticePreference.objects.get()
    assert (kept.person, kept.mail, kept.digest_hour) == (cast.alice, "digest", 7)
    assert browser.post(address, {"mail": "never", "digest_hour": "25"}).status_code == 422


def test_no_header_is_broken_by_what_others_wrote(
    channel: Channel, opened: Callable[..., Review]
) -> None:
    opened(kind="other", text="Pay?\r\nBcc: eve@evil.test\n\n<b>x</b>\u202e" + "long " * 100)
    sweep()
    mail = sent_to("sam@acme.test")
    raw = mail.message().as_bytes()
    assert b"\nBcc:" not in raw
    assert "<b>x</b>" not in mail.alternatives[0].content
    assert "\u202e" not in mail.body
    assert len(mail.subject) <= 170


def test_what_nobody_decides_is_told_of_once_more(
    channel: Channel, opened: Callable[..., Review]
) -> None:
    opened()
    assert remind_deciders(actor=SENDER) == 0
    from django.db import connection

    with connection.cursor() as cursor:  # as if most of its time were over
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE approvals_review SET created_at = now() - interval '90 days'")
        cursor.execute("SET LOCAL session_replication_role = origin")
    assert remind_deciders(actor=SENDER) == 1
    assert remind_deciders(actor=SENDER) == 0


def test_a_real_mail_server_gets_it_whole(
    channel: Channel, opened: Callable[..., Review], settings: Any
) -> None:
    taken: list[Any] = []

    class Kept(MessageHandler):
        def handle_message(self, message: Any) -> None:
            taken.append(message)

    server = Controller(Kept(), hostname="127.0.0.1", port=free_port())
    server.start()
    try:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_PORT = server.port
        opened()
        assert sweep() == 2
    finally:
        server.stop()
    assert sorted(each["To"] for each in taken) == ["sam@acme.test", "sue@acme.test"]
    kinds = [part.get_content_type() for part in taken[0].walk()]
    assert kinds == ["multipart/alternative", "text/plain", "text/html"]
    assert taken[0]["References"]


def test_a_mail_server_that_is_down_costs_a_delay(
    channel: Channel, opened: Callable[..., Review], settings: Any
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_PORT = 9
    review = opened()
    assert sweep() == 0
    assert "mail server" in Notice.objects.exclude(failure="").get().failure
    decide_review(review.public_id, actor=actor(sam()), decision="approve")
    assert state_of(review) == "approved"
