"""Channels as people set them up: added, changed, tried, paused, removed; each on record.

Two secrets, two directions. What we send with is sealed for the worker; what answers are signed
with is sealed for the web process, and whoever knows that one has nothing of theirs decided over
the channel.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction

from approvals.actions.announcing import SWEEP
from approvals.audience import is_audience
from approvals.channels.errors import ChannelNotUsable
from approvals.channels.secrets import INBOUND, SENDING
from approvals.channels.signatures import new_signing_secret
from approvals.models import Channel, Notice, Review
from approvals.models.channel import ANY_EFFECT, EFFECTS
from credentials.actions import retire_secret, seal_secret
from credentials.egress import GuardedClient
from credentials.queries import secret_of
from kernel import clock
from kernel.db import refused_as, ring
from kernel.refs import Ref, new_id
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Role

Kind = Channel.Kind
MAY_SET: Final = (Role.SECURITY, Role.PLATFORM)
SLACK: Final = "https://slack.com/api"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,62}")
_PLACE: Final = re.compile(r"[CGD][A-Z0-9]{5,20}")
_WORKSPACE: Final = re.compile(r"|[TE][A-Z0-9]{5,20}")
_BOT: Final = re.compile(r"xox[bp]-[A-Za-z0-9-]{10,200}")
_TOO_GRAVE: Final = ("money", "delete", ANY_EFFECT)
_ANSWERED: Final = (Kind.SLACK, Kind.WEBHOOK)
_TOPIC: Final = re.compile(r"\*|[a-z][a-z_]{1,39}")
_FILTERS: Final = ("events", "kinds", "audience", "agents", "teams", "tells")
_CHOSEN: Final = ("place", "workspace", "carries", *_FILTERS, "min_effect", "decides_up_to")


@dataclass(frozen=True, slots=True)
class WantedChannel:
    """What somebody asks of a channel."""

    name: str
    kind: str
    address: str = ""
    secret: str = field(default="", repr=False)  # a bot's token, or a URL that is a secret
    signing_secret: str = field(default="", repr=False)  # what Slack signs with
    place: str = ""
    workspace: str = ""
    carries: str = Channel.Carries.TITLE
    events: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    audience: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    tells: tuple[str, ...] = ()
    min_effect: str = ""
    decides_up_to: str = ""


@dataclass(frozen=True, slots=True)
class Issued:
    """A channel, and the secrets of ours that are shown this once."""

    channel: Channel
    secret: str = field(default="", repr=False)  # what we sign with
    answers_secret: str = field(default="", repr=False)  # what answers are to be signed with


@transaction.atomic
def add_channel(wanted: WantedChannel, *, actor: Actor) -> Issued:
    """Begin to tell a place of reviews. Its own secrets are made here and shown once.

    Plain connections, other ports and addresses inside are for the platform role.
    Records: channel.added, secret.sealed. Raises: RoleMissing, ChannelNotUsable,
    AddressRefused, SecretNotUsable.
    """
    actor.require(*MAY_SET)
    allow_private = actor.has(Role.PLATFORM)
    address = _checked(wanted, allow_private=allow_private, is_new=True)
    taken = ChannelNotUsable(f"There is a channel named {wanted.name!r} already.")
    with refused_as({"approvals_channel_name_key": taken}):
        channel = Channel.objects.create(
            public_id=new_id("chn"),
            name=wanted.name,
            kind=wanted.kind,
            address=address,
            allow_private=allow_private,
            added_by=str(actor.ref),
            added_at=clock.now(),
            **_chosen(wanted),
        )
    issued = _seal(channel, wanted, actor, is_new=True)
    record(Verb.CHANNEL_ADDED, channel.ref, actor=actor.ref, facts=_facts(channel))
    return issued


@transaction.atomic
def change_channel(channel: Channel, wanted: WantedChannel, *, actor: Actor) -> Issued:
    """Change what a channel is told and where it is; its kind and its name stay.

    Records: channel.changed, secret.sealed. Raises: RoleMissing, ChannelNotUsable,
    AddressRefused, SecretNotUsable.
    """
    actor.require(*MAY_SET)
    channel = Channel.objects.select_for_update().get(pk=channel.pk)
    if (wanted.kind, wanted.name) != (channel.kind, channel.name):
        raise ChannelNotUsable("A channel keeps its name and its kind; add another one.")
    allow_private = actor.has(Role.PLATFORM)
    address = _checked(wanted, allow_private=allow_private, is_new=False) or channel.address
    moves = address != channel.address or bool(wanted.secret)
    _check_move(channel, wanted, address)
    # Who moves it answers for where it goes; a mere change of filters keeps what was allowed.
    channel.allow_private = allow_private if moves else channel.allow_private
    channel.address = address
    chosen = _chosen(wanted)
    for name, value in chosen.items():
        setattr(channel, name, value)
    channel.save(update_fields=["address", "allow_private", *chosen])
    issued = _seal(channel, wanted, actor, is_new=False)
    record(Verb.CHANNEL_CHANGED, channel.ref, actor=actor.ref, facts=_facts(channel))
    return issued


@transaction.atomic
def rotate_channel(channel: Channel, *, actor: Actor, answers: bool = False) -> Issued:
    """Make a new secret of a signed webhook; the one before counts for a day more.

    ``answers`` renews what answers are signed with. Rotating twice ends the first at once.
    Records: secret.sealed. Raises: RoleMissing, ChannelNotUsable.
    """
    actor.require(*MAY_SET)
    if channel.kind != Kind.WEBHOOK:
        raise ChannelNotUsable("Only a signed webhook has a secret of ours; enter the new one.")
    text = new_signing_secret()
    if answers:
        _seal_door(channel, text, actor)
        return Issued(channel, answers_secret=text)
    seal_secret(channel.ref, text, ring=SENDING, actor=actor.ref)
    return Issued(channel, secret=text)


@transaction.atomic
def try_channel(channel: Channel, *, actor: Actor) -> Notice:
    """Have the worker send a message that asks nothing; a mail goes to whoever tries it.

    Records: channel.tested. Raises: RoleMissing.
    """
    actor.require(*MAY_SET)
    now = clock.now()
    notice = Notice.objects.create(
        public_id=new_id("ntc"),
        channel=channel,
        event=Notice.Event.TESTED,
        person=actor.person if channel.kind == Kind.MAIL else None,
        again_at=now,
        created_at=now,
    )
    record(Verb.CHANNEL_TESTED, channel.ref, actor=actor.ref)
    ring(SWEEP)
    return notice


@transaction.atomic
def pause_channel(channel: Channel, *, actor: Actor, reason: str = "") -> Channel:
    """Send nothing and take nothing until it is resumed; what comes meanwhile waits.

    Records: channel.paused. Raises: RoleMissing.
    """
    actor.require(*MAY_SET)
    if Channel.objects.filter(pk=channel.pk, paused_at__isnull=True).update(paused_at=clock.now()):
        facts: dict[str, Fact] = {"reason": reason[:1000]}
        record(Verb.CHANNEL_PAUSED, channel.ref, actor=actor.ref, facts=facts)
    channel.refresh_from_db()
    return channel


@transaction.atomic
def resume_channel(channel: Channel, *, actor: Actor) -> Channel:
    """Go on, also where the receiver had said that it is gone.

    Records: channel.resumed. Raises: RoleMissing.
    """
    actor.require(*MAY_SET)
    Channel.objects.filter(pk=channel.pk).update(
        paused_at=None, gone_at=None, again_at=None, failures=0, failure="", failing_since=None
    )
    record(Verb.CHANNEL_RESUMED, channel.ref, actor=actor.ref)
    ring(SWEEP)
    channel.refresh_from_db()
    return channel


@transaction.atomic
def remove_channel(channel: Channel, *, actor: Actor, reason: str = "") -> None:
    """End a channel for good; its secrets are retired with it.

    Records: channel.removed, secret.retired. Raises: RoleMissing.
    """
    actor.require(*MAY_SET)
    # The name is free again; the row stays.
    if Channel.objects.filter(pk=channel.pk, removed_at__isnull=True).update(
        removed_at=clock.now(), name=f"{channel.name} ({channel.public_id})"
    ):
        for holder in (channel.ref, channel.door):
            _retire(holder, actor)
        facts: dict[str, Fact] = {"reason": reason[:1000]}
        record(Verb.CHANNEL_REMOVED, channel.ref, actor=actor.ref, facts=facts)


@transaction.atomic
def retry_notice(notice: Notice, *, actor: Actor) -> Notice:
    """Send a message once more that was given up, or at once what waits for its next attempt.

    Records: notice.retried. Raises: RoleMissing, ChannelNotUsable.
    """
    actor.require(*MAY_SET)
    waiting, now = Notice.State.WAITING, clock.now()
    rows = Notice.objects.filter(pk=notice.pk, state__in=(Notice.State.GIVEN_UP, waiting))
    if not rows.update(state=waiting, ended_at=None, attempts=0, again_at=now):
        raise ChannelNotUsable("This message has arrived, or nobody needs it any more.")
    Channel.objects.filter(pk=notice.channel_id).update(again_at=None)
    facts: dict[str, Fact] = {"notice": notice.public_id}
    record(Verb.NOTICE_RETRIED, notice.channel.ref, actor=actor.ref, facts=facts)
    ring(SWEEP)
    notice.refresh_from_db()
    return notice


def _chosen(wanted: WantedChannel) -> dict[str, Any]:
    values = {name: getattr(wanted, name) for name in _CHOSEN}
    return values | {name: list(dict.fromkeys(values[name])) for name in _FILTERS}


def _checked(wanted: WantedChannel, *, allow_private: bool, is_new: bool) -> str:
    """Return the address to keep: never one that is a secret.

    Raises: ChannelNotUsable, AddressRefused.
    """
    _check_words(wanted)
    client = GuardedClient(allow_private=allow_private)
    match wanted.kind:
        case Kind.MAIL:
            if not settings.EMAIL_HOST:
                raise ChannelNotUsable("No mail leaves here: the operator sets UNSPRAWL_MAIL_HOST.")
            return ""
        case Kind.SLACK:
            return _checked_slack(wanted, client, allow_private=allow_private, is_new=is_new)
        case Kind.WEBHOOK:
            if wanted.address or is_new:
                client.check(wanted.address)
            return wanted.address
        case _:
            if not wanted.secret and not is_new:
                return ""
            client.check(wanted.secret)
            host = urlsplit(wanted.secret).hostname or ""
            if wanted.kind == Kind.SLACK_HOOK and host != "hooks.slack.com" and not allow_private:
                raise ChannelNotUsable("Incoming webhooks of Slack are at hooks.slack.com.")
            return host


def _checked_slack(
    wanted: WantedChannel, client: GuardedClient, *, allow_private: bool, is_new: bool
) -> str:
    base = (wanted.address or SLACK).rstrip("/")
    client.check(base)
    if base != SLACK and not allow_private:
        raise ChannelNotUsable("Another base than Slack's own is for the platform role to set.")
    if not _PLACE.fullmatch(wanted.place):
        raise ChannelNotUsable("Name the conversation by its id, such as C0123456789.")
    if not _WORKSPACE.fullmatch(wanted.workspace):
        raise ChannelNotUsable("Name the workspace by its id, such as T0123456789, or leave it.")
    if (is_new or wanted.secret) and not _BOT.fullmatch(wanted.secret):
        raise ChannelNotUsable("Enter the bot's token, which begins with xoxb-.")
    return base


def _check_move(channel: Channel, wanted: WantedChannel, address: str) -> None:
    """A secret belongs to the address it was given for. Raises: ChannelNotUsable."""
    if channel.kind != Kind.SLACK or address == channel.address:
        return
    if not wanted.secret or (secret_of(channel.door) is not None and not wanted.signing_secret):
        raise ChannelNotUsable(
            "The token and the signing secret were given for another address; enter them again."
        )


def _check_words(wanted: WantedChannel) -> None:
    if not _NAME.fullmatch(wanted.name):
        raise ChannelNotUsable("A name has 2 to 63 small letters, digits and hyphens.")
    for value, offered, what in (
        ((wanted.kind,), Kind.values, "kind"),
        ((wanted.carries,), Channel.Carries.values, "content"),
        (wanted.events, Notice.Event.values, "event"),
        (wanted.kinds, Review.Kind.values, "kind of review"),
        ((wanted.min_effect,), ("", *EFFECTS), "effect"),
        ((wanted.decides_up_to,), ("", *EFFECTS, ANY_EFFECT), "limit"),
    ):
        if unknown := [each for each in value if each not in offered]:
            raise ChannelNotUsable(f"There is no {what} {unknown[0][:40]!r}.")
    if unknown := [each for each in wanted.audience if not is_audience(each)]:
        raise ChannelNotUsable(f"{unknown[0][:40]!r} is no audience; write role:security.")
    if unknown := [each for each in wanted.tells if not _TOPIC.fullmatch(each)]:
        raise ChannelNotUsable(f"{unknown[0][:40]!r} is no topic; write incident, or * for all.")
    if wanted.decides_up_to and wanted.kind in {Kind.SLACK_HOOK, Kind.TEAMS}:
        raise ChannelNotUsable(
            "Nobody can answer over this kind of channel; leave the limit empty."
        )
    if wanted.kind == Kind.WEBHOOK and wanted.decides_up_to in _TOO_GRAVE:
        raise ChannelNotUsable(
            "A webhook's one secret answers in anybody's name: it decides up to 'message'. What is"
            " graver is decided in the portal, by mail or in Slack."
        )


def _seal(channel: Channel, wanted: WantedChannel, actor: Actor, *, is_new: bool) -> Issued:
    made, answers = "", ""
    if channel.kind == Kind.WEBHOOK and is_new:
        made = new_signing_secret()
    if made or wanted.secret:
        seal_secret(channel.ref, made or wanted.secret, ring=SENDING, actor=actor.ref)
    if channel.kind == Kind.SLACK and wanted.signing_secret:
        _seal_door(channel, wanted.signing_secret, actor)
    has_door = secret_of(channel.door) is not None
    if channel.kind == Kind.WEBHOOK and channel.decides_up_to and not has_door:
        answers = new_signing_secret()
        _seal_door(channel, answers, actor)
    elif channel.kind == Kind.SLACK and channel.decides_up_to and not has_door:
        raise ChannelNotUsable("Enter Slack's signing secret, or let nothing be decided there.")
    return Issued(channel, secret=made, answers_secret=answers)


def _seal_door(channel: Channel, text: str, actor: Actor) -> None:
    seal_secret(channel.door, text, ring=INBOUND, actor=actor.ref)
    channel.decides_by = str(actor.ref)
    channel.save(update_fields=["decides_by"])


def _retire(holder: Ref, actor: Actor) -> None:
    if secret_of(holder) is not None:
        retire_secret(holder, actor=actor.ref, reason="the channel was removed")


def _facts(channel: Channel) -> dict[str, Fact]:
    return {
        "name": channel.name,
        "kind": channel.kind,
        "address": channel.address,
        "place": channel.place,
        "carries": channel.carries,
        "decides_up_to": channel.decides_up_to,
        "min_effect": channel.min_effect,
        **{name: list(getattr(channel, name)) for name in _FILTERS},
    }
