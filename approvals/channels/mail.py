"""Mails: one to each decider, in plain text and HTML, with a link that is theirs alone.

What others wrote passes two escapes: hidden characters are made visible, and the HTML template
escapes the rest. A header holds one visible line and no more. Mails of one review share a root
in ``References``, so a program shows them together.
"""

from __future__ import annotations

import smtplib
from typing import Any, Final

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from approvals.channels import plain
from approvals.channels.content import Content, content_of
from approvals.channels.links import link_to, unsubscribe_url
from approvals.channels.sending import Outcome, Send
from approvals.models import Notice, Review

_LONGEST_SUBJECT: Final = 150
_HEADS: Final = {
    Notice.Event.OPENED: "A question waits for your answer",
    Notice.Event.ESCALATED: "A question waits, and has come to you",
    Notice.Event.REMINDED: "A question still waits for your answer",
    Notice.Event.TESTED: "A test: mails about reviews arrive here",
}


def prepare(notices: list[Notice]) -> Send:
    """Make the mail of a notice, or of one person's digest."""
    return post(message(notices))


def post(mail: EmailMultiAlternatives) -> Send:
    """Make a mail ready to be sent."""

    def send() -> Outcome:
        try:
            mail.send()
        except smtplib.SMTPRecipientsRefused:
            return Outcome(is_sent=False, failure="The mail server does not take this address.")
        except smtplib.SMTPException:
            return Outcome(is_sent=False, failure="The mail server refused it.")
        except OSError:
            return Outcome(is_sent=False, failure="The mail server takes no connection.")
        return Outcome(is_sent=True)

    return send


def message(notices: list[Notice]) -> EmailMultiAlternatives:
    """Return the mail of some notices to one person."""
    first = notices[0]
    person = first.person
    if person is None:
        raise ValueError("a mail is to somebody")
    asked = [_asked(each, each.review) for each in notices if each.review is not None]
    head = _HEADS[Notice.Event(first.event)]
    if len(asked) > 1:
        head = f"{len(asked)} questions wait for your answer"
    title = asked[0]["content"].title if len(asked) == 1 else head
    leave = unsubscribe_url(person)
    context = {
        "head": head,
        "asked": asked,
        "leave": leave,
        "account": f"{settings.PUBLIC_URL}/account/notices/",
    }
    mail = EmailMultiAlternatives(
        subject=f"[Unsprawl] {plain.line(title, _LONGEST_SUBJECT)}",
        body=render_to_string("approvals/mail/notice.txt", context),
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[person.email],
        headers=_headers(notices, leave),
    )
    mail.attach_alternative(render_to_string("approvals/mail/notice.html", context), "text/html")
    return mail


def _asked(notice: Notice, review: Review) -> dict[str, Any]:
    content = content_of(review, notice.channel.carries)
    return {"content": content, "arguments": _arguments(content), "url": link_to(notice)}


def _arguments(content: Content) -> str:
    return plain.lines(content.arguments) if content.arguments is not None else ""


def _headers(notices: list[Notice], leave: str) -> dict[str, str]:
    headers = headers_of(notices[0].public_id, leave)
    review = notices[0].review
    if review is not None and len(notices) == 1:
        root = named(review.public_id)
        headers |= {"References": root, "In-Reply-To": root}
    return headers


def headers_of(ident: str, leave: str) -> dict[str, str]:
    """Return the headers of every mail: its name, and the way to have no more of them."""
    return {
        # The same over every attempt: a mail that came twice is one mail to most programs.
        "Message-ID": named(ident),
        "List-Unsubscribe": f"<{leave}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
    }


def named(ident: str) -> str:
    """Return a message id that is ours alone."""
    return f"<{ident}@{settings.PUBLIC_HOST}>"
