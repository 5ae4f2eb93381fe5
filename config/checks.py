"""System checks that need the database: that a process holds no more rights than it should."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import OperationalError

from config.database import OWNER_COMMANDS
from ledger.grants import APP_ROLE, can_rewrite


@register(Tags.database)
def the_ledger_is_not_ours(
    *, databases: Sequence[str] | None = None, **options: Any
) -> list[CheckMessage]:
    """Warn when a serving process logs in as the owner, whom no grant holds back."""
    if not databases or OWNER_COMMANDS & set(sys.argv[1:2]):
        return []
    try:
        if not can_rewrite():
            return []
    except OperationalError:  # no database is another check's business
        return []
    return [
        Warning(
            "This database role owns the ledger and could rewrite it.",
            hint=f"Log in as a member of {APP_ROLE}; keep the owner for `manage.py prepare`.",
            id="config.W001",
        )
    ]
