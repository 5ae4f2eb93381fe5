from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from effects.adapters.adapter import Ending, Lent, Place, Work
from effects.adapters.errors import ArgumentsRefused, SettingsInvalid
from effects.adapters.smtp import SmtpAdapter
from tests.effects.adapters.contract import HIDDEN, KEY, AdapterContract, Case
from tests.effects.mail_sink import MailSink, mail_sink
from tests.ports import free_port

ADAPTER = SmtpAdapter()
TEMPLATE: dict[str, Any] = {
    "to": {"$argument": "/to"},
    "subject": {"$argument": "/subject"},
    "text": {"$argument": "/text"},
}
ARGUMENTS = {"to": "ann@acme.test", "subject": "Invoice 7", "text": "Hello Ann,\n.\nyours"}


@pytest.fixture
def mail() -> Iterator[MailSink]:
    with mail_sink() as running:
        yield running


def place_at(port: int, **over: Any) -> Place:
    settings = {"host": "127.0.0.1", "port": port, "from": "agents@acme.test", "tls": "none"}
    return Place("mail", settings | over, allow_private=True, gaps=("user", "password"))


class TestSmtp(AdapterContract):
    @pytest.fixture
    def case(self, mail: MailSink) -> Case:
        def breaks() -> None:
            mail.breaks = True

        def refuses() -> None:
            mail.refuses = "rcpt"

        return Case(
            ADAPTER,
            place_at(mail.port),
            Work("send", TEMPLATE),
            dict(ARGUMENTS),
            "subject",
            lambda: len(mail.taken),
            place_at(free_port()),
            refuses,
            breaks,
            lent=Lent(user="agents", password=HIDDEN),
        )


def sent(mail: MailSink, **over: Any) -> Any:
    plan = ADAPTER.plan(place_at(mail.port), Work("send", TEMPLATE), ARGUMENTS | over, KEY)
    lent = Lent(user="agents", password=HIDDEN)
    return plan, ADAPTER.send(place_at(mail.port), plan, lent, key=KEY, fence=1)


def test_the_message_that_was_shown_is_the_one_that_arrives(mail: MailSink) -> None:
    plan, end = sent(mail, text="Grüße\n.\nund mehr")
    assert end.ending is Ending.DONE
    taken = mail.taken[0]
    assert taken.raw.decode() == dict(plan.parts)["message"]
    assert (taken.sender, taken.recipients) == ("agents@acme.test", ["ann@acme.test"])
    assert taken.message["Message-ID"] == f"<{KEY}@acme.test>"
    assert taken.message.get_content().replace("\r\n", "\n") == "Grüße\n.\nund mehr\n"
    assert mail.logins == [("agents", HIDDEN)]


def test_a_line_with_a_dot_alone_does_not_end_the_message(mail: MailSink) -> None:
    sent(mail)
    assert mail.taken[0].message.get_content().splitlines() == ["Hello Ann,", ".", "yours"]


@pytest.mark.parametrize(
    "over",
    [
        {"subject": "Hi\r\nBcc: eve@evil.test"},
        {"subject": "Hi\nBcc: eve@evil.test"},
        {"subject": "Hi\u2028Bcc: eve@evil.test"},
        {"subject": "Hi\x00"},
        {"subject": ""},
        {"to": "ann@acme.test\r\nBcc: eve@evil.test"},
        {"to": "ann@acme.test, eve@evil.test"},
        {"to": "Ann <ann@acme.test>"},
        {"to": []},
        {"to": ["ann@acme.test", 7]},
        {"to": ["ann@acme.test"] * 51},
        {"text": "a\x00b"},
    ],
)
def test_nothing_of_an_argument_becomes_a_header_or_a_recipient(
    mail: MailSink, over: dict[str, Any]
) -> None:
    with pytest.raises(ArgumentsRefused):
        sent(mail, **over)
    assert mail.taken == []


@pytest.mark.parametrize(("refuses", "word"), [("rcpt", "smtp:550"), ("data", "smtp:554")])
def test_a_server_that_says_no_has_not_done_it(mail: MailSink, refuses: str, word: str) -> None:
    mail.refuses = refuses
    _, end = sent(mail)
    assert (end.ending, end.status) == (Ending.NOT_DONE, word)
    assert mail.taken == []


def test_mail_in_the_clear_is_for_addresses_inside(mail: MailSink) -> None:
    settings = place_at(25, host="mail.acme.test").settings
    with pytest.raises(SettingsInvalid):
        ADAPTER.check_place(Place("mail", settings, allow_private=False))
