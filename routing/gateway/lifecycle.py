"""Telling clients when what serves them will stop: headers and fields, never a refusal.

Owns the spelling: `Deprecation` (RFC 9745), `Sunset` (RFC 8594), and in the models list the
fields that vendors' own lists carry.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from functools import lru_cache

from routing.gateway.ports import Headers
from routing.gateway.snapshot import Model, Route, Target


def headers(target: Target) -> Headers:
    """Return the lifecycle headers of what serves a call; none for a model without a date."""
    if target.model.retires_on is None and target.model.deprecated_on is None:
        return []
    return list(_headers(target.model))


@lru_cache(maxsize=4096)
def _headers(model: Model) -> tuple[tuple[bytes, bytes], ...]:
    found: list[tuple[bytes, bytes]] = []
    since = model.deprecated_on or model.retires_on
    if since is not None:
        found.append((b"deprecation", f"@{int(_midnight(since).timestamp())}".encode()))
    if model.retires_on is not None:
        sunset = format_datetime(_midnight(model.retires_on), usegmt=True)
        found.append((b"sunset", sunset.encode()))
    return tuple(found)


def listed(route: Route) -> dict[str, object]:
    """Return a route as one entry of a models list, with the lifecycle of its first target."""
    entry: dict[str, object] = {
        "id": route.name,
        "object": "model",
        "created": int(route.created_at),
        "owned_by": "unsprawl",
        "deprecated": False,
        "shutdown_date": None,
    }
    target = next((target for target in route.targets if target.is_enabled), None)
    if target is None:
        return entry
    model = target.model
    return entry | {
        "owned_by": target.vendor.name,
        "deprecated": model.deprecated_on is not None or model.retires_on is not None,
        "deprecated_at": _iso(model.deprecated_on),
        "shutdown_date": _iso(model.retires_on),
        "replacement": model.replacement or None,
        "served_by": {"vendor": target.vendor.name, "model": model.name},
    }


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day is not None else None
