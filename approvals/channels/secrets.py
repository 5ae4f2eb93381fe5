"""The secrets of channels, opened where they may be: sending ones by the worker alone.

Two rings, because the directions differ: `tool` holds what we send with, and only the worker
opens it; `inbound` holds what others sign their requests with, and the web process opens it to
refuse a forgery before anything is stored.
"""

from __future__ import annotations

from typing import Final

from django.conf import settings

from approvals.models import Channel
from credentials.broker import COLUMNS, SealedRow, SecretOpener, SecretText
from credentials.errors import SecretNotFound
from credentials.models import Secret
from kernel import clock
from kernel.errors import Unavailable
from kernel.refs import Ref

SENDING: Final = "tool"
INBOUND: Final = "inbound"


class SecretsClosed(Unavailable):
    """Raised in a process that may not open the secrets of channels."""

    code = "approvals.secrets_closed"
    title = "This process may not open the secrets of channels"


def sending_secrets(channel: Channel) -> list[SecretText]:
    """Return what a channel sends with, the newest first, the one before while it still counts.

    Raises: SecretsClosed, SecretNotFound, CannotOpen.
    """
    return _opened(channel.ref, SENDING, _how_many(channel))


def inbound_secrets(channel: Channel) -> list[SecretText]:
    """Return what answers are signed with. Raises: SecretsClosed, SecretNotFound, CannotOpen."""
    return _opened(channel.door, INBOUND, _how_many(channel))


def _how_many(channel: Channel) -> int:
    return 2 if channel.earlier_until and channel.earlier_until > clock.now() else 1


def _opened(holder: Ref, ring: str, newest: int) -> list[SecretText]:
    if ring not in settings.OPENS:
        raise SecretsClosed
    rows = Secret.objects.filter(holder=str(holder), ring=ring).order_by("-version")
    current = list(rows.values_list(*COLUMNS)[:newest])
    if not current or not rows.filter(retired_at__isnull=True).exists():
        raise SecretNotFound
    opener = SecretOpener(settings.KEYS_DIR, ring)
    return [opener.open(SealedRow(*row)) for row in current]
