"""What is told without a question, in each format; what others wrote is escaped as ever.

Owns the one door for parts on the left that tell people of something else than a review: they
make the text, and the secrets, the signatures and the escapes stay here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from approvals.channels import mail, plain, slack, teams, webhook
from approvals.channels.links import unsubscribe_url
from approvals.channels.sending import Send
from approvals.models import Channel
from kernel.clock import stamp
from registry.models import Person

Kind = Channel.Kind
_LONGEST_SUBJECT: Final = 150


@dataclass(frozen=True, slots=True)
class Told:
    """One message: every text is one visible line."""

    ident: str  # stays the same over every attempt
    kind: str
    subject: str
    title: str
    lines: tuple[str, ...]
    path: str
    created_at: datetime
    thread: str = ""  # in Slack: the message that began it

    @property
    def url(self) -> str:
        return f"{settings.PUBLIC_URL}{self.path}"


def prepare_told(channel: Channel, told: Told) -> Send:
    """Make a message ready for a channel. Raises: SecretsClosed, SecretNotFound, CannotOpen."""
    return _FORMATS[Kind(channel.kind)](channel, told)


def prepare_mail(person: Person, told: Sequence[Told]) -> Send:
    """Make one mail to a person of everything that is told them now."""
    return mail.post(message(person, told))


def message(person: Person, told: Sequence[Told]) -> EmailMultiAlternatives:
    """Return the mail of some messages to one person."""
    head = told[0].title if len(told) == 1 else f"{len(told)} things to know"
    leave = unsubscribe_url(person)
    context = {
        "head": head,
        "told": told,
        "leave": leave,
        "account": f"{settings.PUBLIC_URL}/account/notices/",
    }
    made = EmailMultiAlternatives(
        subject=f"[Unsprawl] {plain.line(head, _LONGEST_SUBJECT)}",
        body=render_to_string("approvals/mail/told.txt", context),
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[person.email],
        headers=mail.headers_of(told[0].ident, leave) | _thread(told),
    )
    made.attach_alternative(render_to_string("approvals/mail/told.html", context), "text/html")
    return made


def document(told: Told) -> dict[str, Any]:
    """Return what a signed webhook is sent."""
    return {
        "type": told.kind,
        "timestamp": stamp(told.created_at),
        "id": told.ident,
        "subject": told.subject,
        "title": told.title,
        "lines": list(told.lines),
        "url": told.url,
    }


def _thread(told: Sequence[Told]) -> dict[str, str]:
    # Mails about one thing share a root, so a program shows them together.
    if len(told) != 1:
        return {}
    root = mail.named(told[0].subject.replace(":", "."))
    return {"References": root, "In-Reply-To": root}


def _slack(channel: Channel, told: Told) -> Send:
    place = {"thread_ts": told.thread} if told.thread else {}
    return slack.post(channel, slack.told(told.title, told.lines, told.url), place)


def _teams(channel: Channel, told: Told) -> Send:
    return teams.post(channel, teams.told(told.title, told.lines, told.url))


def _webhook(channel: Channel, told: Told) -> Send:
    return webhook.post(channel, told.ident, document(told))


_FORMATS: Final[dict[Kind, Callable[[Channel, Told], Send]]] = {
    Kind.SLACK: _slack,
    Kind.SLACK_HOOK: _slack,
    Kind.TEAMS: _teams,
    Kind.WEBHOOK: _webhook,
}
