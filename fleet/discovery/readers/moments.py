"""Values as the formats write them: moments, money, numbers. What cannot be read is None."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

_LEAST: Final = datetime(2000, 1, 1, tzinfo=UTC).timestamp()
_MOST: Final = datetime(2100, 1, 1, tzinfo=UTC).timestamp()
_LARGEST: Final = 2**53


def unix(value: object) -> datetime | None:
    """Read seconds since 1970, as a number or its text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return datetime.fromtimestamp(seconds, UTC) if _LEAST <= seconds <= _MOST else None


def iso(value: object) -> datetime | None:
    """Read an RFC 3339 moment, or one without a zone, which is UTC then."""
    if not isinstance(value, str) or not 10 <= len(value) <= 40:
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    try:
        return unix(aware.timestamp())
    except (OverflowError, ValueError):
        return None


def moment(value: object) -> datetime | None:
    """Read either form."""
    return iso(value) or unix(value)


def count(value: object) -> int:
    """Read a number of things; what is none, or negative, is zero."""
    if isinstance(value, str) and value.isdigit():
        value = int(value[:16])
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return int(value) if 0 <= value < _LARGEST else 0


def micros(value: object, *, per_unit: int = 1) -> int:
    """Read an amount as millionths; ``per_unit`` is 100 where it is stated in cents."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return 0
    try:
        amount = Decimal(str(value).strip()[:40])
    except InvalidOperation:
        return 0
    if not amount.is_finite() or not 0 <= amount < 10**9:
        return 0
    return int(amount * 1_000_000 / per_unit)


def text(value: object, most: int = 200) -> str:
    """Read a short text; what cannot be printed or stored is dropped."""
    if not isinstance(value, str):
        return ""
    kept = "".join(each for each in value[: 2 * most] if each.isprintable())
    return kept.encode("utf-8", "ignore").decode()[:most].strip()


def inside(value: Any, *names: str) -> Any:
    """Return a member of members, or None where one of them is missing."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def listed(value: object) -> list[dict[str, Any]]:
    """Return the objects of a list; other members are left out."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
