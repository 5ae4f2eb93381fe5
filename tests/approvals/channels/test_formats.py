"""Hostile text in every field: in no format does it become markup, a ping, or a second line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from approvals.channels import content, mail, plain, slack, teams, webhook
from approvals.channels.content import content_of
from approvals.models import Channel, Notice, Review
from kernel import clock
from tests.approvals.channels.receivers import Receiver, make_channel
from tests.approvals.channels.test_sending import sweep
from tests.factories import Cast

HOSTILE = [
    "<!channel> <!here> <@U1> <https://evil.test|click>",
    "@channel @here @everyone",
    "*bold* _it_ ~no~ `code` ```block``` [a](https://evil.test) # head",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "&lt;!channel&gt; &amp;",
    "line\r\nBcc: eve@evil.test\r\n\r\nbody",
    "\u202egnp.exe\u2066\u200b\ufeff\x1b[31m\x07",
    "<at>everyone</at> {{HOST}} ${x} {% now %}",
    '"}],"text":"<!channel>',
]
HIDDEN = "\r\u202e\u2066\u200b\ufeff\x1b\x07"


@pytest.fixture
def arguments() -> Iterator[dict[str, Any]]:
    """What a review asks about, opened for a channel that carries it."""
    before = content._Bound.arguments
    kept: dict[str, Any] = {}
    content.bind_arguments(lambda _: kept)
    yield kept
    content.bind_arguments(before)


def notice_about(review: Review, **over: Any) -> Notice:
    channel = make_channel(**({"carries": "full", "decides_up_to": "any"} | over))
    now = clock.now()
    return Notice(
        public_id="ntc_1", channel=channel, review=review, event="opened", again_at=now,
        created_at=now,
    )  # fmt: skip


def texts(node: Any) -> Iterator[dict[str, Any]]:
    """Every object of a document that has a text."""
    if isinstance(node, dict):
        if isinstance(node.get("text"), str):
            yield node
        for value in node.values():
            yield from texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from texts(value)


@pytest.mark.parametrize("text", HOSTILE)
def test_slack_parses_nothing_that_others_wrote(
    opened: Callable[..., Review], arguments: dict[str, Any], text: str
) -> None:
    arguments |= {text: text, "nested": [{"more": text}]}
    review = opened(operation=text[:60], justification="why " + text)
    said = slack.message(notice_about(review, kind="slack"))
    for each in texts(said["blocks"]):
        assert (each["type"], each["emoji"]) == ("plain_text", False)
    assert "<" not in said["text"]
    assert said["link_names"] is False
    assert not set(HIDDEN) & set(json.dumps(said, ensure_ascii=False))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_card_of_teams_has_text_runs_alone(
    opened: Callable[..., Review], arguments: dict[str, Any], text: str
) -> None:
    arguments |= {text: text}
    said = teams.message(notice_about(opened(operation=text[:60]), kind="teams", decides_up_to=""))
    card = said["attachments"][0]["content"]
    assert card["version"] == "1.4"
    assert {each["type"] for each in card["body"]} == {"RichTextBlock"}
    assert {each["type"] for each in texts(card)} == {"TextRun"}
    assert [each["type"] for each in card["actions"]] == ["Action.OpenUrl"]
    assert "msteams" not in card  # without entities there is no mention
    assert not set(HIDDEN) & set(json.dumps(said, ensure_ascii=False))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_mail_is_escaped_and_its_headers_are_one_line(
    cast: Cast, opened: Callable[..., Review], arguments: dict[str, Any], text: str
) -> None:
    arguments |= {text: text}
    review = opened(operation=text[:60], justification="why " + text)
    notice = notice_about(review, kind="mail")
    notice.person = cast.sam
    notice.save()
    made = mail.message([notice])
    head, _, _ = made.message().as_bytes().partition(b"\n\n")
    assert b"\nBcc:" not in head
    html = str(made.alternatives[0][0])
    assert "<script" not in html
    assert "<img" not in html
    assert not set(HIDDEN) & set(str(made.body) + html)


def test_what_a_message_cannot_hold_is_not_approved_in_it(
    opened: Callable[..., Review], arguments: dict[str, Any]
) -> None:
    def offered(notice: Notice) -> list[str]:
        (buttons,) = (b for b in slack.message(notice)["blocks"] if b["type"] == "actions")
        return [each["action_id"] for each in buttons["elements"]]

    arguments |= {"note": "x"}
    notice = notice_about(opened(), kind="slack")
    assert offered(notice) == ["approve", "reject", "open"]
    arguments |= {"note": "x\n" * 20_000}
    assert offered(notice) == ["reject", "open"]
    notice.channel.decides_up_to = ""
    assert offered(notice) == ["open"]


def test_each_channel_carries_what_it_may(
    opened: Callable[..., Review], arguments: dict[str, Any]
) -> None:
    arguments |= {"iban": "DE00 1234"}
    review = opened(operation="bank.pay", justification="A reason")
    title = webhook.document(notice_about(review, carries="title"))
    summary = json.dumps(webhook.document(notice_about(review, carries="summary")))
    full = webhook.document(notice_about(review))
    assert "alice" not in json.dumps(title)
    assert "DE00" not in summary
    assert "A reason" not in summary
    assert "alice" in summary
    assert full["action_requests"][0]["args"] == {"iban": "DE00 1234"}
    assert content_of(review, "full").is_whole


def test_nothing_hidden_is_left_out_of_what_is_shown() -> None:
    shown = plain.lines({"a": "x\u202ey\u200b", "b": "\U000e0041"})
    assert "\\u202e" in shown
    assert "\\u200b" in shown
    assert "\\U000e0041" in shown
    assert plain.line("one\r\ntwo") == "one\\u000d\\u000atwo"


def test_slack_is_told_by_its_methods_and_the_message_changes_when_it_ends(
    cast: Cast, receiver: Receiver, opened: Callable[..., Review]
) -> None:
    from approvals.actions import decide_review
    from tests.factories import actor

    receiver.answer = b'{"ok": true, "channel": "C0123456789", "ts": "171.2"}'
    make_channel(
        kind="slack", secret="xoxb-1234567890-abc", place="C0123456789",
        address=f"http://127.0.0.1:{receiver.port}/api",
    )  # fmt: skip
    review = opened()
    assert sweep() == 1
    decide_review(review.public_id, actor=actor(cast.sam), decision="approve")
    assert sweep() == 1
    posted, updated = receiver.requests
    assert posted.path == "/api/chat.postMessage"
    assert posted.headers["authorization"] == "Bearer xoxb-1234567890-abc"
    assert json.loads(posted.body)["channel"] == "C0123456789"
    assert updated.path == "/api/chat.update"
    assert json.loads(updated.body)["ts"] == "171.2"


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (b'{"ok": false, "error": "channel_not_found"}', "Slack says channel_not_found."),
        (b'{"ok": false, "error": "<b>!</b>"}', "Slack says no."),
        (b"[]", "It did not answer as Slack does."),
        (b"nonsense", "It did not answer as Slack does."),
    ],
)
def test_slack_says_no_with_a_success_too(
    cast: Cast, receiver: Receiver, opened: Callable[..., Review], answer: bytes, failure: str
) -> None:
    receiver.answer = answer
    make_channel(
        kind="slack", secret="xoxb-1234567890-abc", place="C0123456789",
        address=f"http://127.0.0.1:{receiver.port}/api",
    )  # fmt: skip
    opened()
    assert sweep() == 0
    assert Notice.objects.get().failure == failure


@pytest.mark.parametrize("kind", ["slack_hook", "teams"])
def test_a_url_that_is_a_secret_gets_its_message(
    cast: Cast, receiver: Receiver, opened: Callable[..., Review], kind: str
) -> None:
    make_channel(kind=kind, secret=receiver.address, address="127.0.0.1")
    opened()
    assert sweep() == 1
    assert receiver.requests[0].path == "/in"


def test_a_channels_secrets_are_in_no_row(cast: Cast, receiver: Receiver) -> None:
    channel = make_channel(kind="teams", secret=receiver.address, address="127.0.0.1")
    row = Channel.objects.filter(pk=channel.pk).values().get()
    assert receiver.address not in json.dumps(row, default=str)
