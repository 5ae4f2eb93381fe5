"""The secrets of targets and feeds, opened in the one process that may: the worker."""

from __future__ import annotations

from django.conf import settings

from credentials.broker import COLUMNS, SealedRow, SecretOpener, SecretText
from credentials.errors import SecretNotFound
from credentials.models import Secret
from kernel.errors import Unavailable
from kernel.refs import Ref

RING = "tool"


class SecretsClosed(Unavailable):
    """Raised in a process that may seal the secrets of targets and feeds and not open them."""

    code = "outlets.secrets_closed"
    title = "This process may not open secrets"


def secret_of_holder(holder: Ref) -> SecretText:
    """Return a holder's current secret. Raises: SecretsClosed, SecretNotFound, CannotOpen."""
    if RING not in settings.OPENS:
        raise SecretsClosed
    rows = Secret.objects.filter(holder=str(holder), ring=RING, retired_at__isnull=True)
    row = rows.values_list(*COLUMNS).first()
    if row is None:
        raise SecretNotFound
    return SecretOpener(settings.KEYS_DIR, RING).open(SealedRow(*row))
