"""Addresses made from templates: RFC 6570 level 1 and a query, percent-encoded to the letter.

What an argument holds can never become another segment, another parameter, another host: every
byte beyond the unreserved ones is encoded, and a segment that would walk upwards is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from effects.adapters.errors import ArgumentsRefused, wrong
from effects.adapters.filling import ABSENT, fill, is_place, resolved, scalar

_LITERAL: Final = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})"
_PATH: Final = re.compile(rf"/(?:{_LITERAL}|\{{[A-Za-z_][A-Za-z0-9_]*\}})*")
_PLACE: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_LONGEST: Final = 1000
# A step of dots between slashes of either kind, however often it was encoded.
_CLIMBS: Final = re.compile(
    r"(?:^|[/\\]|%(?:25)*(?:2f|5c))(?:\.|%(?:25)*2e){1,2}(?:$|[/\\;]|%(?:25)*(?:2f|5c))",
    re.IGNORECASE,
)
_SCALARS: Final = (str, int, bool)


def check_path(path: object, member: str) -> None:
    """Raises: SettingsInvalid unless this is a path template."""
    if not isinstance(path, str) or len(path) > _LONGEST or not _PATH.fullmatch(path):
        raise wrong(
            member, "a path begins with / and takes arguments as {name}; everything else is encoded"
        )
    if _walks(_PLACE.sub("x", path)):
        raise wrong(member, "a path holds no . or .. segment.")


def names_in(path: object) -> list[str]:
    """Return the names of the arguments that a path takes."""
    return _PLACE.findall(path) if isinstance(path, str) else []


def expand(path: str, arguments: Mapping[str, Any]) -> str:
    """Fill a path template (RFC 6570 §3.2.2). Raises: ArgumentsRefused."""

    def value(found: re.Match[str]) -> str:
        name = found[1]
        given = resolved(arguments, f"/{name}")
        if given is ABSENT:
            raise ArgumentsRefused(f"The argument /{name} is missing.", field=f"/{name}")
        text = scalar(given, f"/{name}")
        if not text:
            raise ArgumentsRefused(f"The argument /{name} is empty.", field=f"/{name}")
        # Some servers decode %2F and %5C before they resolve a path, and then walk upwards.
        if _CLIMBS.search(text):
            raise ArgumentsRefused(
                f"The argument /{name} holds .. as a step of a path.", field=f"/{name}"
            )
        return encoded(text)

    expanded = _PLACE.sub(value, path)
    if _walks(expanded):
        raise ArgumentsRefused("With these arguments the path would hold a . or .. segment.")
    return expanded


def check_query(query: object, member: str) -> None:
    """Raises: SettingsInvalid unless this maps names to values, lists of them or places."""
    if not isinstance(query, Mapping):
        raise wrong(member, "this is an object of names and values.")
    for name, value in query.items():
        items = value if isinstance(value, list) else [value]
        if not all(is_place(item) or isinstance(item, _SCALARS) for item in items):
            raise wrong(f"{member}/{name}", "a text, a whole number, a boolean, or a place.")


def written_query(query: Mapping[str, Any], arguments: Mapping[str, Any], key: str) -> str:
    """Write a query or a form, in the order of the template. Raises: ArgumentsRefused."""
    pairs = []
    for name, value in fill(query, arguments, key).items():
        items = value if isinstance(value, list) else [value]
        pairs += [f"{encoded(name)}={encoded(scalar(item, name))}" for item in items]
    return "&".join(pairs)


def encoded(text: str) -> str:
    """Percent-encode everything but the unreserved characters (RFC 3986 §2.3)."""
    return quote(text, safe="", encoding="utf-8", errors="strict")


def _walks(path: str) -> bool:
    plain = path.replace("%2e", ".").replace("%2E", ".")
    return any(segment in {".", ".."} for segment in plain.split("/"))
