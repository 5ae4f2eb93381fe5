"""How an action becomes bytes for one kind of system, and what its answer means.

Five adapters are ours; an installation names more in UNSPRAWL_ADAPTERS, each as the dotted path
of a class. A name stands for one adapter: ours cannot be replaced.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.module_loading import import_string

from effects.adapters.agent import AgentAdapter
from effects.adapters.errors import SettingsInvalid
from effects.adapters.http import HttpAdapter
from effects.adapters.postgresql import PostgresqlAdapter
from effects.adapters.slack import SlackAdapter
from effects.adapters.smtp import SmtpAdapter

if TYPE_CHECKING:
    from effects.adapters.adapter import Adapter


def adapter_of(name: str) -> Adapter:
    """Return the adapter of a name. Raises: SettingsInvalid."""
    found = adapters().get(name)
    if found is None:
        known = ", ".join(sorted(adapters()))
        raise SettingsInvalid(f"adapter: there is none of this name; there are {known}.")
    return found


@cache
def adapters() -> dict[str, Adapter]:
    """Return every adapter of this installation by its name."""
    ours: list[Adapter] = [
        HttpAdapter(),
        PostgresqlAdapter(),
        SmtpAdapter(),
        SlackAdapter(),
        AgentAdapter(),
    ]
    more: list[Adapter] = [import_string(path)() for path in settings.ADAPTERS]
    return {adapter.name: adapter for adapter in (*more, *ours)}
