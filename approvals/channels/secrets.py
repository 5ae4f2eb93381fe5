"""The secrets of channels, opened where they may be: sending ones by the worker alone.

Two rings, because the directions differ: `tool` holds what we send with, and only the worker
opens it; `inbound` holds what others sign their requests with, and the web process opens it to
refuse a forgery before anything is stored.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db.models import Q, QuerySet

from approvals.models import Channel
from credentials.broker import COLUMNS, SealedRow, SecretOpener, SecretText
from credentials.errors import SecretNotFound
from credentials.models import Secret
from kernel import clock
from kernel.errors import Unavailable
from kernel.refs import Ref

SENDING: Final = "tool"
INBOUND: Final = "inbound"
OVERLAP: Final = timedelta(days=1)


class SecretsClosed(Unavailable):
    """Raised in a process that may not open the secrets of channels."""

    code = "approvals.secrets_closed"
    title = "This process may not open the secrets of channels"


def sending_secrets(channel: Channel) -> list[SecretText]:
    """Return what a channel sends with, newest first.

    Raises: SecretsClosed, SecretNotFound, CannotOpen.
    """
    return _opened(channel.ref, SENDING)


def inbound_secrets(channel: Channel) -> list[SecretText]:
    """Return what answers are signed with. Raises: SecretsClosed, SecretNotFound, CannotOpen."""
    return _opened(channel.door, INBOUND)


def keepers_of(channel: Channel) -> set[str]:
    """Return the ids of the people who know a secret that answers count by at this moment."""
    rows = _in_force(channel.door, INBOUND).values_list("created_by", flat=True)[:2]
    known = [Ref.parse(text) for text in {*rows, channel.decides_by} if ":" in text]
    return {ref.id for ref in known if ref.kind == "person"}


def _in_force(holder: Ref, ring: str) -> QuerySet[Secret]:
    # The one before counts for a day more.
    counts = Q(retired_at__isnull=True) | Q(retired_at__gt=clock.now() - OVERLAP)
    return Secret.objects.filter(counts, holder=str(holder), ring=ring).order_by("-version")


def _opened(holder: Ref, ring: str) -> list[SecretText]:
    if ring not in settings.OPENS:
        raise SecretsClosed
    rows = _in_force(holder, ring)
    if not rows.filter(retired_at__isnull=True).exists():
        raise SecretNotFound
    # Two at most: rotating twice ends the first at once.
    found = rows.values_list(*COLUMNS)[:2]
    opener = SecretOpener(settings.KEYS_DIR, ring)
    return [opener.open(SealedRow(*row)) for row in found]
