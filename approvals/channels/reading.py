"""Which channels there are, what became of each message, and what one person prefers."""

from __future__ import annotations

from typing import Final

from django.db.models import QuerySet

from approvals.channels.errors import ChannelNotFound, NoticeNotFound
from approvals.models import Channel, Notice, NoticePreference, SlackAccount
from registry.actors import Actor
from registry.models import Person, Role

SEEING: Final = (Role.SECURITY, Role.PLATFORM, Role.AUDITOR)


def channels_seen_by(actor: Actor) -> QuerySet[Channel]:
    """Return the channels, for those who oversee. Raises: RoleMissing."""
    actor.require(*SEEING)
    return Channel.objects.filter(removed_at__isnull=True)


def channel_for(actor: Actor, public_id: str) -> Channel:
    """Return one channel. Raises: RoleMissing, ChannelNotFound."""
    found = channels_seen_by(actor).filter(public_id=public_id.replace("\x00", "")).first()
    if found is None:
        raise ChannelNotFound
    return found


def notices_of(actor: Actor, channel: Channel) -> QuerySet[Notice]:
    """Return what a channel was or will be told, whatever became of it. Raises: RoleMissing."""
    actor.require(*SEEING)
    return Notice.objects.filter(channel=channel).select_related("review", "person")


def notice_for(actor: Actor, channel: Channel, public_id: str) -> Notice:
    """Return one message of a channel. Raises: RoleMissing, NoticeNotFound."""
    found = notices_of(actor, channel).filter(public_id=public_id.replace("\x00", "")).first()
    if found is None:
        raise NoticeNotFound
    return found


def live_channel(public_id: str, kind: str) -> Channel | None:
    """Return the channel that an outside request names, if it still is one of that kind."""
    rows = Channel.objects.filter(kind=kind, removed_at__isnull=True, paused_at__isnull=True)
    return rows.filter(public_id=public_id.replace("\x00", "")).first()


def preference_of(person: Person) -> NoticePreference:
    """Return how a person wants mails; without a choice, each at once."""
    kept = NoticePreference.objects.filter(person=person).first()
    return kept or NoticePreference(person=person)


def slack_accounts_of(person: Person) -> QuerySet[SlackAccount]:
    """Return the accounts in Slack that a person has proved or is proving."""
    return SlackAccount.objects.filter(person=person).select_related("channel").order_by("pk")


def slack_workspaces() -> QuerySet[Channel]:
    """Return the channels whose Slack can be asked who somebody is."""
    return Channel.objects.filter(kind=Channel.Kind.SLACK, removed_at__isnull=True)
