"""The secrets of channels, opened where they may be: sending ones by the worker alone.

Two rings, because the directions differ: `tool` holds what we send with, and only the worker
opens it; `inbound` holds what others sign their requests with, and the web process opens it to
refuse a forgery before anything is stored.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db.models import Q

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


def _opened(holder: Ref, ring: str) -> list[SecretText]:
    if ring not in settings.OPENS:
        raise SecretsClosed
    rows = Secret.objects.filter(holder=str(holder), ring=ring)
    if not rows.filter(retired_at__isnull=True).exists():
        raise SecretNotFound
    # The one before counts for a day more. Two at most: rotating twice ends the first at once.
    counts = Q(retired_at__isnull=True) | Q(retired_at__gt=clock.now() - OVERLAP)
    found = rows.filter(counts).order_by("-version").values_list(*COLUMNS)[:2]
    opener = SecretOpener(settings.KEYS_DIR, ring)
    return [opener.open(SealedRow(*row)) for row in found]
