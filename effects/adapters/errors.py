"""What adapters refuse before anything is sent, as facts. No Django.

Invalid   SettingsInvalid · ArgumentsRefused
"""

from __future__ import annotations

from kernel.errors import Invalid


class SettingsInvalid(Invalid):
    """Raised when a connection or an operation is not what its adapter documents."""

    code = "effects.settings_invalid"
    title = "The adapter cannot work with these settings"


class ArgumentsRefused(Invalid):
    """Raised when arguments do not fit the template of an operation; nothing was sent."""

    code = "effects.arguments_refused"
    title = "The arguments do not fit this operation"


def wrong(member: str, why: str) -> SettingsInvalid:
    """Make the refusal of a member: a JSON pointer into what was given, and what to do."""
    return SettingsInvalid(f"{member}: {why}", field=member)
