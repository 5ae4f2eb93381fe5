"""The shape of settings and templates: which members there are, and of which kind."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from effects.adapters.errors import wrong


def check_members(
    given: Mapping[str, Any], member: str, *, needed: Set[str], more: Set[str] = frozenset()
) -> None:
    """Raises: SettingsInvalid for what is missing, and for what nobody would read."""
    if not isinstance(given, Mapping):
        raise wrong(member, "this is an object.")
    for name in sorted(needed - set(given)):
        raise wrong(f"{member}/{name}", "this is needed.")
    for name in sorted(set(map(str, given)) - needed - more):
        known = ", ".join(sorted(needed | more))
        raise wrong(f"{member}/{name}", f"unknown; known are {known or 'none'}.")


def check_seconds(value: object, member: str, *, most: int = 45) -> None:
    """Raises: SettingsInvalid unless this is left away or a whole number of seconds."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise wrong(member, f"a whole number of seconds, 1 to {most}.")


def check_text(value: object, member: str, *, longest: int = 255, empty: bool = False) -> str:
    """Return a short text without control characters. Raises: SettingsInvalid."""
    if not isinstance(value, str) or len(value) > longest or not (value or empty):
        raise wrong(member, f"a text of 1 to {longest} characters.")
    if value and not value.isprintable():
        raise wrong(member, "it holds characters that cannot be printed.")
    return value
