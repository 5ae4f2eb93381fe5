"""The secrets of tools, opened in the one process that may: the worker."""

from __future__ import annotations

from django.conf import settings

from credentials.broker import COLUMNS, SealedRow, SecretOpener, SecretText
from credentials.errors import SecretNotFound, SecretsClosed
from credentials.models import Secret
from kernel.refs import Ref

RING = Secret.Ring.TOOL


def open_tool_secret(holder: Ref) -> tuple[str, SecretText]:
    """Return the id and the text of a holder's current secret.

    Raises: SecretsClosed, SecretNotFound, CannotOpen.
    """
    require_opening()
    rows = Secret.objects.filter(holder=str(holder), ring=RING, retired_at__isnull=True)
    row = rows.values_list(*COLUMNS).first()
    if row is None:
        raise SecretNotFound(f"No secret was given to {holder}.")
    sealed = SealedRow(*row)
    return sealed.public_id, SecretOpener(settings.KEYS_DIR, RING).open(sealed)


def require_opening() -> None:
    """Refuse in a process that was not given the ring. Raises: SecretsClosed."""
    if RING not in settings.OPENS:
        raise SecretsClosed
