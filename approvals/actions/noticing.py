"""How a person wants to be told of reviews by mail: their own choice, on record."""

from __future__ import annotations

from django.db import transaction

from approvals.channels.errors import ChannelNotUsable
from approvals.errors import PeopleDecide
from approvals.models import NoticePreference
from kernel import clock
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor

Mail = NoticePreference.Mail


@transaction.atomic
def choose_notices(*, mail: str, digest_hour: int, actor: Actor) -> NoticePreference:
    """Choose for oneself: each mail at once, one a day, or none.

    Records: notices.chosen. Raises: PeopleDecide, ChannelNotUsable.
    """
    if actor.person is None:
        raise PeopleDecide
    if mail not in Mail.values or not 0 <= digest_hour <= 23:
        raise ChannelNotUsable("Choose now, digest or off, and an hour from 0 to 23.")
    chosen = {"mail": mail, "digest_hour": digest_hour, "changed_at": clock.now()}
    kept, _ = NoticePreference.objects.update_or_create(person=actor.person, defaults=chosen)
    record(Verb.NOTICES_CHOSEN, actor.ref, actor=actor.ref, facts={"mail": mail})
    return kept


@transaction.atomic
def unsubscribe(*, actor: Actor) -> None:
    """End the mails of whoever's mail program says so with their own link.

    Records: notices.chosen. Raises: PeopleDecide.
    """
    if actor.person is None:
        raise PeopleDecide
    off = {"mail": Mail.OFF, "changed_at": clock.now()}
    NoticePreference.objects.update_or_create(person=actor.person, defaults=off)
    record(Verb.NOTICES_CHOSEN, actor.ref, actor=actor.ref, facts={"mail": Mail.OFF.value})
