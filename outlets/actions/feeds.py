"""Feeds as people set them up: added, changed, tried, paused, removed; each on record."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from typing import Final

from django.db import transaction

from credentials.actions import retire_secret, seal_secret
from credentials.addresses import Target as Address
from credentials.dialling import Place
from credentials.egress import GuardedClient
from credentials.queries import secret_of
from kernel import clock
from kernel.db import refused_as, ring
from kernel.refs import new_id
from ledger.entries import Fact
from ledger.headers import KINDS
from ledger.record import record
from ledger.verbs import Verb
from outlets.errors import FeedNotUsable
from outlets.models import Feed
from outlets.queries.feeds import end_of_log
from outlets.queries.secrets import RING
from registry.actors import Actor
from registry.models import Role

MAY_SET: Final = (Role.SECURITY, Role.PLATFORM)
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,62}")
_HEADER: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{1,63}")
_SCHEME: Final = re.compile(r"[A-Za-z]{0,20}")
_VERB: Final = re.compile(r"[a-z_]+\.[a-z_]*")
# What frames a request or is the client's own to say: a second one would be another request.
_NOT_HEADERS: Final = frozenset(
    {
        "accept-encoding", "connection", "content-encoding", "content-length", "content-type",
        "cookie", "expect", "host", "keep-alive", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asks of a feed."""

    name: str
    kind: str
    format: str
    address: str
    auth_header: str = ""
    auth_scheme: str = ""
    secret: str = field(default="", repr=False)
    ca_pem: str = ""
    kinds: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    min_severity: int = 0
    from_start: bool = False


@transaction.atomic
def add_feed(wanted: Wanted, *, actor: Actor) -> Feed:
    """Begin to send entries to a receiver, from now on or from the first one.

    Plain connections, other ports of http and addresses inside are for the platform role.
    Records: feed.added, secret.sealed. Raises: RoleMissing, FeedNotUsable, AddressRefused,
    SecretNotUsable.
    """
    actor.require(*MAY_SET)
    allow_private = actor.has(Role.PLATFORM)
    _check(wanted, allow_private=allow_private)
    epoch, index = (1, -1) if wanted.from_start else end_of_log()
    taken = FeedNotUsable(f"There is a feed named {wanted.name!r} already.")
    with refused_as({"outlets_feed_name_key": taken}):
        feed = Feed.objects.create(
            public_id=new_id("fed"),
            name=wanted.name,
            kind=wanted.kind,
            format=wanted.format,
            address=wanted.address,
            auth_header=wanted.auth_header,
            auth_scheme=wanted.auth_scheme,
            ca_pem=wanted.ca_pem,
            allow_private=allow_private,
            kinds=list(wanted.kinds),
            verbs=list(wanted.verbs),
            min_severity=wanted.min_severity,
            epoch=epoch,
            index=index,
            added_by=str(actor.ref),
            added_at=clock.now(),
        )
    if wanted.secret:
        seal_secret(feed.ref, wanted.secret, ring=RING, actor=actor.ref)
    record(Verb.FEED_ADDED, feed.ref, actor=actor.ref, facts=_facts(feed))
    ring("outlets.send_feeds")
    return feed


@transaction.atomic
def pause_feed(feed: Feed, *, actor: Actor, reason: str = "") -> Feed:
    """Stop sending; the place in the log is kept.

    Records: feed.paused. Raises: RoleMissing.
    """
    actor.require(*MAY_SET)
    if Feed.objects.filter(pk=feed.pk, paused_at__isnull=True).update(paused_at=clock.now()):
        record(Verb.FEED_PAUSED, feed.ref, actor=actor.ref, facts={"reason": reason[:1000]})
    feed.refresh_from_db()
    return feed


@transaction.atomic
def resume_feed(feed: Feed, *, actor: Actor) -> Feed:
    """Go on where it was paused.

    Records: feed.resumed. Raises: RoleMissing.
    """
    actor.require(*MAY_SET)
    if Feed.objects.filter(pk=feed.pk, paused_at__isnull=False).update(
        paused_at=None, again_at=None, failures=0
    ):
        record(Verb.FEED_RESUMED, feed.ref, actor=actor.ref)
        ring("outlets.send_feeds")
    feed.refresh_from_db()
    return feed


@transaction.atomic
def try_feed(feed: Feed, *, actor: Actor) -> Feed:
    """Ask the worker to send one event that stands for nothing.

    Records: feed.tested. Raises: RoleMissing.
    """
    actor.require(*MAY_SET)
    Feed.objects.filter(pk=feed.pk).update(test_asked_at=clock.now(), test_result="")
    record(Verb.FEED_TESTED, feed.ref, actor=actor.ref)
    ring("outlets.send_feeds")
    feed.refresh_from_db()
    return feed


@transaction.atomic
def remove_feed(feed: Feed, *, actor: Actor, reason: str = "") -> None:
    """End a feed for good; its secret is retired with it.

    Records: feed.removed, secret.retired. Raises: RoleMissing.
    """
    actor.require(*MAY_SET)
    now = clock.now()
    # The name is free again; the row stays.
    if Feed.objects.filter(pk=feed.pk, removed_at__isnull=True).update(
        removed_at=now, name=f"{feed.name} ({feed.public_id})"
    ):
        if secret_of(feed.ref) is not None:
            retire_secret(feed.ref, actor=actor.ref, reason="the feed was removed")
        record(Verb.FEED_REMOVED, feed.ref, actor=actor.ref, facts={"reason": reason[:1000]})


def _check(wanted: Wanted, *, allow_private: bool) -> None:
    if not _NAME.fullmatch(wanted.name):
        raise FeedNotUsable("A name has 2 to 63 small letters, digits and hyphens.")
    if wanted.kind not in Feed.Kind.values or wanted.format not in Feed.Format.values:
        raise FeedNotUsable("Choose one of the kinds and formats that there are.")
    if wanted.format == Feed.Format.HEC and wanted.kind != Feed.Kind.HTTP:
        raise FeedNotUsable("The envelope of an event collector goes over http only.")
    if unknown := [kind for kind in wanted.kinds if kind not in KINDS]:
        raise FeedNotUsable(f"There is no kind {unknown[0][:40]!r}.")
    if wrong := [verb for verb in wanted.verbs if not _VERB.fullmatch(verb)]:
        raise FeedNotUsable(f"{wrong[0][:40]!r} is no verb; write agent.killed, or agent. for all.")
    if not 0 <= wanted.min_severity <= 10:
        raise FeedNotUsable("A severity is 0 to 10.")
    _check_door(wanted, allow_private=allow_private)
    _check_secret(wanted)


def _check_door(wanted: Wanted, *, allow_private: bool) -> None:
    if wanted.kind == Feed.Kind.HTTP:
        Address.parse(wanted.address, allow_private=allow_private)
        GuardedClient(allow_private=allow_private).check(wanted.address)
        return
    if wanted.kind != Feed.Kind.SYSLOG_TLS and not allow_private:
        raise FeedNotUsable("Syslog without TLS is for the platform role to set up.")
    Place.parse(wanted.address, allow_private=allow_private)
    if wanted.ca_pem:
        try:
            ssl.create_default_context(cadata=wanted.ca_pem)
        except (ssl.SSLError, ValueError):
            raise FeedNotUsable("The certificate of the authority is not PEM.") from None


def _check_secret(wanted: Wanted) -> None:
    if bool(wanted.secret) != bool(wanted.auth_header):
        raise FeedNotUsable("Name the header and give its secret, or neither.")
    if not wanted.auth_header:
        return
    if wanted.kind != Feed.Kind.HTTP:
        raise FeedNotUsable("Only http carries a header.")
    name = wanted.auth_header
    if not _HEADER.fullmatch(name) or name.lower() in _NOT_HEADERS:
        raise FeedNotUsable("This header cannot carry a secret.")
    if not _SCHEME.fullmatch(wanted.auth_scheme):
        raise FeedNotUsable("What stands before the secret has letters only: Bearer, Splunk.")


def _facts(feed: Feed) -> dict[str, Fact]:
    return {
        "name": feed.name,
        "kind": feed.kind,
        "format": feed.format,
        "address": feed.address,
        "kinds": list(feed.kinds),
        "verbs": list(feed.verbs),
        "min_severity": feed.min_severity,
        "begins_at": f"{feed.epoch}:{feed.index + 1}",
    }
